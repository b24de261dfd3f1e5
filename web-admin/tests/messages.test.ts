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
    /(?:ApiError|Self)::new\(\s*StatusCode::\w+,\s*"(\w+)"/g,
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

/** The Rust source of the node without its tests, by file. */
function sources(): Map<string, string> {
  const root = new URL('../../orchestrator/src/', import.meta.url);
  const files = (readdirSync(root, { recursive: true }) as string[]).filter(
    (file) => file.endsWith('.rs') && !/tests|fixture/.test(file),
  );
  const read = (file: string): string => readFileSync(new URL(file, root), 'utf8');
  return new Map(files.map((file) => [file, read(file).split(/#\[cfg\(test\)\]\s*mod \w+ \{/)[0] ?? '']));
}

/** What the expressions catch in a text. */
const caught = (text: string, ...written: RegExp[]): string[] =>
  written.flatMap((one) => [...text.matchAll(one)].map(([, code]) => code ?? ''));

/** What keeps a start from being tried at all, or the node from acting: it stands in the status, not in the events. */
const NO_EVENT = /^(disk_silent|storage_missing|port_taken|volume_empty)$/;

/** Where each way in says how it is. An event has the name of the way before that. */
const WAYS = {
  'app/ways.rs': 'machine',
  'app/ways/lan.rs': 'lan',
  'app/ways/public.rs': 'public',
  'app/ways/acme.rs': 'public',
  'app/ways/onion.rs': 'onion',
} as const;

/** Finds the codes of events, where they are written: an obstacle to a step is told with its own. */
function events(): string[] {
  const found = new Set<string>();
  for (const [file, text] of sources()) {
    const codes = caught(
      text,
      /append_event\(\s*(?:None|Some\([^"]*?\)),\s*"(\w+)"/g,
      /self\.(?:note|tell)\(\s*(?:&\S+,\s*)?"(\w+)"/g,
      /Some\(\("(\w+)", "/g,
      /let event = \("(\w+)"/g,
      /Found \{[^}]*?code: "(\w+)"/g,
      /Obstacle \{\s*code: "(\w+)"/g,
    );
    for (const [called] of text.matchAll(/^(?:pub\S* )?(?:async )?fn (?:outcome|prove)\([\s\S]*?^}/gm)) {
      codes.push(...caught(called, /"(rotat\w+)"/g));
    }
    for (const [called] of text.matchAll(/^fn (?:refused|no_secret|materialise_code)\([\s\S]*?^}/gm)) {
      codes.push(...caught(called, /=> \(?"(\w+)"/g));
    }
    if (file === 'runtime/docker/images.rs') {
      const [own = ''] = text.match(/fn code\(&self\)[\s\S]*?\n {4}\}/) ?? [];
      codes.push(...caught(own, /=> "(\w+)"/g));
    }
    const way = WAYS[file as keyof typeof WAYS];
    if (way) {
      const own = caught(text, /(?<!EntranceKind::\w+ => )"([a-z_]+)",/g, /Self::\w+ => "(\w+)"/g);
      codes.push(...own.map((code) => `${way}_${code}`));
    }
    for (const code of codes) if (!NO_EVENT.test(code)) found.add(code);
  }
  return [...found].sort();
}

test('whatever the node tells as an event is said in the language of the reader', () => {
  const all = events();
  expect(all.length).toBeGreaterThan(75);
  for (const known of [
    'started',
    'failed',
    'rotated',
    'copy_renewed',
    'pull_stalled',
    'lan_open',
    'sealed',
  ]) {
    expect(all).toContain(known);
  }
  expect(all.filter((code) => !(`event.${code}` in en))).toEqual([]);
  // What is about a service names it.
  const ofAll = all.filter((code) => !en[`event.${code}`]?.includes('{service}'));
  const ofNode =
    /^(machine|lan|public|onion)_|^(accepted|advisories_imported|down|key_file_added|passphrase_changed|sealed|unlocked|unlock_refused)$/;
  expect(ofAll.filter((code) => !ofNode.test(code))).toEqual([]);
  // What is said of nothing that the node tells is a word too many.
  const told = Object.keys(en).filter((key) => key.startsWith('event.') && !key.endsWith('.service'));
  expect(told.filter((key) => !all.includes(key.slice('event.'.length)))).toEqual([]);
});

/** Finds what may be in the way of a service's start, where it is written. */
function obstacles(): string[] {
  const all = sources();
  const text = (file: string): string => all.get(file) ?? '';
  const own = /fn own_cause[\s\S]*?\nfn elsewhere/.exec(text('service/resolve/held.rs'))?.[0] ?? '';
  const missing = /fn missing_secret[\s\S]*?\n {4}\}/.exec(text('app/services/secrets.rs'))?.[0] ?? '';
  const found = [
    ...caught(text('app/obstacles.rs'), /code: "(\w+)"/g, /=> \("(\w+)", text\)/g),
    ...caught(text('reconcile/guard.rs'), /code: "(\w+)"/g),
    ...caught(missing, /code: "(\w+)"/g),
    ...caught(own, /\(\s*"(\w+)",/g),
  ];
  // The first is tried again by itself; the second is so on purpose.
  return [...new Set(found)].filter((code) => !/^(init_failed|not_on_this_network)$/.test(code)).sort();
}

test('what to do about whatever is in the way of a service is said in the language of the reader', () => {
  const all = obstacles();
  expect(all).toEqual([
    'check_failed',
    'disk_full',
    'disk_silent',
    'no_image',
    'not_installed',
    'port_taken',
    'secret_missing',
    'storage_missing',
    'unsafe_version',
    'volume_empty',
  ]);
  const said = Object.keys(en).filter((key) => key.startsWith('obstacle.'));
  expect(said.sort()).toEqual(all.map((code) => `obstacle.${code}`));
});

/** Finds the actions of the audit log, where they are written. */
function actions(): string[] {
  const found = new Set<string>();
  for (const [file, text] of sources()) {
    const codes = caught(
      text,
      /note_in_tx\(\s*tx,\s*&?opened,\s*\([^"]*?(?:"nobody", |"machine", )?"(\w+)"/g,
    );
    if (file.startsWith('http/')) codes.push(...caught(text, /let act = \("(\w+)"/g));
    const [act = ''] = text.match(/^fn act\([\s\S]*?^}/m) ?? [];
    if (file === 'http/control.rs') codes.push(...caught(act, /\(\s*"(\w+)",\s/g));
    for (const code of codes) found.add(code);
  }
  return [...found].sort();
}

test('whatever stands in the audit log is said in the language of the reader', () => {
  const all = actions();
  expect(all.length).toBeGreaterThan(30);
  for (const known of [
    'signed_in',
    'sign_in_refused',
    'set',
    'purge',
    'unlock',
    'key_file',
    'passkey_refused',
  ]) {
    expect(all).toContain(known);
  }
  expect(all.filter((action) => !(`audit.${action}` in en))).toEqual([]);
  // Whose name is in no message would not be seen; a refusal has nobody's.
  const said = all.filter((action) => !en[`audit.${action}`]?.includes('{actor}'));
  expect(said).toEqual(['passkey_refused', 'sign_in_refused']);
});

/** Finds the settings of the manifests that come with the node: each with its help. */
function settings(): Map<string, string> {
  const found = new Map<string, string>();
  const root = new URL('../../manifests/services/', import.meta.url);
  for (const file of readdirSync(root).filter((one) => one.endsWith('.toml'))) {
    let name: string | undefined;
    for (const line of readFileSync(new URL(file, root), 'utf8').split('\n')) {
      if (line.startsWith('[')) name = line.match(/^\[settings\.(\w+)\]$/)?.[1];
      const help = name && line.match(/^help = "(.*)"$/)?.[1];
      if (help) found.set(`${file.slice(0, -'.toml'.length)}.${name}`, help);
    }
  }
  return found;
}

test('every setting of a bundled manifest has a name and a help in the language of the reader', () => {
  const all = settings();
  expect(all.size).toBeGreaterThan(30);
  expect(all.get('lnd.alias')).toBe('The name that other Lightning nodes see.');
  for (const [setting, help] of all) {
    expect(en[`setting.${setting}`], setting).toBe(help);
    expect(en, setting).toHaveProperty([`setting.${setting}.label`]);
  }
  const said = Object.keys(en).filter((key) => key.startsWith('setting.') && !key.endsWith('.label'));
  expect(said.filter((key) => !all.has(key.slice('setting.'.length)))).toEqual([]);
});
