// Owns a node that is not there: its state in memory, told as the API tells it. Development and tests share it.
import type {
  Account,
  AuditRow,
  NodeEvent,
  NodeStatus,
  Role,
  Schemas,
  ServiceStatus,
  SessionView,
} from '#lib/api/client.ts';

export const SCENES = ['new', 'sign_in', 'sealed', 'good', 'trouble', 'empty'] as const;
/** What a mock node begins as. */
export type Scene = (typeof SCENES)[number];

export const OWNER = { name: 'owner', password: 'a long sentence' };
export const CASHIER = { name: 'till', password: 'another sentence' };
export const SETUP_CODE = 'K7QM-2XWD';
export const PASSPHRASE = 'correct horse battery';

const NOW = Date.UTC(2026, 0, 5, 9, 30);
const MINUTE = 60_000;

const yes = (text: string) => ({ ok: true, code: 'ok', text });

function service(id: string, title: string, url: string, change: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    id,
    title,
    runtime: 'docker',
    wanted: true,
    state: 'running',
    started_at: NOW - 300 * MINUTE,
    alive: yes(`${id} answers`),
    ready: yes(`${id} serves`),
    synced: { ok: null, code: 'not_applicable', text: 'there is nothing to catch up with' },
    endpoints: [{ name: id, url }],
    not_enforced: [],
    ...change,
  };
}

const good = (): ServiceStatus[] => [
  service('bitcoind', 'Bitcoin Core', 'http://127.0.0.1:18443', { synced: yes('block 870,112 of 870,112') }),
  service('electrs', 'Electrum server', 'tcp://127.0.0.1:60401', { synced: yes('at the tip') }),
  service('lnd', 'Lightning', 'https://127.0.0.1:10009', { synced: yes('graph is complete') }),
  service('mint', 'eCash mint', 'http://127.0.0.1:3338'),
  service('relay', 'Nostr relay', 'ws://127.0.0.1:7447'),
];

const trouble = (): ServiceStatus[] => [
  service('bitcoind', 'Bitcoin Core', 'http://127.0.0.1:18443', {
    ready: { ok: false, code: 'syncing', text: 'Bitcoin Core downloads the chain: 58.84 %.' },
    synced: { ok: false, code: 'syncing', text: 'block 512,000 of 870,112', share: 588_430 },
    synced_at: NOW + 4500 * MINUTE,
  }),
  service('electrs', 'Electrum server', 'tcp://127.0.0.1:60401', {
    state: 'held_back',
    ready: { ok: false, code: 'provider_not_ready', text: 'it waits for bitcoind' },
  }),
  service('lnd', 'Lightning', 'https://127.0.0.1:10009', {
    ready: { ok: false, code: 'starting', text: 'lnd was started and has not answered yet' },
  }),
  service('mint', 'eCash mint', 'http://127.0.0.1:3338', {
    state: 'needs_you',
    started_at: null,
    alive: { ok: false, code: 'exited', text: 'mint ended with code 1 eight times in a row' },
    ready: { ok: false, code: 'not_running', text: 'mint is not running' },
    next: 'read `flash-node logs mint`, then `flash-node retry mint`',
  }),
  service('relay', 'Nostr relay', 'ws://127.0.0.1:7447', {
    alive: { ok: null, code: 'silent', text: 'nobody could be asked' },
    ready: { ok: null, code: 'silent', text: 'nobody could be asked' },
  }),
];

type Setting = Schemas['Setting'];

function setting(name: string, help: string, value: Setting['value'], more: Partial<Setting>): Setting {
  return { name, help, type: 'text', default: value, value, chosen: false, ...more };
}

const settings = (): Schemas['ServiceSettings'][] => [
  {
    id: 'bitcoind',
    title: 'Bitcoin Core',
    settings: [
      setting('dbcache_mib', 'Memory for the UTXO cache; more makes the first synchronisation faster.', 450, {
        type: 'integer',
        min: 4,
        max: 16384,
        unit: 'MiB',
      }),
      setting('prune', 'How many blocks stay on the disk. Electrs needs all of them: off.', 'off', {
        type: 'choice',
        options: ['off', 'one_year', 'six_months'],
      }),
    ],
  },
  {
    id: 'lnd',
    title: 'Lightning',
    settings: [
      setting('alias', 'The name that other Lightning nodes see.', 'Flash Node', { max_length: 32 }),
      setting('tor_only', 'Whether every connection goes through Tor, where Tor runs.', false, {
        type: 'bool',
      }),
      // One that these pages do not know, as a manifest of the operator's own has.
      setting('fee_rate', 'What a payment through this node costs.', 1, {
        type: 'integer',
        min: 0,
        max: 5000,
      }),
    ],
  },
];

