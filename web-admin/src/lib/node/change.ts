// Owns what a change of the node is to a page: it is asked what it would do first, and done after that.
import type { Schemas } from '#lib/api/client.ts';

/**
 * Asks the node for a change; with `dryRun` it only says what it would do. Where the node named the plan that was read,
 * `plan` is that name: what is done is what was read.
 */
export type Change = (dryRun: boolean, plan?: string) => Promise<Schemas['Reply']>;
