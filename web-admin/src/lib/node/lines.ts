/** Cuts a stream of text into lines: what has no end yet is kept for the next piece. */
export class Lines {
  #rest = '';

  take(piece: string): string[] {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }

  /** What is left when the stream has ended. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest ? [rest] : [];
  }
}
