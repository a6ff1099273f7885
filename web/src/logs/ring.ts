// The last lines, and no more: memory stays flat however long the page is open. Each line has a number of its own that
// only rises, so that a view can stand still on a range while new lines come in behind it.

export class Ring<T> {
  readonly #items: (T | undefined)[];
  #end = 0;
  #start = 0;

  constructor(capacity: number) {
    this.#items = new Array(capacity);
  }

  /** Number of the oldest line that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Number that the next line will get. */
  get end(): number {
    return this.#end;
  }

  /** How many are kept. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Takes lines in; the oldest make room. */
  append(lines: readonly T[]): void {
    const capacity = this.#items.length;
    for (const line of lines) {
      this.#items[this.#end % capacity] = line;
      this.#end += 1;
    }
    this.#start = Math.max(this.#start, this.#end - capacity);
  }

  /** The line of that number, if it is still there. */
  at(number: number): T | undefined {
    return number >= this.#start && number < this.#end ? this.#items[number % this.#items.length] : undefined;
  }

  /** Those of a range that are still there, oldest first. */
  range(from: number, to: number): T[] {
    const lines: T[] = [];
    for (let number = Math.max(from, this.#start); number < Math.min(to, this.#end); number += 1) {
      lines.push(this.#items[number % this.#items.length] as T);
    }
    return lines;
  }

  /** The first line from `start` on that is not before the moment that `compare` tells; for lines in order of time. */
  search(before: (line: T) => boolean): number {
    let [low, high] = [this.#start, this.#end];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.#items[middle % this.#items.length] as T)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Lets go of all lines. Numbers go on rising. */
  clear(): void {
    this.#items.fill(undefined);
    this.#start = this.#end;
  }
}
