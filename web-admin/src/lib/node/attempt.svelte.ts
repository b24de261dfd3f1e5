// Owns what one thing that a person does on a page can be: not begun, busy, or failed.
import { untrack } from 'svelte';
import { Failure } from '#lib/api/client.ts';
import { confirmation } from './confirm.svelte.ts';
import { here } from './session.svelte.ts';

export class Attempt {
  busy = $state(false);
  failure = $state.raw<Failure>();
  /** A look that came while something else was being done: it is due after that. */
  #due: (() => Promise<void>) | undefined;

  /** Runs `action`, one at a time, asking for the password where the node wants it first. Its failure is kept. */
  async run(action: () => Promise<void>): Promise<void> {
    if (untrack(() => this.busy)) return;
    this.busy = true;
    this.failure = undefined;
    try {
      await confirmation.around(action);
    } catch (error) {
      this.failure = error as Failure;
      here.heed(this.failure);
    } finally {
      this.#end();
    }
  }

  /**
   * Runs `look` by itself, for nobody who asked: what failed before stands, unrepeated, until it succeeds.
   */
  async again(look: () => Promise<void>): Promise<void> {
    if (untrack(() => this.busy)) {
      this.#due = look;
      return;
    }
    this.busy = true;
    try {
      await look();
      this.failure = undefined;
    } catch (error) {
      const failure = error as Failure;
      if (failure.code !== this.failure?.code) this.failure = failure;
      here.heed(failure);
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.busy = false;
    const due = this.#due;
    this.#due = undefined;
    if (due) void this.again(due);
  }
}
