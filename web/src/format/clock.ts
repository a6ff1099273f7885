// The server's clock, from what its messages say: a browser's own may be wrong by minutes, and "on air since" must not be.

/** Messages that are looked back on: the one that travelled fastest tells best. */
const WINDOW = 32;

export class ServerClock {
  readonly #offsets: number[] = [];

  /** A message that was made at `serverMs` has come at `localMs`. */
  observe(serverMs: number, localMs: number): void {
    this.#offsets.push(serverMs - localMs);
    if (this.#offsets.length > WINDOW) this.#offsets.shift();
  }

  /** What the server's clock shows now. A message cannot arrive before it was made, so the largest offset is nearest. */
  now(localMs: number): number {
    return this.#offsets.length === 0 ? localMs : localMs + Math.max(...this.#offsets);
  }
}
