// The server's clock, derived from its messages: a browser's own may be wrong by minutes, which would make "on air
// since" wrong.

/** Number of recent messages that are considered: the fastest one gives the best estimate. */
const WINDOW = 32;

export class ServerClock {
  readonly #offsets: number[] = [];

  /** Records that a message created at `serverMs` arrived at `localMs`. */
  observe(serverMs: number, localMs: number): void {
    this.#offsets.push(serverMs - localMs);
    if (this.#offsets.length > WINDOW) this.#offsets.shift();
  }

  /**
   * The server's time now. A message cannot arrive before it was created, so the largest offset is the best estimate.
   */
  now(localMs: number): number {
    return this.#offsets.length === 0 ? localMs : localMs + Math.max(...this.#offsets);
  }
}
