// Checks a relay with a client that is not ours: nostr-tools. One line per check; exits nonzero on failure.
// Usage: node relay.mjs ws://127.0.0.1:7777
import WebSocket from "ws";
import { nip77 } from "nostr-tools";
import { finalizeEvent, generateSecretKey, getPublicKey } from "nostr-tools/pure";
import { Relay, useWebSocketImplementation } from "nostr-tools/relay";
import { fetchRelayInformation } from "nostr-tools/nip11";
import * as nip17 from "nostr-tools/nip17";

useWebSocketImplementation(WebSocket);

const url = process.argv[2];
if (!url) {
  console.error("usage: node relay.mjs <ws-url>");
  process.exit(2);
}
const DEADLINE_MS = 10_000;
let failures = 0;

async function check(what, act) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), DEADLINE_MS);
  });
  try {
    const detail = await Promise.race([act(), late]);
    console.log(`ok    ${what}${detail ? `: ${detail}` : ""}`);
  } catch (failure) {
    failures += 1;
    console.log(`FAIL  ${what}: ${failure?.message ?? failure}`);
  } finally {
    clearTimeout(timer);
  }
}

function expect(condition, text) {
  if (!condition) throw new Error(text);
}

// Reads what is stored; resolves with the events, or with the reason of a CLOSED.
function read(relay, filter) {
  return new Promise((resolve) => {
    const events = [];
    const subscription = relay.subscribe([filter], {
      onevent: (event) => events.push(event),
      oneose: () => {
        subscription.close();
        resolve({ events });
      },
      onclose: (reason) => resolve({ events, closed: reason }),
    });
  });
}

function waitForEvent(relay, filter) {
  let subscription;
  const opened = new Promise((resolve) => {
    subscription = { ready: resolve };
  });
  const seen = new Promise((resolve) => {
    const live = relay.subscribe([filter], {
      onevent: (event) => {
        live.close();
        resolve(event);
      },
      oneose: () => subscription.ready(),
    });
  });
  return { opened, seen };
}

// The ids that only the relay has, by NIP-77.
function onlyThere(relay, filter, have) {
  return new Promise((resolve, reject) => {
    const storage = new nip77.NegentropyStorageVector();
    for (const event of have) storage.insert(event.created_at, event.id);
    storage.seal();
    const needed = [];
    const sync = new nip77.NegentropySync(relay, storage, filter, {
      onneed: (id) => needed.push(id),
      onclose: (reason) => (reason ? reject(new Error(reason)) : resolve(needed)),
    });
    sync.start();
  });
}

// The reason of a NEG-ERR, which this client's own NIP-77 does not hand on.
function negentropyError(filter) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.on("error", reject);
    socket.on("open", () => socket.send(JSON.stringify(["NEG-OPEN", "n", filter, "6100000200"])));
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message[0] === "AUTH") return;
      socket.close();
      resolve(message[0] === "NEG-ERR" ? message[2] : `nothing but ${data}`);
    });
  });
}

const now = () => Math.floor(Date.now() / 1000);
const [alice, bob, carol] = [0, 1, 2].map(() => generateSecretKey());
const [alicePub, bobPub] = [alice, bob].map(getPublicKey);
const text = `till 3 needs change ${Math.random()}`;
const wrap = nip17.wrapEvent(alice, { publicKey: bobPub }, text);
const author = await Relay.connect(url);
const open = [author];
const connect = async () => {
  const relay = await Relay.connect(url);
  open.push(relay);
  return relay;
};
// The challenge is the first thing that a relay sends: once any question is answered, it has arrived.
const authenticate = async (relay, key) => {
  await read(relay, { ids: ["0".repeat(64)] });
  await relay.auth(async (template) => finalizeEvent(template, key));
};

await check("NIP-11: the document names the NIPs", async () => {
  const document = await fetchRelayInformation(url);
  for (const nip of [1, 9, 11, 40, 42, 45, 70, 77]) {
    expect(document.supported_nips.includes(nip), `NIP-${nip} is missing`);
  }
  return `${document.name}, ${document.software} ${document.version}`;
});

const note = finalizeEvent({ kind: 1, created_at: now(), tags: [["t", "shop"]], content: "open" }, alice);
await check("NIP-01: a note is published and read back", async () => {
  await author.publish(note);
  const { events } = await read(author, { ids: [note.id] });
  expect(events.length === 1 && events[0].sig === note.sig, "the note is not there");
});

