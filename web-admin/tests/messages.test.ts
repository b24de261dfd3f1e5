import { readFileSync } from 'node:fs';
import { IntlMessageFormat } from 'intl-messageformat';
import { expect, test } from 'vitest';

type Messages = Record<string, string>;
const read = (language: string): Messages =>
  JSON.parse(readFileSync(new URL(`../messages/${language}.json`, import.meta.url), 'utf8')) as Messages;
const en = read('en');
const others = ['nl', 'es'] as const;

/** Words of the trade that an owner or a cashier should never have to know. */
const FORBIDDEN = ['rail', 'edge', 'macaroon', 'reconcile', 'intent', 'grant', 'msat', 'degraded', 'profile'];

/** The names that a message takes, sorted. */
function names(message: string): string[] {
  const found = new Set<string>();
  type Element = { value?: unknown; options?: Record<string, { value: Element[] }>; type: number };
  const walk = (elements: Element[]): void => {
    for (const element of elements) {
      if (element.type !== 0 && typeof element.value === 'string') found.add(element.value);
      for (const option of Object.values(element.options ?? {})) walk(option.value);
    }
  };
  walk(new IntlMessageFormat(message, 'en', undefined, { ignoreTag: true }).getAst() as Element[]);
  return [...found].sort();
}

/** The commands that a message shows: nobody translates them. */
const commands = (message: string): string[] => message.match(/<c>.*?<\/c>/g) ?? [];

test.each(others)('%s says everything that English says, and nothing else', (language) => {
  expect(Object.keys(read(language)).sort()).toEqual(Object.keys(en).sort());
});

test.each(others)('%s takes the same values and shows the same commands', (language) => {
  for (const [key, message] of Object.entries(read(language))) {
    expect(names(message), key).toEqual(names(en[key] ?? ''));
    expect(commands(message), key).toEqual(commands(en[key] ?? ''));
  }
});

test('no message is empty', () => {
  for (const language of ['en', ...others]) {
    for (const [key, message] of Object.entries(read(language))) expect(message.trim(), key).not.toBe('');
  }
});

test('owners and cashiers read plain words', () => {
  const word = new RegExp(`\\b(${FORBIDDEN.join('|')})s?\\b`, 'i');
  expect('The edge of a rail').toMatch(word);
  for (const language of ['en', ...others]) {
    for (const [key, message] of Object.entries(read(language)))
      expect(message, `${language} ${key}`).not.toMatch(word);
  }
});
