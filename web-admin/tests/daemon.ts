// Owns a demo node of the real program in a folder of its own, for tests that need no mock.
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';

const run = promisify(execFile);
export const PROGRAM = resolve(process.env.FLASH_NODE ?? '../target/debug/flash-node');
/** How long something of the node may take. Units: milliseconds. */
export const PATIENCE = 60_000;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

export type Status = {
  api: string;
  services: { id: string; endpoints: { name: string; url: string }[] }[];
};

export class Daemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'flash-demo-'));
  readonly data = join(this.folder, 'data');
  #daemon: ChildProcess | undefined;

  constructor() {
    // Services run with identities of their own where the node is root: they must reach the folder.
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.data, 'manifests'), { recursive: true });
  }

  /** Starts it by these choices, and returns where its API is. */
  async start(choices: string, ...words: string[]): Promise<string> {
    writeFileSync(join(this.data, 'node.toml'), choices);
    const path = `${dirname(PROGRAM)}:${process.env.PATH ?? ''}`;
    const up = ['--data', this.data, 'up', '--background-daemon', '--profile', 'demo', ...words];
    this.#daemon = spawn(PROGRAM, up, { env: { ...process.env, PATH: path }, stdio: 'ignore' });
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

  status(): Status | undefined {
    try {
      return JSON.parse(this.cli('status', '--json')) as Status;
    } catch {
      return undefined;
    }
  }

  /** The code with which the first owner begins. */
  setUpCode(): string {
    return this.cli('setup-code').match(/\b[A-Z0-9]{4}(-[A-Z0-9]{4})+\b/)?.[0] ?? '';
  }

  async down(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon) {
      const gone = new Promise((done) => daemon.once('exit', done));
      // While this waits, the daemon that ended must be buried: not a call that blocks.
      await run(PROGRAM, ['--data', this.data, 'down']);
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