const edge = (
  from: string,
  to: string,
  interface_: string,
  change: Partial<Schemas['Edge']> = {},
): Schemas['Edge'] => ({
  id: `${from}/${interface_}/${to}`,
  from,
  to,
  interface: interface_,
  allow: [],
  credential: null,
  way: 'between',
  network: '10.213.0.16/28',
  reach: [],
  ...change,
});

const known = (kind: Schemas['CredentialWord'], rotatable = true): Schemas['Credential'] => ({
  kind,
  generation: rotatable ? 1 : null,
  rotatable,
});

const edges = (): Schemas['Edge'][] => [
  edge('bitcoind', 'internet', 'internet', { way: 'way_out' }),
  edge('electrs', 'bitcoind', 'p2p'),
  edge('electrs', 'bitcoind', 'rpc', {
    credential: known('rpc_user'),
    allow: ['getblock', 'getblockchaininfo', 'getblockhash', 'getmempoolinfo', 'getrawmempool'],
  }),
  edge('lnd', 'bitcoind', 'rpc', {
    credential: known('rpc_user'),
    allow: ['estimatesmartfee', 'getblockchaininfo', 'sendrawtransaction'],
  }),
  edge('lnd', 'internet', 'internet', { way: 'way_out' }),
  edge('node', 'bitcoind', 'rpc', { credential: known('rpc_user'), allow: ['uptime'] }),
  edge('node', 'lnd', 'rest', { credential: known('macaroon', false), allow: ['info:read'] }),
  edge('node', 'mint', 'cashu'),
  edge('node', 'relay', 'nostr'),
  edge('this machine', 'relay', 'http at 127.0.0.1:7447', { id: null, way: 'published', network: null }),
];

const image = (service: string, reference: string): Schemas['Image'] => ({
  service,
  reference,
  id: 'sha256:5a5a84b19854a9ffaa54082c166ff4ec27473a361e496e5ea167f298f2da9722',
  size: 184_000_000,
  version: `${service} 1.0`,
});

type Feed = Omit<Schemas['Advisories'], 'advisories'> & { advisories: Omit<Schemas['Advisory'], 'here'>[] };

/** What came with the release. */
const feed = (): Feed => ({
  imported: false,
  issued: '2025-11-28',
  serial: 3,
  advisories: [
    {
      id: 'FLASH-2025-0002',
      manifest: 'mint',
      severity: 'critical',
      text: 'It can be stopped from afar.',
      action: 'Run a newer version.',
    },
    {
      id: 'FLASH-2025-0001',
      manifest: 'btcpay',
      severity: 'medium',
      text: 'A hole lets strangers read who paid.',
      action: 'Run BTCPay Server 2.4.2 or newer.',
    },
  ],
});

/** Reads as much of a file of advisories as tests write: a name and a value in each line. */
export function readFeed(text: string): Feed {
  const [head = '', ...rest] = text.split('[[advisory]]');
  const value = (of: string, name: string): string =>
    new RegExp(`^${name} = "?(.*?)"?$`, 'm').exec(of)?.[1] ?? '';
  const advisories = rest.map((one) => ({
    id: value(one, 'id'),
    manifest: value(one, 'service'),
    severity: value(one, 'severity') as Schemas['Severity'],
    text: value(one, 'text'),
    action: value(one, 'action'),
  }));
  return { imported: true, issued: value(head, 'issued'), serial: Number(value(head, 'serial')), advisories };
}

