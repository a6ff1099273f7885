import { beforeEach, describe, expect, it } from "vitest";
import { credentials, keepToken, token } from "./token.ts";

/** A Storage as in browsers, for tests without a browser. */
class Memory implements Storage {
  readonly #items = new Map<string, string>();
  get length() {
    return this.#items.size;
  }
  clear = () => this.#items.clear();
  getItem = (key: string) => this.#items.get(key) ?? null;
  key = (index: number) => [...this.#items.keys()][index] ?? null;
  removeItem = (key: string) => void this.#items.delete(key);
  setItem = (key: string, value: string) => void this.#items.set(key, value);
}

describe("the token", () => {
  let store: Storage;
  beforeEach(() => {
    store = new Memory();
  });

  it("goes out as a bearer, without the blanks it was pasted with", () => {
    keepToken("  ob_secret\n", store);
    expect(credentials(store)).toEqual({ Authorization: "Bearer ob_secret" });
  });

  it("is not sent when there is none", () => {
    expect(credentials(store)).toEqual({});
  });

  it("is forgotten when an empty one is given", () => {
    keepToken("ob_secret", store);
    keepToken(" ", store);
    expect(token(store)).toBe("");
    expect(store.length).toBe(0);
  });
});
