// Answers as the node answers, from a `MockNode`. What is not here is not mocked, and says so.
import { http, HttpResponse, type RequestHandler } from 'msw';
import type { NodeEvent, NodeStatus, Role, Schemas } from '#lib/api/client.ts';
import { MockNode, OWNER, readFeed, SCENES, SETUP_CODE, type Scene } from './node.ts';

const API = '*/api/v1';
/** A level-L QR code is not needed to see where it stands. */
const PICTURE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h3v3H0zM5 0h3v3H5zM0 5h3v3H0zM4 4h2v2H4z"/></svg>';

let node = new MockNode('good');

/** Begins again as `scene`. */
export function begin(scene: Scene): MockNode {
  node = new MockNode(scene);
  return node;
}

/** Whether the node was stopped. */
export const down = (): boolean => node.down;

const refuse = (status: number, code: string, message: string, headers?: HeadersInit) =>
  HttpResponse.json<Schemas['ErrorBody']>({ code, message, hint: '' }, { status, headers });
const done = () => new HttpResponse(null, { status: 204 });
const body = async <T>(request: Request): Promise<T> => (await request.json()) as T;
/** How long a node that is stopped still answers. Units: milliseconds. */
const LAST = 300;
const codes = (word: string): Schemas['RecoveryCodes'] => ({
  recovery_codes: Array.from({ length: 10 }, (_, one) => `${word}-${1000 + one}`),
});
/** How much of a list is given at once: little, so that whoever reads one has to read on. */
const PART = 2;
/** Gives a part of a list. */
function part<T>(all: T[], request: Request): { items: T[]; next: string | null } {
  const begin = Number(new URL(request.url).searchParams.get('after') ?? 0);
  const end = begin + PART;
  return { items: all.slice(begin, end), next: end < all.length ? String(end) : null };
}
const PHONE =
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36';
const signedOut = () => refuse(401, 'signed_out', 'nobody is signed in');

/** Passes whom `roles` allow, and who has shown the password where it is asked for. */
function refused(roles: Role[], confirmed = false): HttpResponse<Schemas['ErrorBody']> | undefined {
  if (node.stage === 'sealed') return refuse(423, 'vault_sealed', 'the vault is sealed');
  const role = node.account?.role;
  if (!role) return signedOut();
  if (!roles.includes(role)) return refuse(403, 'not_allowed', `a ${role} may not do that`);
  if (confirmed && !node.confirmed) return refuse(403, 'confirm_needed', 'show the password first');
  return undefined;
}

const RECOVERY_KEY = 'ABCD-EFGH-JKLM';
/** What a key file holds: any bytes. */
const KEY_FILE = '\x00key\xff';
/** Whether something opens the vault. */
const opens = (way: Schemas['UnlockBody']): boolean =>
  'passphrase' in way
    ? way.passphrase === node.passphrase
    : 'recovery_key' in way
      ? way.recovery_key === RECOVERY_KEY
      : atob(way.key_file) === KEY_FILE;

/** What the files of the node are called as they are now. */
const planned = (): string => `plan of ${node.edited.join(' ')}`;

/** Any bytes: the mock looks at no answer. */
const CHALLENGE = 'bm90aGluZyBpcyBsb29rZWQgYXQgaGVyZQ';
const asked = (options: object): Response =>
  HttpResponse.json({
    ceremony: 'c1',
    options: { challenge: CHALLENGE, userVerification: 'required', ...options },
  });

const ALL: Role[] = ['owner', 'manager', 'cashier', 'auditor'];
const READ: Role[] = ['owner', 'manager', 'auditor'];
const RUN: Role[] = ['owner', 'manager'];
const OWN: Role[] = ['owner'];