export class MockNode {
  settings = settings();
  edges: Schemas['Edge'][] = [];
  images: Schemas['Image'][] = [];
  stage: SessionView['stage'];
  passphraseSet: boolean;
  passphrase = PASSPHRASE;
  accounts: (Account & { password: string })[] = [];
  signedIn: string | undefined;
  confirmed = false;
  services: ServiceStatus[];
  events: NodeEvent[] = [];
  audit: AuditRow[] = [];
  tokens: Schemas['Token'][] = [];
  feed = feed();
  /** Where else whoever is signed in is signed in. */
  elsewhere = ['Phone', 'Tablet'];
  /** The accounts, by ID, that were signed out everywhere. */
  signedOut = new Set<string>();
  /** Services that were left out and whose data are still there: what each is called, by its ID. */
  readonly left = new Map<string, string>();
  /** Another one for each start. */
  readonly pid = Math.floor(performance.now());
  /** Whether it was stopped: nobody answers until another scene begins. */
  down = false;
  passkeys: Schemas['Passkey'][] = [];
  /** The name by which the page was opened last, where there can be passkeys for it. */
  passkeyName: string | null = null;
  /** Called with each event and each new status. */
  readonly readers = new Set<(kind: 'event' | 'status', data: NodeEvent | NodeStatus) => void>();
  /** Ends each stream. */
  readonly streams = new Set<() => void>();

  constructor(scene: Scene) {
    this.services = scene === 'empty' ? [] : scene === 'trouble' ? trouble() : good();
    if (scene !== 'empty') this.edges = edges();
    else this.settings = [];
    const digest = '5a5a84b19854a9ffaa54082c166ff4ec27473a361e496e5ea167f298f2da9722';
    this.images = this.services.map(({ id }) => image(id, `docker.io/library/${id}@sha256:${digest}`));
    this.passphraseSet = scene === 'sealed' || scene === 'trouble';
    this.stage = scene === 'new' ? 'set_up' : scene === 'sealed' ? 'sealed' : 'sign_in';
    if (scene !== 'new') {
      this.add(OWNER.name, OWNER.password, 'owner');
      this.add(CASHIER.name, CASHIER.password, 'cashier');
    }
    if (scene === 'good' || scene === 'trouble' || scene === 'empty') this.signIn(OWNER.name);
    // More than a page begins with.
    for (let ago = 800; scene === 'trouble' && ago > 540; ago -= 1)
      this.happened('started', 'started', 'relay', NOW - ago * MINUTE);
    for (const [index, one] of this.services.entries()) {
      this.happened('started', 'started', one.id, NOW - (300 - index) * MINUTE);
      this.happened('first_ready', 'is ready for the first time', one.id, NOW - (299 - index) * MINUTE);
    }
    if (this.services.length) {
      this.happened('failed', 'ended by signal 9; tries again in 1 s', 'relay', NOW - 60 * MINUTE);
      this.happened('started', 'started', 'relay', NOW - 59 * MINUTE);
      this.happened('lan_open', 'Open to your own network, encrypted.', null, NOW - 30 * MINUTE);
      // A newer node may tell what these pages do not know.
      this.happened('polished', 'polished its windows', 'mint', NOW - 20 * MINUTE);
    }
    this.note('account_reset', `${OWNER.name} was reset at the machine`, 'machine');
  }

  /** Whether every service is ready. */
  shop(): Schemas['Shop'] {
    const open = this.services.every((one) => one.ready.ok === true);
    return { open, code: open ? 'open' : 'waiting', text: '' };
  }

  /** Who reaches whom, and what must be known beside it. */
  reaches(): Schemas['Edges'] {
    const notes: Schemas['EdgeNote'][] = [
      {
        code: 'binds_every_address',
        service: 'mint',
        others: ['bitcoind', 'lnd'],
        text: 'mint binds every address of its own',
      },
      { code: 'moonlight', service: null, others: [], text: 'services are out in the moonlight' },
    ];
    return { edges: this.edges, notes: this.services.some((one) => one.id === 'mint') ? notes : [] };
  }

  get account(): Account | undefined {
    const found = this.accounts.find((one) => one.id === this.signedIn);
    const passkey_names = [...new Set(this.passkeys.map((one) => one.site))];
    return found && { ...shown(found), passkey_names };
  }

