// Owns the one stream of what happens: status and events, or for a cashier the sign of the shop, kept up to date while
// somebody looks.
// After a broken connection it goes on after the newest event that it has.
import { api, answer, type NodeEvent, type NodeStatus, type Shop } from '#lib/api/client.ts';

/** How many events are kept at least; older ones are asked for again. */
const KEPT = 500;
/** How many events the page begins with. */
const TAIL = 200;

/** How long a broken connection rests. Units: milliseconds. */
const PAUSE = 1000;
/** A node that says nothing for so long, not even that it is there, is away. Units: milliseconds. */
const SILENCE = 40_000;

export type Link = 'connecting' | 'live' | 'off';

export class Live {
  status = $state.raw<NodeStatus>();
  /** Newest first. */
  events = $state.raw<NodeEvent[]>([]);
  /** What a cashier is told in place of both. */
  shop = $state.raw<Shop>();
  gap = $state(false);
  link = $state<Link>('connecting');
  /** When the node was last heard of. Units: milliseconds since the Unix epoch. */
  heardAt = $state<number>();
  /** How many events are kept; more where somebody read backwards. */
  #kept = KEPT;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #source: EventSource | undefined;
  #ended: () => void;

  /** `ended` is called when the node ended the stream: the session may be over, or the vault sealed. */
  constructor(ended: () => void) {
    this.#ended = ended;
  }

  open(): void {
    this.close();
    this.link = 'connecting';
    const newest = this.events[0]?.cursor;
    const from = newest === undefined ? `tail=${TAIL}` : `after=${newest}`;
    const source = new EventSource(`/api/v1/events?${from}`);
    this.#source = source;
    source.addEventListener('open', () => this.#heard());
    source.addEventListener('status', (message: MessageEvent<string>) => {
      this.status = JSON.parse(message.data) as NodeStatus;
      this.#heard();
    });
    source.addEventListener('event', (message: MessageEvent<string>) => {
      this.take(JSON.parse(message.data) as NodeEvent);
      this.#heard();
    });
    source.addEventListener('shop', (message: MessageEvent<string>) => {
      this.shop = JSON.parse(message.data) as Shop;
      this.#heard();
    });
    source.addEventListener('alive', () => this.#heard());
    source.addEventListener('gap', () => (this.gap = true));
    // Two things arrive here: the node's own last words, which carry data, and a broken connection, which does not.
    source.addEventListener('error', () => this.#lose());
    this.#listen();
  }

  close(): void {
    clearTimeout(this.#pause);
    clearTimeout(this.#watch);
    this.#source?.close();
    this.#source = undefined;
  }

  /** Closes it, and forgets what somebody else was told. */
  forget(): void {
    this.close();
    [this.status, this.events, this.shop, this.gap] = [undefined, [], undefined, false];
    this.#kept = KEPT;
  }

  /** Takes an event once, however often it is sent. */
  take(event: NodeEvent): void {
    if (this.events.some((known) => known.cursor === event.cursor)) return;
    this.events = [event, ...this.events].sort((a, b) => b.cursor - a.cursor).slice(0, this.#kept);
  }

  /** Reads events that are older than all that it has. Returns whether there may be more. */
  async older(): Promise<boolean> {
    const before = this.events.at(-1)?.cursor ?? 0;
    const query = { before, tail: TAIL, follow: false };
    const text = await answer(api.get('/api/v1/events', { params: { query }, parseAs: 'text' }));
    const found = [...String(text).matchAll(/^event: event\n(?:id: .*\n)?data: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data!) as NodeEvent,
    );
    this.#kept += found.length;
    this.events = [...this.events, ...found].sort((a, b) => b.cursor - a.cursor);
    return found.length === TAIL;
  }

  #heard(): void {
    this.link = 'live';
    this.heardAt = Date.now();
    this.#listen();
  }

  /** Waits for the next word: a line that was cut without a word stays open for minutes. */
  #listen(): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lose(), SILENCE);
  }

  #lose(): void {
    this.close();
    this.link = 'off';
    // Whether a refusal or a broken line is behind it, whoever owns the session finds out.
    this.#pause = setTimeout(this.#ended, PAUSE);
  }
}