function stream(request: Request): Response {
  const query = new URL(request.url).searchParams;
  const after = Number(query.get('after') ?? 0);
  const tail = Number(query.get('tail') ?? 0);
  if (query.has('before')) {
    const before = Number(query.get('before'));
    const old = node.events.filter((event) => event.cursor < before).slice(-tail);
    const text = old.map((event) => `event: event\ndata: ${JSON.stringify(event)}\nid: ${event.cursor}\n\n`);
    return new HttpResponse(text.join(''), { headers: { 'content-type': 'text/event-stream' } });
  }
  const past = query.has('after')
    ? node.events.filter((event) => event.cursor > after)
    : node.events.slice(-tail);
  const encoder = new TextEncoder();
  const cashier = node.accounts.some((one) => one.id === node.signedIn && one.role === 'cashier');
  let leave = () => {};
  const text = new ReadableStream<Uint8Array>({
    start(controller) {
      let shown = '';
      const tell = (kind: 'event' | 'status', data: NodeEvent | NodeStatus): void => {
        if (cashier) {
          const shop = JSON.stringify(node.shop());
          if (shop !== shown) controller.enqueue(encoder.encode(`event: shop\ndata: ${shop}\n\n`));
          shown = shop;
          return;
        }
        const id = kind === 'event' ? `id: ${(data as NodeEvent).cursor}\n` : '';
        controller.enqueue(encoder.encode(`event: ${kind}\n${id}data: ${JSON.stringify(data)}\n\n`));
      };
      tell('status', node.status());
      past.forEach((event) => tell('event', event));
      const { readers, streams } = node;
      const end = (): void => {
        leave();
        controller.close();
      };
      readers.add(tell);
      streams.add(end);
      leave = () => {
        readers.delete(tell);
        streams.delete(end);
      };
    },
    cancel: () => leave(),
  });
  return new Response(text, { headers: { 'content-type': 'text/event-stream' } });
}

/** The plan in which each of `services` is restarted. */
const restarts = (services: string[], why: string): Schemas['Reply'] => ({
  changed: services.length > 0,
  text: services.map((id) => `restart ${id}: ${why}\n`).join(''),
  steps: services.map((service) => ({ service, action: 'restart', stop_seconds: 30 })),
});