  view(): SessionView {
    const stage = this.stage === 'sign_in' && this.signedIn ? 'signed_in' : this.stage;
    return {
      stage,
      account: stage === 'signed_in' ? this.account : null,
      network: 'regtest',
      play_money: true,
      version: '0.1.0',
      passphrase_set: this.passphraseSet,
      passkey_name: this.passkeyName,
      confirmed_until: this.confirmed ? NOW + 5 * MINUTE : null,
    };
  }

  status(): NodeStatus {
    return {
      profile: 'regtest',
      network: 'regtest',
      play_money: true,
      version: '0.1.0',
      pid: this.pid,
      api: 'http://127.0.0.1:4420',
      cursor: this.events.length,
      vault: { state: 'open', exists: true, passphrase_set: this.passphraseSet, text: 'the vault is open' },
      services: this.services,
    };
  }

  addToken(name: string, role: Role, days: number): Schemas['MadeToken'] {
    const id = `t${this.tokens.length + 1}`;
    const token = { id, name, role, created_at: NOW, expires_at: NOW + days * 1440 * MINUTE, used_at: null };
    this.tokens.push(token);
    return { token, value: `flash_${id}_shown_once` };
  }

  addPasskey(label: string): Schemas['Passkey'] {
    const id = `p${this.passkeys.length + 1}`;
    const passkey = { id, label, site: this.passkeyName ?? 'shop.local', created_at: NOW, used_at: null };
    this.passkeys.push(passkey);
    return passkey;
  }

  /** What is known to be dangerous; in trouble, the mint's version is. */
  advisories(): Schemas['Advisories'] {
    const trouble = this.services.some((one) => one.state === 'needs_you');
    const advisories = this.feed.advisories.map((one) => {
      const there = this.services.some(({ id }) => id === one.manifest) && (trouble || this.feed.imported);
      return { ...one, here: there ? [{ service: one.manifest, version: '1.0' }] : [] };
    });
    return { ...this.feed, advisories: advisories.sort((a, b) => b.here.length - a.here.length) };
  }

  /** What needs whoever is signed in. */
  tasks(): Schemas['Task'][] {
    const task = (level: Schemas['Level'], code: string, service: string | null = null) => ({
      id: service ? `${code}:${service}` : code,
      level,
      code,
      service,
      text: `the node says ${code}`,
      hint: `the node says what to do about ${code}`,
    });
    const stuck = this.services.filter((one) => one.state === 'needs_you');
    const blocked = this.services.filter((one) => one.state === 'absent' && one.next);
    const tasks = stuck.map((one) => task('now', 'needs_operator', one.id));
    tasks.push(...blocked.map((one) => task('now', 'blocked', one.id)));
    if (stuck.length) {
      const text = 'It can be stopped from afar.';
      tasks.push({ ...task('now', 'advisory', 'mint'), text, hint: 'Run a newer version.' });
      tasks.push(task('now', 'disk_low'));
    }
    if (!this.passphraseSet && this.account?.role === 'owner') tasks.push(task('soon', 'no_passphrase'));
    if (this.account?.second_factor === false) tasks.push(task('soon', 'no_second_factor'));
    return tasks;
  }

  /** Services about whom somebody edited a file, which nobody applied yet. */
  edited = ['mint'];
  /** Whether the shop's network may come in. */
  lan = true;
  /** Whether visitors of the Tor network may. */
  onion = true;

