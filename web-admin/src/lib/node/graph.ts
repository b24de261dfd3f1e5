// Owns the picture of who may reach whom: who stands in which column, and where.
import type { Schemas } from '#lib/api/client.ts';

export type Edge = Schemas['Edge'];
export type Spot = { id: string; column: number; row: number };
export type Line = { from: string; to: string };
export type Graph = { spots: Spot[]; lines: Line[]; columns: number; rows: number };

/** Places everybody right of whoever calls them; who calls in a circle stays where it was met first. */
export function graph(edges: Edge[]): Graph {
  const ways = edges.filter((edge) => edge.way !== 'published');
  const pairs = new Map(ways.map(({ from, to }) => [`${from} ${to}`, { from, to }]));
  const lines = [...pairs.values()];
  const names = [...new Set(lines.flatMap(({ from, to }) => [from, to]))].sort();
  const column = new Map(names.map((name) => [name, 0]));
  // Without a circle nobody stands further right than there are names.
  for (let round = 1; round < names.length; round++) {
    let moved = false;
    for (const { from, to } of lines) {
      const next = (column.get(from) ?? 0) + 1;
      if ((column.get(to) ?? 0) < next && next < names.length) {
        column.set(to, next);
        moved = true;
      }
    }
    if (!moved) break;
  }
  const used = [...new Set(column.values())].sort((a, b) => a - b);
  const filled = new Map<number, number>();
  const spots = names.map((id) => {
    const at = used.indexOf(column.get(id) ?? 0);
    const row = filled.get(at) ?? 0;
    filled.set(at, row + 1);
    return { id, column: at, row };
  });
  return { spots, lines, columns: used.length, rows: Math.max(0, ...filled.values()) };
}
