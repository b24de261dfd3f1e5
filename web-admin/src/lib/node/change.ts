// Owns what a change of the node is to a page: it is asked what it would do first, and done after that.
import type { Schemas } from '#lib/api/client.ts';

/** Asks the node for a change; with `dryRun` it only says what it would do. */
export type Change = (dryRun: boolean) => Promise<Schemas['Reply']>;
