// Owns who looks: how far the node is, who is signed in, and the stream while somebody may read it.
import { api, answer, Failure, type Account, type SessionView } from '#lib/api/client.ts';
import { guessLanguage, words } from '#lib/text/text.svelte.ts';
import { Live } from './live.svelte.ts';

/** How often a page that waits for the node looks again. Units: milliseconds. */
const LOOK_AGAIN = 3000;

class Here {
  view = $state.raw<SessionView>();
  failure = $state.raw<Failure>();
  readonly live = new Live(() => void this.look());
  /** The node's process that was stopped from this page. */
  #stopped = $state<number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Whether the node was stopped from this page; over once it was started again. */
  get stopped(): boolean {
    return this.#stopped !== undefined && this.#stopped === this.live.status?.pid;
  }

  /** Stops the node, and says from then on why it is away. */
  async stop(): Promise<void> {
    await answer(api.post('/api/v1/down'));
    this.#stopped = this.live.status?.pid;
  }

  /** What a service is called; its id where it is not known any more. */
  title(id: string): string {
    return this.live.status?.services.find((one) => one.id === id)?.title ?? id;
  }

  get account(): Account | undefined {
    return this.view?.account ?? undefined;
  }

  /** Whether the role allows to read what the node does. */
  get reads(): boolean {
    return this.account !== undefined && this.account.role !== 'cashier';
  }

  get owns(): boolean {
    return this.account?.role === 'owner';
  }

  get runs(): boolean {
    return this.owns || this.account?.role === 'manager';
  }

  /** Asks the node how far it is, and goes on looking where that may change without us. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      await this.#take(await answer(api.get('/api/v1/session')));
      // Inside a container each process may have the same number.
      if (this.failure) this.#stopped = undefined;
      this.failure = undefined;
    } catch (error) {
      this.failure = error as Failure;
    }
    const waits = this.failure !== undefined || this.live.link === 'off' || this.view?.stage !== 'signed_in';
    if (waits) this.#timer = setTimeout(() => void this.look(), LOOK_AGAIN);
  }

  /** Looks again where `failure` says that somebody is not signed in any more, or that the node is locked. */
  heed(failure: Failure): void {
    if (failure.code === 'signed_out' || failure.code === 'vault_sealed') void this.look();
  }

  /** Takes what signing in answered. */
  async enter(view: SessionView): Promise<void> {
    await this.#take(view);
  }

  async leave(): Promise<void> {
    try {
      await answer(api.delete('/api/v1/session'));
    } catch (error) {
      // An answer that was lost is asked for again, and then nobody is signed in any more.
      if ((error as Failure).code !== 'signed_out') throw error;
    }
    await this.look();
  }

  async #take(view: SessionView): Promise<void> {
    const before = this.view?.account;
    const language = view.account?.language ?? guessLanguage();
    if (language !== words.language) await words.speak(language);
    this.view = view;
    // Whoever has another role by now is told other things.
    const another = before?.id !== view.account?.id || before?.role !== view.account?.role;
    if (another || view.stage !== 'signed_in') this.live.forget();
    if (view.stage === 'signed_in' && (another || this.live.link === 'off')) this.live.open();
  }
}

export const here = new Here();
