// Owns what is typed into the form of the settings: what differs from the node, and what the node would refuse.
import type { Schemas } from '#lib/api/client.ts';

export type Setting = Schemas['Setting'];

/** One setting with another value than the node has. */
export type Difference = { service: string; setting: string; before: string; after: string };

/** The values that were typed, by service and setting. */
export type Drafts = Record<string, Record<string, string>>;

/** Writes a value as the form shows it and the node reads it. */
export const shown = (value: Setting['value']): string => String(value);

/** The name of a setting for people: `max_events` becomes `Max events`. */
export function label(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What `drafts` change, in the order of the form. */
export function differences(services: Schemas['ServiceSettings'][], drafts: Drafts): Difference[] {
  return services.flatMap(({ id, settings }) =>
    settings.flatMap((setting) => {
      const [before, after] = [shown(setting.value), drafts[id]?.[setting.name]];
      if (after === undefined || after.trim() === before) return [];
      return [{ service: id, setting: setting.name, before, after: after.trim() }];
    }),
  );
}

/** Why the node would refuse `text`, if it would. */
export function refused(setting: Setting, text: string): 'number' | 'range' | 'long' | undefined {
  const typed = text.trim();
  if (setting.type === 'integer') {
    if (!/^-?\d+$/.test(typed)) return 'number';
    const number = Number(typed);
    return number < (setting.min ?? number) || number > (setting.max ?? number) ? 'range' : undefined;
  }
  const longest = setting.max_length;
  return setting.type === 'text' && longest != null && [...typed].length > longest ? 'long' : undefined;
}
