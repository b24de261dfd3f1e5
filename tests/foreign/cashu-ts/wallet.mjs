// Drives a running mint with cashu-ts, a wallet library that shares no code with it.
// Usage: npm run --silent wallet -- MINT_URL. One line per check; exits 1 at the first that fails.
import { Wallet, MintQuoteState, getEncodedToken, hasValidDleq } from "@cashu/cashu-ts";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";

const DOUBLE_SPEND = 11001;
const DEADLINE_MS = 30_000;

const url = process.argv[2];
if (!url) {
  console.error("usage: npm run --silent wallet -- MINT_URL");
  process.exit(2);
}

const sum = (proofs) => proofs.reduce((total, proof) => total + Number(proof.amount), 0);
const hex = (bytes) => Buffer.from(bytes).toString("hex");

function assert(condition, why) {
  if (!condition) throw new Error(why);
}

async function check(name, body) {
  try {
    const result = await body();
    console.log(`ok ${name}`);
    return result;
  } catch (error) {
    console.log(`FAILED ${name}: ${error.code ?? ""} ${error.message}`);
    process.exit(1);
  }
}

async function paid(wallet, quote) {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    const now = await wallet.checkMintQuoteBolt11(quote.quote);
    if (now.state === MintQuoteState.PAID) return now;
    assert(Date.now() < end, `quote stayed ${now.state}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("was accepted");
}

const alice = new Wallet(url, { unit: "sat" });
const bob = new Wallet(url, { unit: "sat" });

await check("both wallets read info, keysets and keys", async () => {
  await alice.loadMint();
  await bob.loadMint();
});

const minted = await check("mint 64 sat", async () => {
  const quote = await alice.createMintQuoteBolt11(64);
  const proofs = await alice.mintProofsBolt11(64, await paid(alice, quote));
  assert(sum(proofs) === 64, `minted ${sum(proofs)}`);
  return proofs;
});

await check("every minted proof has a valid DLEQ", async () => {
  for (const proof of minted) {
    assert(hasValidDleq(proof, alice.getKeyset(proof.id)), `proof of ${proof.amount} has none`);
  }
});

const { keep, send } = await check("send 21 sat with DLEQ", async () => {
  const split = await alice.send(21, minted, { includeDleq: true });
  assert(sum(split.send) === 21, `sends ${sum(split.send)}`);
  assert(sum(split.keep) === 43, `keeps ${sum(split.keep)}`);
  for (const proof of split.send) {
    assert(hasValidDleq(proof, alice.getKeyset(proof.id)), `proof of ${proof.amount} has no DLEQ`);
  }
  return split;
});

const token = getEncodedToken({ mint: url, proofs: send, unit: "sat" });
const received = await check("the second wallet receives 21 sat", async () => {
  const proofs = await bob.receive(token);
  assert(sum(proofs) === 21, `received ${sum(proofs)}`);
  return proofs;
});

await check("the same token again is refused with 11001", async () => {
  const error = await refusal(bob.receive(token));
  assert(error.code === DOUBLE_SPEND, `refused with ${error.code}: ${error.message}`);
});

await check("the mint calls sent proofs spent and kept ones unspent", async () => {
  const spent = await alice.checkProofsStates(send);
  const unspent = await alice.checkProofsStates([...keep, ...received]);
  assert(spent.every((s) => s.state === "SPENT"), JSON.stringify(spent));
  assert(unspent.every((s) => s.state === "UNSPENT"), JSON.stringify(unspent));
});

await check("a locked quote (NUT-20) is refused without its key and minted with it", async () => {
  const privkey = schnorr.utils.randomSecretKey();
  const quote = await alice.createLockedMintQuote(8, hex(secp256k1.getPublicKey(privkey, true)));
  const now = await paid(alice, quote);
  const stranger = hex(schnorr.utils.randomSecretKey());
  await refusal(alice.mintProofsBolt11(8, now, { privkey: stranger }));
  const proofs = await alice.mintProofsBolt11(8, now, { privkey: hex(privkey) });
  assert(sum(proofs) === 8, `minted ${sum(proofs)}`);
});

await check("a websocket (NUT-17) says when a quote is paid", async () => {
  const quote = await alice.createMintQuoteBolt11(4);
  const now = await alice.on.onceMintPaid(quote.quote, { timeoutMs: DEADLINE_MS });
  assert(now.state === MintQuoteState.PAID, `state ${now.state}`);
});

process.exit(0);
