/** The fewest characters of a password that the node accepts. Source: orchestrator/src/account/password.rs. */
export const SHORTEST = 10;

/** Says whether the node would take `password` by its length, counted as the node counts: by characters. */
export function longEnough(password: string): boolean {
  return [...password].length >= SHORTEST;
}
