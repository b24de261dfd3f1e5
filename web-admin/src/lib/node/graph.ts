// Owns the picture of who may reach whom: who stands in which column and row, and past whom each line goes.
import type { Schemas } from '#lib/api/client.ts';

export type Edge = Schemas['Edge'];
export type Place = { column: number; row: number };
export type Spot = Place & { id: string };
/** A line from one to the other; `past` are the places that it crosses in the columns between, kept free for it. */
export type Line = { from: string; to: string; past: Place[] };
export type Graph = { spots: Spot[]; lines: Line[]; columns: number[] };

/** The column of everybody: right of whoever calls them. Who calls in a circle stays where it was met first. */
function columnsOf(names: string[], pairs: { from: string; to: string }[]): Map<string, number> {
  const column = new Map(names.map((name) => [name, 0]));
  const of = (name: string): number => column.get(name) ?? 0;
  // Without a circle nobody stands further right than there are names.
  for (let round = 1; round < names.length; round++) {
    for (const { from, to } of pairs) {
      if (of(to) <= of(from) && of(from) + 1 < names.length) column.set(to, of(from) + 1);
    }
  }
  const used = [...new Set(column.values())].sort((a, b) => a - b);
  return new Map(names.map((name) => [name, used.indexOf(of(name))]));
}

/** Places everybody, and keeps a row free wherever a line passes a column. */
export function graph(edges: Edge[]): Graph {
  const ways = edges.filter((edge) => edge.way !== 'published');
  const pairs = [...new Map(ways.map(({ from, to }) => [`${from} ${to}`, { from, to }])).values()];
  const names = [...new Set(pairs.flatMap(({ from, to }) => [from, to]))].sort();
  const column = columnsOf(names, pairs);
  const of = (name: string): number => column.get(name) ?? 0;

  // What stands in each column, by a key, and what it hangs on in the column before.
  const rows: string[][] = Array.from({ length: Math.max(-1, ...column.values()) + 1 }, () => []);
  const before = new Map<string, string[]>();
  const hang = (key: string, on: string): Map<string, string[]> =>
    before.set(key, [...(before.get(key) ?? []), on]);
  for (const name of names) rows[of(name)]?.push(name);
  for (const { from, to } of pairs) {
    let last = from;
    for (let at = of(from) + 1; at < of(to); at++) {
      const key = `${from} ${to} ${at}`;
      rows[at]?.push(key);
      hang(key, last);
      last = key;
    }
    hang(to, last);
  }

  // Whoever hangs on the same ones stands beside each other, so that lines cross little.
  const row = new Map<string, number>();
  for (const keys of rows) {
    const height = (key: string): number => {
      const on = (before.get(key) ?? []).flatMap((one) => row.get(one) ?? []);
      return on.length ? on.reduce((sum, one) => sum + one, 0) / on.length : 0;
    };
    const heights = new Map(keys.map((key) => [key, height(key)]));
    keys.sort((a, b) => (heights.get(a) ?? 0) - (heights.get(b) ?? 0) || (a < b ? -1 : 1));
    keys.forEach((key, index) => row.set(key, index));
  }
  const rowOf = (key: string): number => row.get(key) ?? 0;
  return {
    spots: names.map((id) => ({ id, column: of(id), row: rowOf(id) })),
    lines: pairs.map(({ from, to }) => ({
      from,
      to,
      past: Array.from({ length: Math.max(0, of(to) - of(from) - 1) }, (_, index) => {
        const at = of(from) + 1 + index;
        return { column: at, row: rowOf(`${from} ${to} ${at}`) };
      }),
    })),
    columns: rows.map((keys) => keys.length),
  };
}
