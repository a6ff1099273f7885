// The scroll position of each entry of the browser's history, by a key of the entry. Pure; the browser is accessed
// elsewhere.

/** Nobody goes back further; the oldest entries are dropped. */
const MOST = 50;

export class Places {
  readonly #down = new Map<string, number>();

  /** Parses the value of `text`; anything else is empty. */
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

  /** A text to keep over a reload. */
  get text(): string {
    return JSON.stringify([...this.#down]);
  }
}

/** The key in an entry's state, if it is one of ours. */
export function keyOf(state: unknown): string | null {
  const key = typeof state === "object" && state !== null ? (state as { key?: unknown }).key : undefined;
  return typeof key === "string" ? key : null;
}
