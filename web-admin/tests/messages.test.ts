import { readFileSync, readdirSync } from 'node:fs';
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

/** Codes that no page meets: they come from commands at the machine, or from requests that no page of ours sends. */
const NEVER_IN_A_PAGE =
  /^(store_|folder_|identity_|storage_|vault_(corrupt|not_|slots_)|key_file_|already_running$|not_a_folder$|other_(profile|runtime)$|uids_exhausted$|init_failed$|start_failed$|state_un|password_file_unreadable$|provider_file_missing$|bad_path$|not_json$|method_not_allowed$|host$|origin$|cross_site$|nothing_(named|said)$)/;
/** What the node says names the file and the line, in no language but that of the file. */
const IN_THE_NODES_WORDS = ['bad_manifest'];

/** Finds the codes with which the node refuses, where they are written. */
function codes(): string[] {
  const root = new URL('../../orchestrator/src/', import.meta.url);
  const found = new Set<string>();
  const files = (readdirSync(root, { recursive: true }) as string[]).filter(
    (file) => file.endsWith('.rs') && !/tests|fixture/.test(file),
  );
  const written = [
    /ApiError::new\(\s*StatusCode::\w+,\s*"(\w+)"/g,
    /forbidden\(\s*"(\w+)"/g,
    /Refusal \{\s*code: "(\w+)"/g,
    /fn code\(&self\)[\s\S]*?\n {4}\}/g,
  ];
  for (const file of files) {
    const text = readFileSync(new URL(file, root), 'utf8').split('#[cfg(test)]')[0] ?? '';
    for (const [whole, code] of written.flatMap((one) => [...text.matchAll(one)])) {
      if (code) found.add(code);
      else for (const [, each] of whole.matchAll(/=> "(\w+)"/g)) found.add(each!);
    }
  }
  const refusals = readFileSync(new URL('app/refusal.rs', root), 'utf8');
  for (const [, code] of refusals.matchAll(/\(\s*"(\w+)",/g)) found.add(code!);
  return [...found].sort();
}

test('whatever the node refuses to a page is said in the language of the reader', () => {
  const all = codes();
  expect(all.length).toBeGreaterThan(100);
  for (const known of ['name_taken', 'vault_sealed', 'too_soon', 'disk_full', 'bad_choices']) {
    expect(all).toContain(known);
  }
  const silent = all.filter(
    (code) => !(`error.${code}` in en) && !NEVER_IN_A_PAGE.test(code) && !IN_THE_NODES_WORDS.includes(code),
  );
  expect(silent).toEqual([]);
});
