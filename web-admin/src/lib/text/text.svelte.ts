// Owns what the pages say: messages in the language of the reader, times and the words for failures.
import { IntlMessageFormat } from 'intl-messageformat';
import en from '../../../messages/en.json';
import type { Failure } from '#lib/api/client.ts';

export type Key = keyof typeof en;
export type Values = Record<string, string | number>;

/** What each language calls itself. */
export const languages = { en: 'English', nl: 'Nederlands', es: 'Español' } as const;
export type Language = keyof typeof languages;

const load: Record<Language, () => Promise<Record<string, string>>> = {
  en: async () => en,
  nl: async () => (await import('../../../messages/nl.json')).default,
  es: async () => (await import('../../../messages/es.json')).default,
};

const KEPT = 'flash-node.language';

class Words {
  language = $state<Language>('en');
  #messages = $state.raw<Record<string, string>>(en);
  #formats = new Map<string, IntlMessageFormat>();

  /** Speaks `language` from now on; what is not known is answered by English. */
  async speak(language: string | undefined): Promise<void> {
    const known: Language = language !== undefined && language in languages ? (language as Language) : 'en';
    const messages = await load[known]();
    this.#formats.clear();
    this.#messages = messages;
    this.language = known;
    document.documentElement.lang = known;
    localStorage.setItem(KEPT, known);
  }

  /** Returns what is said for `key`. */
  say(key: Key, values: Values = {}): string {
    const message = this.#messages[key] ?? en[key];
    let format = this.#formats.get(message);
    if (!format) {
      format = new IntlMessageFormat(message, this.language, undefined, { ignoreTag: true });
      this.#formats.set(message, format);
    }
    return String(format.format(values));
  }

  /** Says whether `key` has a message. */
  knows(key: string): key is Key {
    return key in en;
  }

  /** Says whether `key` has a message that says in English what the node says: then ours may stand in its place. */
  translates(key: string, english: string): key is Key {
    return this.knows(key) && en[key] === english;
  }
}

export const words = new Words();

/** Returns what is said for `key`, in the reader's language. */
export const t = (key: Key, values?: Values): string => words.say(key, values);

/** Chooses the language of somebody not yet known: the one kept on this device, or else the browser's. */
export function guessLanguage(): string {
  const kept = localStorage.getItem(KEPT);
  return kept ?? navigator.languages.map((one) => one.slice(0, 2)).find((one) => one in languages) ?? 'en';
}

/** Writes a time as people read it. Units: milliseconds since the Unix epoch. */
export function when(at: number): string {
  return new Intl.DateTimeFormat(words.language, { dateStyle: 'medium', timeStyle: 'short' }).format(at);
}

/** Writes several names as one list of people's language. */
export function listed(names: string[]): string {
  return new Intl.ListFormat(words.language).format(names);
}

/** Writes a day as people read it. Shape: `YYYY-MM-DD`, of no time zone. */
export function day(date: string): string {
  return new Intl.DateTimeFormat(words.language, { dateStyle: 'long', timeZone: 'UTC' }).format(
    new Date(date),
  );
}

/** Further ahead than this only the day is told. Units: milliseconds. */
const BY_DAY = 36 * 3_600_000;

/** Writes a moment ahead as precisely as it is foretold. Units: milliseconds since the Unix epoch. */
export function about(at: number, now: number): string {
  return new Intl.DateTimeFormat(
    words.language,
    at - now > BY_DAY
      ? { weekday: 'long', day: 'numeric', month: 'long' }
      : { weekday: 'long', day: 'numeric', month: 'long', hour: 'numeric', minute: '2-digit' },
  ).format(at);
}

/** Writes a share of a whole, from 0 to 1, as people read it. */
export function percent(share: number): string {
  return new Intl.NumberFormat(words.language, { style: 'percent', maximumFractionDigits: 1 }).format(share);
}

/** Writes a size as people read it. Units: bytes. */
export function size(bytes: number): string {
  const steps = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
  const step = Math.min(steps.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return new Intl.NumberFormat(words.language, {
    style: 'unit',
    unit: steps[step],
    maximumSignificantDigits: 3,
  }).format(bytes / 1000 ** step);
}

/** Failures of which the node's own words tell more than ours: which value, which port, which file. */
const TOLD_IN_FULL = [
  'bad_choices',
  'bad_value',
  'changed_meanwhile',
  'data_not_moved',
  'database',
  'image_failed',
  'no_addresses',
  'port_taken',
  'registry_unreachable',
  'secret_missing',
  'unsafe_version',
];

/**
 * Says what failed in the reader's language where the code has a message, and in the node's words where not; `more` is
 * what the node says beyond the message.
 */
export function explain(error: Failure): { what: string; next: string; more: string } {
  const key = `error.${error.code}`;
  if (!words.knows(key)) return { what: error.message, next: error.hint, more: '' };
  const next = `${key}.hint`;
  return {
    what: t(key, { seconds: error.wait ?? 0 }),
    next: words.knows(next) ? t(next) : '',
    more: TOLD_IN_FULL.includes(error.code) ? error.message : '',
  };
}