  access(): Schemas['Access'] {
    const trouble = this.services.some((one) => one.state === 'needs_you');
    const urls = ['https://shop.local:4443', 'https://shop:4443', 'https://192.168.1.7:4443'];
    const network: Schemas['Entrance'] = {
      kind: 'network',
      urls: this.lan && !trouble ? urls : [],
      ok: this.lan ? !trouble : null,
      code: this.lan ? (trouble ? 'not_listening' : 'open') : 'off',
      text: trouble
        ? '192.168.1.7:4443 cannot be listened at (address in use): name another port with `lan_port`.'
        : 'told by the node',
    };
    const machine: Schemas['Entrance'] = {
      kind: 'machine',
      urls: ['http://127.0.0.1:4420'],
      ok: true,
      code: 'open',
      text: 'this machine',
    };
    const named: Schemas['Entrance'] = {
      kind: 'public',
      urls: ['https://shop.example'],
      ok: !trouble,
      code: trouble ? 'not_proved' : 'certified',
      text: trouble
        ? 'acme-v02.api.letsencrypt.org does not find this node under shop.example (connection refused). Does the name lead to your network, and does the router pass port 443 to port 8443 of this machine? The node asks again in 5 min.'
        : 'told by the node',
    };
    const host = `${'flashnodeshop'.padEnd(55, 'a')}d.onion`;
    const onion: Schemas['Entrance'] = {
      kind: 'onion',
      urls: this.onion && !trouble ? [`http://${host}`] : [],
      ok: this.onion ? !trouble : null,
      code: this.onion ? (trouble ? 'tor_not_ready' : 'open') : 'off',
      text: trouble ? 'tor is not ready: Tor connects to its network: 45 %.' : 'told by the node',
    };
    const fingerprint = Array.from({ length: 32 }, (_, at) => (at * 7 + 16).toString(16)).join(':');
    const authority = { fingerprint: fingerprint.toUpperCase(), certificate: '' };
    return { entrances: [machine, network, named, onion], authority: network.ok ? authority : null };
  }

  machine(): Schemas['Machine'] {
    const full = this.services.some((one) => one.state === 'needs_you');
    const [memory, disk] = [16e9, 1e12];
    const used = full ? 0.997 : 0.61;
    const samples = Array.from({ length: full ? 1 : 240 }, (_, index) => ({
      at: NOW - (240 - index) * MINUTE,
      memory_used: memory * (0.4 + 0.1 * Math.sin(index / 20)),
      disk_used: disk * (used - (240 - index) / 4000),
    }));
    return {
      cores: 4,
      memory: { total: memory, used: memory * 0.43 },
      disks: [{ name: 'data', total: disk, used: disk * used }],
      samples,
    };
  }

  add(name: string, password: string, role: Role, language = 'en'): Account {
    const id = `a${this.accounts.length + 1}`;
    const made = {
      id,
      name,
      password,
      role,
      language,
      created_at: NOW,
      second_factor: false,
      recovery_codes_left: 0,
      passkey_names: [],
      signed_in_at: null,
    };
    this.accounts.push(made);
    return shown(made);
  }

  signIn(name: string): void {
    const found = this.accounts.find((one) => one.name === name);
    if (!found) return;
    this.stage = 'sign_in';
    this.signedIn = found.id;
    found.signed_in_at = NOW;
    this.note('signed_in', `${name} signed in from 192.168.1.20`);
  }

  change(id: string, change: Partial<ServiceStatus>): void {
    this.services = this.services.map((one) => (one.id === id ? { ...one, ...change } : one));
    this.readers.forEach((tell) => tell('status', this.status()));
  }

  /** Starts a service again, as a change makes the node do. */
  restart(id: string): void {
    this.change(id, { state: 'stopping' });
    this.happened('stopping', 'asked to stop: its settings changed', id);
    this.happened('started', 'started', id);
    this.change(id, { state: 'running', started_at: NOW });
  }

  /** Stops a service for good; its data stay. */
  leaveOut(id: string): void {
    this.change(id, { state: 'stopping', wanted: false });
    this.left.set(id, this.services.find((one) => one.id === id)?.title ?? id);
    this.services = this.services.filter((one) => one.id !== id);
    this.happened('stopped', `${id} was stopped`, id);
    this.readers.forEach((tell) => tell('status', this.status()));
  }

  /** Stops every service, then itself. */
  stop(): void {
    this.services.forEach(({ id }) => this.change(id, { state: 'stopping', wanted: false }));
    this.down = true;
    this.streams.forEach((end) => end());
  }

  happened(code: string, text: string, about: string | null, at = NOW): void {
    const event = { cursor: this.events.length + 1, at, code, text, service: about };
    this.events.push(event);
    this.readers.forEach((tell) => tell('event', event));
  }

  note(action: string, text: string, actor = this.account?.name ?? 'machine'): void {
    this.audit.unshift({ seq: this.audit.length + 1, at: NOW, actor, action, text });
  }
}

function shown(account: Account & { password: string }): Account {
  const { password: _, ...rest } = account;
  return rest;
}