export const handlers: RequestHandler[] = [
  // For development and tests alone: begins another scene, or changes a service.
  http.post('*/mock/:scene', ({ params }) => {
    const scene = SCENES.find((one) => one === params.scene);
    if (!scene)
      return refuse(404, 'not_found', `there is no scene ${String(params.scene)}: ${SCENES.join(', ')}`);
    begin(scene);
    return done();
  }),
  http.post('*/mock/edited/:id', ({ params }) => {
    node.edited.push(String(params.id));
    return done();
  }),
  http.patch('*/mock/services/:id', async ({ params, request }) => {
    node.change(String(params.id), await body(request));
    return done();
  }),

  http.get(`${API}/session`, ({ request }) => {
    node.passkeyName = new URL(request.url).hostname === 'localhost' ? 'localhost' : null;
    return HttpResponse.json(node.view());
  }),
  http.post(`${API}/session`, async ({ request }) => {
    const { name, password, second_factor } = await body<Schemas['SignInBody']>(request);
    if (password === 'wait') {
      return refuse(429, 'too_many_attempts', 'too many attempts', { 'retry-after': '30' });
    }
    const known = node.accounts.find((one) => one.name === name && one.password === password);
    if (!known) return refuse(401, 'wrong_credentials', 'name or password is wrong');
    if (known.second_factor && !second_factor)
      return refuse(401, 'second_factor_needed', 'a code of the second factor is needed');
    node.signIn(name);
    node.confirmed = true;
    return HttpResponse.json(node.view());
  }),
  http.delete(`${API}/session`, () => {
    node.signedIn = undefined;
    node.confirmed = false;
    return done();
  }),
  http.post(`${API}/session/confirm`, async ({ request }) => {
    const { password } = await body<Schemas['ConfirmBody']>(request);
    const own = node.accounts.find((one) => one.id === node.signedIn);
    if (own?.password !== password) return refuse(401, 'wrong_credentials', 'name or password is wrong');
    node.confirmed = true;
    return HttpResponse.json(node.view());
  }),
  http.post(`${API}/set-up`, async ({ request }) => {
    const made = await body<Schemas['SetUpBody']>(request);
    if (made.code !== SETUP_CODE) return refuse(403, 'wrong_setup_code', 'that code is wrong');
    node.add(made.name, made.password, 'owner', made.language);
    node.signIn(made.name);
    return HttpResponse.json(node.view(), { status: 201 });
  }),
  http.post(`${API}/vault/unlock`, async ({ request }) => {
    const way = await body<Schemas['UnlockBody']>(request);
    if (!opens(way)) return refuse(403, `wrong_${Object.keys(way)[0]}`, 'that does not open the vault');
    node.stage = 'sign_in';
    return HttpResponse.json({ changed: true, text: 'the vault is open\n' });
  }),
  http.post(`${API}/vault/passphrase`, async ({ request }) => {
    const no = refused(OWN, true);
    if (no) return no;
    const asked = await body<Schemas['PassphraseBody']>(request);
    if (node.passphraseSet && !(asked.current && opens(asked.current))) {
      return refuse(403, 'wrong_passphrase', 'that does not open the vault');
    }
    const key = node.passphraseSet
      ? ''
      : `recovery key (write it down now; it is not shown again):\n\n  ${RECOVERY_KEY}\n`;
    [node.passphrase, node.passphraseSet] = [asked.new, true];
    return HttpResponse.json({ changed: true, text: `the passphrase is set\n${key}` });
  }),
  http.post(`${API}/vault/seal`, () => {
    const no = refused(OWN);
    if (no) return no;
    // Who was signed in still is once it is unlocked.
    node.stage = 'sealed';
    return HttpResponse.json({ changed: true, text: 'the vault is sealed\n' });
  }),
  http.get(`${API}/shop`, () => {
    return refused(ALL) ?? HttpResponse.json(node.shop());
  }),
  http.get(`${API}/events`, ({ request }) => refused(ALL) ?? stream(request)),
  http.get(`${API}/status`, () => refused(READ) ?? HttpResponse.json(node.status())),
  http.get(`${API}/services/:id/logs`, ({ params }) => {
    const no = refused(RUN);
    if (no) return no;
    const lines = Array.from(
      { length: 40 },
      (_, line) => `2026-01-05T09:${10 + (line % 50)}:00Z ${String(params.id)}: line ${line}\n`,
    );
    return new HttpResponse(lines.join(''), { headers: { 'content-type': 'text/plain' } });
  }),
  http.post(`${API}/services/:id/retry`, ({ params }) => {
    const no = refused(RUN);
    if (no) return no;
    const id = String(params.id);
    node.change(id, {
      state: 'running',
      ready: { ok: false, code: 'starting', text: `${id} is being started` },
    });
    return HttpResponse.json({ changed: true, text: `${id} is tried again\n` });
  }),
  http.post(`${API}/services/:id/remove`, async ({ params, request }) => {
    const { dry_run } = await body<Schemas['RemoveBody']>(request);
    const no = refused(RUN, !dry_run);
    if (no) return no;
    const id = String(params.id);
    if (!node.services.some((one) => one.id === id))
      return refuse(404, 'unknown_service', `there is no service ${id} to remove`);
    const needs = node.edges.find((one) => one.to === id && node.services.some(({ id }) => id === one.from));
    if (needs)
      return refuse(
        422,
        'bad_manifest',
        `${needs.from}: it needs \`${id}\`, and this node has no such service`,
      );
    if (!dry_run) node.leaveOut(id);
    const steps: Schemas['Reply']['steps'] = [{ service: id, action: 'remove', stop_seconds: 30 }];
    return HttpResponse.json({ changed: true, text: `remove ${id}\nits data stay\n`, steps });
  }),
  http.get(`${API}/removed`, () => {
    const items = [...node.left].map(([id, title]) => ({ id, title, folders: [`/srv/flash/volumes/${id}`] }));
    return refused(READ) ?? HttpResponse.json({ items });
  }),
  http.post(`${API}/services/:id/purge`, async ({ params, request }) => {
    const no = refused(OWN, true);
    if (no) return no;
    const { confirm } = await body<Schemas['PurgeBody']>(request);
    const id = String(params.id);
    if (confirm !== id) return refuse(403, 'confirm_mismatch', `${confirm} is not the name of ${id}`);
    if (node.services.some((one) => one.id === id))
      return refuse(409, 'not_removed', `${id} is still there, so its data stay`);
    if (!node.left.delete(id)) return refuse(404, 'unknown_service', `nothing of ${id} is left`);
    return HttpResponse.json({ changed: true, text: `the data of ${id} were deleted\n` });
  }),
  http.post(`${API}/down`, () => {
    const no = refused(OWN, true);
    if (no) return no;
    const stopped = node;
    setTimeout(() => stopped.stop(), LAST);
    return HttpResponse.json({ changed: true, text: 'stopping every service, then the daemon\n' });
  }),

  http.post(`${API}/plan`, () => {
    const no = refused(READ);
    if (no) return no;
    if (node.services.some((one) => one.state === 'needs_you')) {
      return refuse(
        422,
        'bad_manifest',
        'node.toml:9:1: no service `mind` is declared\n  hint: did you mean `mint`?',
      );
    }
    return HttpResponse.json({ ...restarts(node.edited, 'its settings changed'), plan: planned() });
  }),
  http.post(`${API}/apply`, async ({ request }) => {
    const no = refused(RUN, true);
    if (no) return no;
    const { plan } = await body<Schemas['ApplyBody']>(request);
    if (plan && plan !== planned()) return refuse(409, 'changed_meanwhile', 'the files were changed');
    const edited = node.edited.splice(0);
    edited.forEach((id) => node.restart(id));
    return HttpResponse.json({ text: '', changed: edited.length > 0 });
  }),

  http.get(`${API}/tasks`, () => refused(READ) ?? HttpResponse.json({ tasks: node.tasks() })),
  http.get(`${API}/access`, () => refused(READ) ?? HttpResponse.json(node.access())),
  http.post(`${API}/access`, async ({ request }) => {
    const { lan, onion, dry_run } = await body<Schemas['AccessBody']>(request);
    const no = refused(OWN, !dry_run);
    if (no) return no;
    if (!dry_run) {
      node.lan = lan ?? node.lan;
      node.onion = onion ?? node.onion;
    }
    const reached = (who: string, open: boolean): string =>
      `${open ? who : `nobody of ${who}`} reaches the node\n`;
    const said = [];
    if (typeof lan === 'boolean') said.push(reached('your own network', lan));
    if (typeof onion === 'boolean') said.push(reached('the Tor network', onion));
    return HttpResponse.json({ text: said.join(''), changed: true });
  }),
  http.get(`${API}/machine`, () => refused(READ) ?? HttpResponse.json(node.machine())),
  http.get(`${API}/settings`, () => refused(READ) ?? HttpResponse.json({ services: node.settings })),
  http.post(`${API}/settings`, async ({ request }) => {
    const { changes, dry_run } = await body<Schemas['SetManyBody']>(request);
    const no = refused(RUN, !dry_run);
    if (no) return no;
    const restarted = [...new Set(changes.map((one) => one.service))];
    if (!dry_run) {
      for (const change of changes) {
        const found = node.settings
          .find((one) => one.id === change.service)
          ?.settings.find((one) => one.name === change.setting);
        if (!found) return refuse(404, 'unknown_setting', `there is no setting ${change.setting}`);
        const read = { bool: change.value === 'true', integer: Number(change.value) };
        found.value = found.type in read ? read[found.type as keyof typeof read] : change.value;
        found.chosen = true;
      }
      restarted.forEach((id) => node.restart(id));
    }
    return HttpResponse.json(restarts(restarted, 'its settings changed'));
  }),
  http.get(`${API}/edges`, () => refused(READ) ?? HttpResponse.json(node.reaches())),
  http.post(`${API}/rotate`, async ({ request }) => {
    const asked = await body<Schemas['RotateBody']>(request);
    const no = refused(RUN, !asked.dry_run);
    if (no) return no;
    const chosen = node.edges.filter(
      (one) => one.credential?.rotatable && (!asked.edges.length || asked.edges.includes(one.id ?? '')),
    );
    const ends = [...new Set(chosen.flatMap((one) => [one.from, one.to]))].filter((id) => id !== 'node');
    if (!asked.dry_run) {
      node.edges = node.edges.map((one) =>
        chosen.includes(one) && one.credential
          ? { ...one, credential: { ...one.credential, generation: (one.credential.generation ?? 0) + 1 } }
          : one,
      );
      ends.forEach((id) => node.restart(id));
    }
    return HttpResponse.json(restarts(ends, 'a credential is replaced'));
  }),
  http.get(`${API}/images`, () => {
    return refused(READ) ?? HttpResponse.json({ in_containers: true, images: node.images });
  }),
  http.post(`${API}/services/:id/image`, async ({ params, request }) => {
    const asked = await body<Schemas['ImageBody']>(request);
    const no = refused(OWN, !asked.dry_run);
    if (no) return no;
    if (!/sha256:[0-9a-f]{64}$/.test(asked.image)) return refuse(422, 'bad_value', 'that is no digest');
    const id = String(params.id);
    if (!asked.dry_run) {
      node.images = node.images.map((one) =>
        one.service === id ? { ...one, reference: asked.image, id: null, size: null } : one,
      );
      node.restart(id);
    }
    return HttpResponse.json(restarts([id], 'its image changed'));
  }),

  http.get(`${API}/advisories`, () => refused(READ) ?? HttpResponse.json(node.advisories())),
  http.post(`${API}/advisories`, async ({ request }) => {
    const no = refused(OWN);
    if (no) return no;
    const { text, signature } = await body<Schemas['AdvisoriesBody']>(request);
    if (!signature.startsWith('untrusted comment:'))
      return refuse(422, 'not_signed', 'the advisories are not signed by the key of this release');
    const feed = readFeed(text);
    if (feed.serial < node.feed.serial) return refuse(409, 'old_advisories', 'newer ones are known');
    const changed = feed.serial > node.feed.serial;
    if (changed) node.feed = feed;
    return HttpResponse.json({ changed, text: `advisories of ${feed.issued}\n` });
  }),

  http.post(`${API}/account/language`, async ({ request }) => {
    const { language } = await body<Schemas['LanguageBody']>(request);
    const own = node.accounts.find((one) => one.id === node.signedIn);
    if (!own) return signedOut();
    own.language = language;
    return done();
  }),
  http.post(`${API}/account/password`, async ({ request }) => {
    const asked = await body<Schemas['OwnPasswordBody']>(request);
    const own = node.accounts.find((one) => one.id === node.signedIn);
    if (own?.password !== asked.current) return refuse(401, 'wrong_credentials', 'name or password is wrong');
    own.password = asked.new;
    return done();
  }),
  http.post(`${API}/account/second-factor`, () => {
    const secret = 'JBSWY3DPEHPK3PXP';
    return (
      refused(ALL, true) ??
      HttpResponse.json({ secret, uri: `otpauth://totp/x?secret=${secret}`, qr_svg: PICTURE })
    );
  }),
  http.post(`${API}/account/second-factor/confirm`, async ({ request }) => {
    const { code } = await body<Schemas['FirstCodeBody']>(request);
    const own = node.accounts.find((one) => one.id === node.signedIn);
    if (!own || code !== '123456') return refuse(401, 'wrong_second_factor', 'that code is wrong');
    [own.second_factor, own.recovery_codes_left] = [true, 10];
    return HttpResponse.json(codes('ABCD'));
  }),
  http.delete(`${API}/account/second-factor`, () => {
    const no = refused(ALL, true);
    if (no) return no;
    const own = node.accounts.find((one) => one.id === node.signedIn);
    if (own) [own.second_factor, own.recovery_codes_left] = [false, 0];
    return done();
  }),
  http.post(`${API}/account/recovery-codes`, () => {
    const no = refused(ALL, true);
    if (no) return no;
    const own = node.accounts.find((one) => one.id === node.signedIn);
    if (!own?.second_factor) return refuse(409, 'no_second_factor', 'there is no second factor');
    own.recovery_codes_left = 10;
    return HttpResponse.json(codes('WXYZ'));
  }),
  http.get(`${API}/account/passkeys`, () => refused(ALL) ?? HttpResponse.json({ items: node.passkeys })),
  http.post(`${API}/account/passkeys/begin`, () => {
    const user = { id: CHALLENGE, name: node.account?.name, displayName: node.account?.name };
    return (
      refused(ALL, true) ??
      asked({
        rp: { id: 'localhost', name: 'Flash Node' },
        user,
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      })
    );
  }),
  http.post(`${API}/account/passkeys`, async ({ request }) => {
    const { label } = await body<Schemas['NewPasskeyBody']>(request);
    const no = refused(ALL, true);
    if (no) return no;
    return HttpResponse.json(node.addPasskey(label), { status: 201 });
  }),
  http.delete(`${API}/account/passkeys/:id`, ({ params }) => {
    const no = refused(ALL, true);
    if (no) return no;
    node.passkeys = node.passkeys.filter((one) => one.id !== params.id);
    return done();
  }),
  // Whoever shows one is taken for the owner: the mock looks at no signature.
  http.post(`${API}/session/passkey/begin`, () => asked({ rpId: 'localhost' })),
  http.post(`${API}/session/passkey`, () => {
    if (!node.passkeys.length) return refuse(401, 'wrong_passkey', 'this passkey was not accepted');
    node.signIn(OWNER.name);
    node.confirmed = true;
    return HttpResponse.json(node.view());
  }),
  http.post(`${API}/session/confirm/passkey/begin`, () => asked({ rpId: 'localhost' })),
  http.post(`${API}/session/confirm/passkey`, () => {
    node.confirmed = true;
    return HttpResponse.json(node.view());
  }),
  http.get(`${API}/sessions`, () => {
    const from = '127.0.0.1';
    const own = {
      id: 's1',
      agent: 'Chromium',
      from,
      created_at: Date.UTC(2026, 0, 5),
      seen_at: Date.UTC(2026, 0, 5),
      current: true,
    };
    return (
      refused(ALL) ??
      HttpResponse.json({
        items: [own, ...node.elsewhere.map((agent) => ({ ...own, id: agent, agent, current: false }))],
      })
    );
  }),
  http.delete(`${API}/sessions`, () => {
    const no = refused(ALL);
    if (no) return no;
    node.elsewhere = [];
    return done();
  }),
  http.delete(`${API}/sessions/:id`, ({ params }) => {
    const no = refused(ALL);
    if (no) return no;
    node.elsewhere = node.elsewhere.filter((one) => one !== params.id);
    return done();
  }),
  http.get(`${API}/accounts`, ({ request }) => {
    const all = node.accounts.map(({ password: _, ...account }) => account);
    return refused(OWN) ?? HttpResponse.json(part(all, request));
  }),
  http.get(`${API}/accounts/:id/sessions`, ({ params }) => {
    const agents = node.signedOut.has(String(params.id)) ? [] : [PHONE];
    const seen = { from: '192.168.1.7', created_at: Date.UTC(2026, 0, 5), seen_at: Date.UTC(2026, 0, 5) };
    const items = agents.map((agent) => ({ ...seen, id: `${String(params.id)}-1`, agent, current: false }));
    return refused(OWN) ?? HttpResponse.json({ items });
  }),
  http.delete(`${API}/accounts/:id/sessions`, ({ params }) => {
    const no = refused(OWN, true);
    if (no) return no;
    const ended = node.signedOut.has(String(params.id)) ? 0 : 1;
    node.signedOut.add(String(params.id));
    return HttpResponse.json({ ended });
  }),
  http.post(`${API}/accounts`, async ({ request }) => {
    const no = refused(OWN, true);
    if (no) return no;
    const asked = await body<Schemas['NewAccountBody']>(request);
    if (node.accounts.some((one) => one.name === asked.name))
      return refuse(409, 'name_taken', 'that name is taken');
    return HttpResponse.json(node.add(asked.name, asked.password, asked.role, asked.language), {
      status: 201,
    });
  }),
  http.patch(`${API}/accounts/:id`, async ({ params, request }) => {
    const no = refused(OWN, true);
    if (no) return no;
    const { role, password } = await body<Schemas['ChangesBody']>(request);
    const one = node.accounts.find((account) => account.id === params.id);
    if (!one) return refuse(404, 'not_found', 'there is no such account');
    const owners = node.accounts.filter((account) => account.role === 'owner');
    if (role && role !== 'owner' && one.role === 'owner' && owners.length === 1)
      return refuse(409, 'last_owner', 'this is the last owner');
    one.role = role ?? one.role;
    one.password = password ?? one.password;
    const { password: _, ...account } = one;
    return HttpResponse.json(account);
  }),
  http.delete(`${API}/accounts/:id`, ({ params }) => {
    const no = refused(OWN, true);
    if (no) return no;
    node.accounts = node.accounts.filter((one) => one.id !== params.id);
    return done();
  }),
  http.get(`${API}/tokens`, ({ request }) => refused(OWN) ?? HttpResponse.json(part(node.tokens, request))),
  http.post(`${API}/tokens`, async ({ request }) => {
    const no = refused(OWN, true);
    if (no) return no;
    const { name, role, expires_in_days } = await body<Schemas['NewTokenBody']>(request);
    return HttpResponse.json(node.addToken(name, role, expires_in_days), { status: 201 });
  }),
  http.delete(`${API}/tokens/:id`, ({ params }) => {
    const no = refused(OWN, true);
    if (no) return no;
    node.tokens = node.tokens.filter((one) => one.id !== params.id);
    return done();
  }),
  http.post(`${API}/audit`, () => {
    const lines = node.services.map(({ id }) => `ok    ${id}: confined, runs the image that was accepted`);
    if (node.services.some((one) => one.state === 'needs_you'))
      lines.push('bad   mint: it has a capability that nobody gave it');
    lines.push('note  relay/keys: generation 1, 400 days old');
    return refused(READ) ?? HttpResponse.json({ changed: false, text: `${lines.join('\n')}\n` });
  }),
  http.get(`${API}/audit-log`, () => refused(READ) ?? HttpResponse.json({ items: node.audit, next: null })),
  http.post(`${API}/audit-log/verify`, () => {
    return refused(READ) ?? HttpResponse.json({ intact: true, rows: node.audit.length, first_bad: null });
  }),
];