await check("NIP-01: a new note reaches an open subscription", async () => {
  const reader = await connect();
  const { opened, seen } = waitForEvent(reader, { authors: [alicePub], "#t": ["live"] });
  await opened;
  const live = finalizeEvent({ kind: 1, created_at: now(), tags: [["t", "live"]], content: "now" }, alice);
  await author.publish(live);
  expect((await seen).id === live.id, "another event came");
});

await check("NIP-17: a wrapped message is taken", async () => {
  await author.publish(wrap);
});

await check("NIP-42: asking for wraps without a key ends in auth-required", async () => {
  const stranger = await connect();
  const { events, closed } = await read(stranger, { kinds: [1059], "#p": [bobPub] });
  expect(events.length === 0, "a wrap leaked");
  expect(closed?.startsWith("auth-required:"), `CLOSED said ${closed}`);
  return closed;
});

await check("NIP-42: a question without kinds shows no wrap without a key", async () => {
  const stranger = await connect();
  for (const filter of [{ "#p": [bobPub] }, { ids: [wrap.id] }, { authors: [wrap.pubkey] }, {}]) {
    const { events } = await read(stranger, filter);
    expect(!events.some((event) => event.kind === 1059), `a wrap leaked to ${JSON.stringify(filter)}`);
  }
});

await check("NIP-45: COUNT does not count the wrap without a key", async () => {
  const stranger = await connect();
  const count = await stranger.count([{ "#p": [bobPub] }], { id: "count" });
  expect(count === 0, `COUNT said ${count}`);
});

await check("NIP-42 and 17: the recipient authenticates, reads and unwraps", async () => {
  const recipient = await connect();
  await authenticate(recipient, bob);
  const { events } = await read(recipient, { kinds: [1059], "#p": [bobPub] });
  expect(events.length === 1, `${events.length} wraps instead of one`);
  const rumor = nip17.unwrapEvent(events[0], bob);
  expect(rumor.content === text && rumor.pubkey === alicePub, "the message is another one");
  expect((await recipient.count([{ kinds: [1059] }], { id: "count" })) === 1, "COUNT is not 1");
  const { opened, seen } = waitForEvent(recipient, { kinds: [1059], "#p": [bobPub], limit: 0 });
  await opened;
  const next = nip17.wrapEvent(alice, { publicKey: bobPub }, "and another");
  await author.publish(next);
  expect((await seen).id === next.id, "the next wrap did not arrive");
});

await check("NIP-42: an authenticated stranger sees no wrap", async () => {
  const stranger = await connect();
  await authenticate(stranger, carol);
  for (const filter of [{ kinds: [1059] }, { kinds: [1059], "#p": [bobPub] }, { ids: [wrap.id] }, {}]) {
    const { events } = await read(stranger, filter);
    expect(!events.some((event) => event.kind === 1059), `a wrap leaked to ${JSON.stringify(filter)}`);
  }
});

await check("NIP-70: a protected event is refused from others", async () => {
  const other = await connect();
  const mine = finalizeEvent({ kind: 1, created_at: now(), tags: [["-"]], content: "mine" }, alice);
  const reason = await other.publish(mine).then(() => "", (failure) => String(failure.message ?? failure));
  expect(reason.includes("auth-required:"), `OK said "${reason}"`);
});

await check("NIP-09: the author deletes the note", async () => {
  const request = { kind: 5, created_at: now(), tags: [["e", note.id], ["k", "1"]], content: "" };
  await author.publish(finalizeEvent(request, alice));
  const { events } = await read(author, { ids: [note.id] });
  expect(events.length === 0, "the note is still there");
});

await check("NIP-77: negentropy finds what the client lacks", async () => {
  const notes = Array.from({ length: 300 }, (_, n) =>
    finalizeEvent({ kind: 1, created_at: now() - n, tags: [["t", "sync"]], content: `${n}` }, carol));
  await Promise.all(notes.map((event) => author.publish(event)));
  const missing = await onlyThere(author, { authors: [getPublicKey(carol)] }, notes.slice(7));
  expect(missing.length === 7, `${missing.length} ids instead of 7`);
  expect(notes.slice(0, 7).every((event) => missing.includes(event.id)), "other ids");
});

await check("NIP-77: negentropy shows no wrap to a stranger", async () => {
  const stranger = await connect();
  const ids = await onlyThere(stranger, { "#p": [bobPub] }, []);
  expect(ids.length === 0, "a wrap leaked");
  const reason = await negentropyError({ kinds: [1059] });
  expect(reason.startsWith("auth-required:"), `NEG-ERR said "${reason}"`);
});

for (const relay of open) relay.close();
console.log(failures === 0 ? "all checks passed" : `${failures} checks failed`);
process.exit(failures === 0 ? 0 : 1);
