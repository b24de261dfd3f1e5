// Owns the question for the password before what matters: an action that the node refuses with `confirm_needed`
// is tried again once the password was shown.
import { Failure } from '#lib/api/client.ts';

class Confirmation {
  /** Whether the password is being asked for. */
  asked = $state(false);
  #decide: ((shown: boolean) => void) | undefined;

  /** Runs `action`; where the password is needed first, asks for it and runs it again. Nothing where it was not shown. */
  async around<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'confirm_needed') throw error;
    }
    const shown = await new Promise<boolean>((decide) => {
      this.#decide = decide;
      this.asked = true;
    });
    return shown ? action() : undefined;
  }

  /** Closes the question. */
  end(shown: boolean): void {
    this.asked = false;
    this.#decide?.(shown);
    this.#decide = undefined;
  }
}

export const confirmation = new Confirmation();
