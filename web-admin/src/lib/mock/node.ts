// Owns a node that is not there: its state in memory, told as the API tells it. Development and tests share it.
import type {
  Account,
  AuditRow,
  NodeEvent,
  NodeStatus,
  Role,
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
    synced: { ok: false, code: 'behind', text: 'block 512,000 of 870,112' },
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

export class MockNode {
  stage: SessionView['stage'];
  passphraseSet: boolean;
  passphrase = PASSPHRASE;
  accounts: (Account & { password: string })[] = [];
  signedIn: string | undefined;
  confirmed = false;
  services: ServiceStatus[];
  events: NodeEvent[] = [];
  audit: AuditRow[] = [];
  /** Called with each event and each new status. */
  readonly readers = new Set<(kind: 'event' | 'status', data: NodeEvent | NodeStatus) => void>();

  constructor(scene: Scene) {
    this.services = scene === 'empty' ? [] : scene === 'trouble' ? trouble() : good();
    this.passphraseSet = scene === 'sealed' || scene === 'trouble';
    this.stage = scene === 'new' ? 'set_up' : scene === 'sealed' ? 'sealed' : 'sign_in';
    if (scene !== 'new') {
      this.add(OWNER.name, OWNER.password, 'owner');
      this.add(CASHIER.name, CASHIER.password, 'cashier');
    }
    if (scene === 'good' || scene === 'trouble' || scene === 'empty') this.signIn(OWNER.name);
    for (const [index, one] of this.services.entries()) {
      this.happened('started', `${one.id} was started`, one.id, NOW - (300 - index) * MINUTE);
      this.happened('ready', `${one.id} is ready`, one.id, NOW - (299 - index) * MINUTE);
    }
    this.note('up', 'the node was started');
  }

  get account(): Account | undefined {
    const found = this.accounts.find((one) => one.id === this.signedIn);
    return found && shown(found);
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
      confirmed_until: this.confirmed ? NOW + 5 * MINUTE : null,
    };
  }

  status(): NodeStatus {
    return {
      profile: 'regtest',
      network: 'regtest',
      play_money: true,
      version: '0.1.0',
      pid: 4242,
      api: 'http://127.0.0.1:4420',
      cursor: this.events.length,
      vault: { state: 'open', exists: true, passphrase_set: this.passphraseSet, text: 'the vault is open' },
      services: this.services,
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
    this.note('signed_in', `${name} signed in`);
  }

  change(id: string, change: Partial<ServiceStatus>): void {
    this.services = this.services.map((one) => (one.id === id ? { ...one, ...change } : one));
    this.readers.forEach((tell) => tell('status', this.status()));
  }

  happened(code: string, text: string, about: string | null, at = NOW): void {
    const event = { cursor: this.events.length + 1, at, code, text, service: about };
    this.events.push(event);
    this.readers.forEach((tell) => tell('event', event));
  }

  note(action: string, text: string): void {
    const actor = this.account?.name ?? 'machine';
    this.audit.unshift({ seq: this.audit.length + 1, at: NOW, actor, action, text });
  }
}

function shown(account: Account & { password: string }): Account {
  const { password: _, ...rest } = account;
  return rest;
}
