// The last lines up to a maximum number, so that memory stays flat however long the page is open. Each line has a
// number that only rises, so that a view can stay on a range while new lines are added.

export class Ring<T> {
  readonly #items: (T | undefined)[];
  #end = 0;
  #start = 0;

  constructor(capacity: number) {
    this.#items = new Array(capacity);
  }

  /** Number of the oldest stored line. */
  get start(): number {
    return this.#start;
  }

  /** Number of the next line. */
  get end(): number {
    return this.#end;
  }

  /** Number of stored lines. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Adds lines; the oldest are removed. */
  append(lines: readonly T[]): void {
    const capacity = this.#items.length;
    for (const line of lines) {
      this.#items[this.#end % capacity] = line;
      this.#end += 1;
    }
    this.#start = Math.max(this.#start, this.#end - capacity);
  }

  /** The line with this number, if it is still stored. */
  at(number: number): T | undefined {
    return number >= this.#start && number < this.#end ? this.#items[number % this.#items.length] : undefined;
  }

  /** The stored lines of a range, oldest first. */
  range(from: number, to: number): T[] {
    const lines: T[] = [];
    for (let number = Math.max(from, this.#start); number < Math.min(to, this.#end); number += 1) {
      lines.push(this.#items[number % this.#items.length] as T);
    }
    return lines;
  }

  /** The first line from `start` on for which `before` is false; for lines in order of time. */
  search(before: (line: T) => boolean): number {
    let [low, high] = [this.#start, this.#end];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.#items[middle % this.#items.length] as T)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Removes all lines. Numbers continue to rise. */
  clear(): void {
    this.#items.fill(undefined);
    this.#start = this.#end;
  }
}
