// Walks as a new user through a real node, from an empty data folder to the log-out: flash-node with its relay and mint,
// and Debian's Redis as the two services that know each other by a password.
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Browser, heading } from './browser.ts';

const run = promisify(execFile);
const PROGRAM = resolve(process.env.FLASH_NODE ?? '../target/debug/flash-node');
const PASSWORD = 'four plain old words';
const PASSPHRASE = 'nine green bottles on a wall';
/** How long something of the node may take. Units: milliseconds. */
const PATIENCE = 60_000;

const missing = [
  ...[PROGRAM, join(dirname(PROGRAM), 'flash-relay'), join(dirname(PROGRAM), 'flash-mint')],
  '/usr/bin/redis-server',
].filter((path) => !existsSync(path));
if (missing.length) console.log(`SKIPPED: no walk through a real node: ${missing.join(', ')} is not there`);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** A demo node in a folder of its own. */
class Node {
  readonly folder = mkdtempSync(join(tmpdir(), 'flash-walk-'));
  readonly data = join(this.folder, 'data');
  #daemon: ChildProcess | undefined;

  async up(): Promise<string> {
    // Services run with identities of their own where the node is root: they must reach the folder.
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.data, 'manifests'), { recursive: true });
    let choices = '';
    for (const [id, port] of [
      ['relay', 'http'],
      ['mint', 'http'],
      ['redis', 'redis'],
      ['redis-replica', 'redis'],
    ] as const) {
      const own = id.startsWith('redis') ? `manifest = "${id}"\n` : '';
      choices += `[services.${id}]\n${own}ports = { ${port} = ${await freePort()} }\n`;
    }
    for (const name of ['redis', 'redis-replica']) {
      cpSync(`../tests/node/redis/${name}.toml`, join(this.data, 'manifests', `${name}.toml`));
    }
    writeFileSync(join(this.data, 'node.toml'), choices);
    const path = `${dirname(PROGRAM)}:${process.env.PATH ?? ''}`;
    this.#daemon = spawn(PROGRAM, ['--data', this.data, 'up', '--background-daemon', '--profile', 'demo'], {
      env: { ...process.env, PATH: path },
      stdio: 'ignore',
    });
    return vi.waitFor(
      () => {
        const api = this.status()?.api;
        if (!api) throw new Error('the node does not answer yet');
        return api;
      },
      { timeout: PATIENCE, interval: 200 },
    );
  }

  cli(...words: string[]): string {
    return execFileSync(PROGRAM, ['--data', this.data, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  }

  status():
    { api: string; services: { id: string; endpoints: { name: string; url: string }[] }[] } | undefined {
    try {
      return JSON.parse(this.cli('status', '--json'));
    } catch {
      return undefined;
    }
  }

  pid(service: string): number {
    const record = readFileSync(join(this.data, 'run', service, 'child.json'), 'utf8');
    return (JSON.parse(record) as { process: { pid: number } }).process.pid;
  }

  /** What the relay says of itself. Source: NIP-11. */
  async relayName(): Promise<string> {
    const relay = this.status()?.services.find((one) => one.id === 'relay');
    const url = relay?.endpoints[0]?.url.replace('ws://', 'http://') ?? '';
    const answer = await fetch(url, { headers: { accept: 'application/nostr+json' } });
    return ((await answer.json()) as { name: string }).name;
  }

  async down(): Promise<void> {
    const daemon = this.#daemon;
    if (!daemon) return;
    const gone = new Promise((done) => daemon.once('exit', done));
    // While this waits, the daemon that ended must be buried: not a call that blocks.
    await run(PROGRAM, ['--data', this.data, 'down']);
    await gone;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe.skipIf(missing.length > 0)('a new user', () => {
  const node = new Node();
  let browser: Browser;
  let api: string;
  let owner: Page;
  let till: Page;

  beforeAll(async () => {
    browser = await Browser.start();
    api = await node.up();
  }, 2 * PATIENCE);

  afterAll(async () => {
    await browser?.close();
    await node.down();
  }, PATIENCE);

  const go = (page: Page, name: string) =>
    page.getByRole('navigation').getByRole('link', { name, exact: true }).click();

  async function signIn(page: Page, labels: [string, string, string], name: string): Promise<void> {
    await page.getByLabel(labels[0], { exact: true }).fill(name);
    await page.getByLabel(labels[1], { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: labels[2] }).click();
  }

  test(
    'makes the first account with the code of the machine, and sees everything get ready',
    async () => {
      owner = await browser.visit('desktop', 'light');
      await owner.goto(api);
      await heading(owner, 'Welcome').waitFor();
      await browser.look(owner, 'walk-1-welcome');
      const code = node.cli('setup-code').match(/\b[A-Z0-9]{4}(-[A-Z0-9]{4})+\b/)?.[0] ?? '';
      await owner.getByLabel('Set-up code', { exact: true }).fill(code);
      await owner.getByRole('button', { name: 'Continue' }).click();
      await owner.getByLabel('Name').fill('Olga');
      await owner.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await owner.getByLabel('The same password again').fill(PASSWORD);
      await browser.look(owner, 'walk-2-account');
      await owner.getByRole('button', { name: 'Make the account' }).click();
      await owner.getByText('Everything works').waitFor({ timeout: PATIENCE });
      await owner.getByText('Set a passphrase before').waitFor();
      await browser.look(owner, 'walk-3-overview');
    },
    2 * PATIENCE,
  );

  test(
    'sees a service that was killed recover',
    async () => {
      process.kill(node.pid('relay'), 'SIGKILL');
      await owner.getByText(/One service (does not work|is getting ready)/).waitFor();
      await owner.getByText('Everything works').waitFor({ timeout: PATIENCE });
      await go(owner, 'Events');
      await owner
        .getByText(/ended by signal 9/)
        .first()
        .waitFor();
      await browser.look(owner, 'walk-4-events');
    },
    2 * PATIENCE,
  );

  test(
    'changes a setting once its plan was read',
    async () => {
      await go(owner, 'Settings');
      const card = owner.getByRole('region', { name: 'Nostr relay' });
      await card.getByLabel('Name', { exact: true }).fill('The corner shop');
      await browser.look(owner, 'walk-5-settings');
      await owner.getByRole('button', { name: 'See what it will do' }).click();
      const plan = owner.getByRole('dialog', { name: 'Settings' });
      await plan.getByText(/restart +relay/).waitFor();
      await browser.look(owner, 'walk-6-plan');
      expect(await node.relayName()).not.toBe('The corner shop');
      await plan.getByRole('button', { name: 'Apply' }).click();
      await owner.getByText('It is applied.').waitFor({ timeout: PATIENCE });
      await expect
        .poll(() => node.relayName().catch(() => ''), { timeout: PATIENCE })
        .toBe('The corner shop');
    },
    2 * PATIENCE,
  );

  test(
    'replaces a password between two services, whose old one is refused',
    async () => {
      await go(owner, 'Connections');
      const row = owner.getByRole('row').filter({ hasText: 'replicate' });
      await row.getByText('number 1').waitFor();
      await browser.look(owner, 'walk-7-connections');
      await row.getByRole('button').click();
      const plan = owner.getByRole('dialog', { name: 'Replace a password' });
      await plan.getByText(/restart +redis-replica/).waitFor();
      await plan.getByRole('button', { name: 'Replace', exact: true }).click();
      // Whoever typed the password a moment ago is not asked for it again.
      await owner.getByText('It is replaced.').waitFor({ timeout: PATIENCE });
      await row.getByText('number 2').waitFor();
      await go(owner, 'Events');
      await owner
        .getByText(/refuses generation 1/)
        .first()
        .waitFor({ timeout: PATIENCE });
    },
    2 * PATIENCE,
  );

  test(
    'adds a cashier, who sees the shop alone, on a phone, in Dutch and in the dark',
    async () => {
      await go(owner, 'People');
      await owner.getByLabel('Name').fill('Kim');
      await owner.getByLabel('Language').selectOption('Nederlands');
      await owner.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await owner.getByRole('button', { name: 'Add somebody' }).click();
      await owner.getByText('Kim can sign in now.').waitFor();
      await browser.look(owner, 'walk-8-people');
      till = await browser.visit('phone', 'dark', 'nl-NL');
      await till.goto(`${api}/services`);
      await signIn(till, ['Naam', 'Wachtwoord', 'Inloggen'], 'Kim');
      await till.getByRole('button', { name: 'Menu' }).click();
      await till.getByRole('link', { name: 'Mijn account' }).waitFor();
      const links = till.getByRole('navigation').getByRole('link');
      expect(await links.allTextContents()).toEqual(['Overzicht', 'Mijn account']);
      await links.first().click();
      await heading(till, 'Open').waitFor();
      await browser.look(till, 'walk-9-shop');
    },
    2 * PATIENCE,
  );

  test(
    'sets a passphrase and locks the node, which serves on',
    async () => {
      await go(owner, 'My account');
      await owner.getByLabel('New passphrase', { exact: true }).fill(PASSPHRASE);
      await owner.getByLabel('The same passphrase again', { exact: true }).fill(PASSPHRASE);
      await owner.getByRole('button', { name: 'Set the passphrase' }).click();
      await owner.getByText('recovery key').waitFor({ timeout: PATIENCE });
      await owner.getByRole('button', { name: 'I have written it down' }).click();
      const pids = ['relay', 'mint', 'redis'].map((id) => node.pid(id));
      await owner.getByRole('button', { name: 'Lock the node' }).click();
      await owner.getByRole('dialog').getByRole('button', { name: 'Lock the node' }).click();
      await heading(owner, 'Closed: the owner must unlock the node').waitFor();
      await heading(till, 'Gesloten: de eigenaar moet de node ontgrendelen').waitFor();
      expect(await node.relayName()).toBe('The corner shop');
      expect(['relay', 'mint', 'redis'].map((id) => node.pid(id))).toEqual(pids);
    },
    2 * PATIENCE,
  );

  test(
    'unlocks it from a phone, in Spanish, and leaves',
    async () => {
      const phone = await browser.visit('phone', 'dark', 'es-ES');
      await phone.goto(api);
      await heading(phone, 'Cerrado: el propietario debe desbloquear el nodo').waitFor();
      await browser.look(phone, 'walk-10-sealed');
      await phone.getByLabel('Frase de paso', { exact: true }).fill(PASSPHRASE);
      await phone.getByRole('button', { name: 'Desbloquear' }).click();
      await heading(phone, 'Iniciar sesión').waitFor({ timeout: PATIENCE });
      // Who was signed in before goes on without another password.
      await heading(till, 'Open').waitFor({ timeout: PATIENCE });
      await heading(owner, 'My account').waitFor({ timeout: PATIENCE });
      await owner.getByRole('button', { name: 'Sign out' }).click();
      await heading(owner, 'Sign in').waitFor();
      await browser.look(owner, 'walk-11-signed-out');
      expect(browser.broken).toEqual([]);
    },
    2 * PATIENCE,
  );
});
