// How far down each step of the browser's history was scrolled, by a key of the step. Pure: the browser is elsewhere.

/** Nobody goes back further; the oldest are let go. */
const MOST = 50;

export class Places {
  readonly #down = new Map<string, number>();

  /** What `text` gave; anything else is nothing. */
  static from(text: string | null): Places {
    const places = new Places();
    let parts: unknown;
    try {
      parts = JSON.parse(text ?? "[]");
    } catch {
      return places;
    }
    for (const part of Array.isArray(parts) ? parts : []) {
      const [key, down] = Array.isArray(part) ? part : [];
      if (typeof key === "string" && typeof down === "number") places.keep(key, down);
    }
    return places;
  }

  keep(key: string, down: number): void {
    this.#down.delete(key);
    this.#down.set(key, down);
    for (const oldest of this.#down.keys()) {
      if (this.#down.size <= MOST) break;
      this.#down.delete(oldest);
    }
  }

  of(key: string | null): number | undefined {
    return key === null ? undefined : this.#down.get(key);
  }

  /** To be kept over a reload. */
  get text(): string {
    return JSON.stringify([...this.#down]);
  }
}

/** The key in a step's state, where it is one of ours. */
export function keyOf(state: unknown): string | null {
  const key = typeof state === "object" && state !== null ? (state as { key?: unknown }).key : undefined;
  return typeof key === "string" ? key : null;
}
