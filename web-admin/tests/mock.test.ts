// Whatever a page asks of the node is answered by the mock back end too: what it lacks nobody sees in development.
import { readdirSync, readFileSync } from 'node:fs';
import { HttpHandler } from 'msw';
import { expect, test } from 'vitest';
import { handlers } from '#lib/mock/handlers.ts';

const SOURCES = ['routes', 'lib'];
/** What asks nothing by itself. */
const NO_PAGES = /^(mock|api)\//;

/** An operation, whatever its parameters are called: `DELETE /api/v1/tokens/{}`. */
const operation = (method: string, path: string): string =>
  `${method.toUpperCase()} ${path.replace(/^\*/, '').replace(/\{\w+\}|:\w+/g, '{}')}`;

/** Every operation that a page calls, with the file that does. */
function asked(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of SOURCES) {
    const root = new URL(`../src/${folder}/`, import.meta.url);
    const files = (readdirSync(root, { recursive: true }) as string[]).filter(
      (file) => /\.(svelte|ts)$/.test(file) && !NO_PAGES.test(file),
    );
    for (const file of files) {
      const text = readFileSync(new URL(file, root), 'utf8');
      for (const [, method, path] of text.matchAll(/\bapi\s*\.(\w+)\(\s*'([^']+)'/g)) {
        found.set(operation(method!, path!), file);
      }
    }
  }
  return found;
}

test('the mock answers whatever a page asks', () => {
  const known = new Set(
    handlers.flatMap((one) =>
      one instanceof HttpHandler ? [operation(String(one.info.method), String(one.info.path))] : [],
    ),
  );
  const all = asked();
  expect(all.size).toBeGreaterThan(40);
  expect(all.has('DELETE /api/v1/tokens/{}')).toBe(true);
  const missing = [...all].filter(([one]) => !known.has(one)).map(([one, file]) => `${one} (${file})`);
  expect(missing).toEqual([]);
});
