// What a browser fetches before the first page stands: every file that the built page names, and what those import.
import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const BUILD = new URL('../build/', import.meta.url);
/** Units: bytes, compressed. */
const MOST = 150_000;
/** Each file more is one more to wait for. */
const MOST_FILES = 14;

/** Adds a file and what it imports at once to `sizes`; what is imported later is fetched later. */
function take(sizes: Map<string, number>, path: string): void {
  if (sizes.has(path)) return;
  const content = readFileSync(new URL(path, BUILD));
  sizes.set(path, gzipSync(content).length);
  if (!path.endsWith('.js')) return;
  for (const [, name] of content.toString().matchAll(/(?:from|import)\s*"([^"]+\.js)"/g)) {
    take(sizes, new URL(name ?? '', new URL(path, 'http://x/')).pathname.slice(1));
  }
}

const sum = (sizes: Map<string, number>): number => [...sizes.values()].reduce((all, one) => all + one, 0);

function fetched(): Map<string, number> {
  const sizes = new Map<string, number>();
  const page = readFileSync(new URL('index.html', BUILD), 'utf8');
  sizes.set('index.html', gzipSync(page).length);
  for (const [, path] of page.matchAll(/["']\/([^"']+\.(?:js|css|svg))["']/g)) take(sizes, path ?? '');
  // The entry names the pages' files in a list; the first page needs the layout's and its own.
  const app = [...sizes.keys()].find((path) => path.includes('/entry/app.'));
  const nodes = readFileSync(new URL(app ?? 'missing', BUILD), 'utf8').matchAll(/nodes\/([02])\.[\w-]+\.js/g);
  for (const [name] of nodes) take(sizes, `_app/immutable/${name}`);
  return sizes;
}

test('the first load is small', () => {
  expect(existsSync(BUILD), 'run `npm run build` first').toBe(true);
  const sizes = fetched();
  expect([...sizes.keys()].some((path) => path.includes('/nodes/0.'))).toBe(true);
  console.log(`first load: ${sizes.size} files, ${sum(sizes)} bytes compressed`);
  expect(sum(sizes)).toBeGreaterThan(20_000);
  expect(sum(sizes)).toBeLessThan(MOST);
  expect(sizes.size).toBeLessThanOrEqual(MOST_FILES);
});

test('which version this is stands before any of it runs', () => {
  const first = new Map<string, number>();
  take(first, [...fetched().keys()].find((path) => path.includes('/entry/start.')) ?? 'missing');
  // SvelteKit's own few lines: with the rest among them, an address that is no page is opened again and again.
  expect(sum(first)).toBeLessThan(3_000);
});

test('the page lets nothing run or load that is not its own', () => {
  const page = readFileSync(new URL('index.html', BUILD), 'utf8');
  const policy = page.match(/http-equiv="content-security-policy" content="([^"]+)"/i)?.[1] ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe-(?!hashes)/);
  expect(policy).not.toMatch(/https?:|\*/);
  expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
});
