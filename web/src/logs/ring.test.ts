import { describe, expect, it } from "vitest";
import { Ring } from "./ring.ts";

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

describe("a ring", () => {
  it("keeps the last lines in order", () => {
    const ring = new Ring<number>(100);
    for (let at = 0; at < 250; at += 7) ring.append(numbers(at, Math.min(250, at + 7)));
    expect(ring.length).toBe(100);
    expect([ring.start, ring.end]).toEqual([150, 250]);
    expect(ring.range(0, 1000)).toEqual(numbers(150, 250));
  });

  it("takes more at once than it can keep", () => {
    const ring = new Ring<number>(10);
    ring.append(numbers(0, 35));
    expect(ring.range(0, 99)).toEqual(numbers(25, 35));
  });

  it("finds a line by its number for as long as it is there", () => {
    const ring = new Ring<string>(3);
    ring.append(["a", "b", "c"]);
    expect([ring.at(-1), ring.at(0), ring.at(2), ring.at(3)]).toEqual([undefined, "a", "c", undefined]);
    ring.append(["d"]);
    expect([ring.at(0), ring.at(1), ring.at(3)]).toEqual([undefined, "b", "d"]);
  });

  it("gives what is left of a range that a view stands still on", () => {
    const ring = new Ring<number>(10);
    ring.append(numbers(0, 10));
    expect(ring.range(2, 6)).toEqual([2, 3, 4, 5]);
    ring.append(numbers(10, 14));
    expect(ring.range(2, 6)).toEqual([4, 5]);
    expect(ring.range(0, 3)).toEqual([]);
  });

  it("jumps to a moment", () => {
    const ring = new Ring<number>(8);
    ring.append([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    const jump = (moment: number) => ring.at(ring.search((line) => line < moment));
    expect([jump(0), jump(30), jump(55), jump(100), jump(101)]).toEqual([30, 30, 60, 100, undefined]);
  });

  it("forgets, and lets go of what it held", () => {
    const ring = new Ring<number>(4);
    ring.append([1, 2, 3]);
    ring.clear();
    expect(ring.length).toBe(0);
    expect(ring.at(2)).toBeUndefined();
    ring.append([4]);
    expect(ring.at(3)).toBe(4);
    expect(ring.range(0, 9)).toEqual([4]);
  });
});
