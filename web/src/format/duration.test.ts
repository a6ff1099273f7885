import { describe, expect, it } from "vitest";
import { brief, duration, elapsed } from "./duration.ts";

describe("duration", () => {
  it.each([
    [0, "0 ms"],
    [0.4, "0 ms"],
    [850, "850 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [4210, "4.2 s"],
    [9949, "9.9 s"],
    [9960, "10 s"],
    [59_400, "59 s"],
    [59_960, "1 min"],
    [65_000, "1 min 5 s"],
    [3_599_600, "1 h"],
    [3_600_000, "1 h"],
    [7_980_000, "2 h 13 min"],
    [86_399_999, "1 d"],
    [273_600_000, "3 d 4 h"],
  ])("%d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));

  it("keeps the sign and says when it does not know", () => {
    expect(duration(-1200)).toBe("−1.2 s");
    expect(duration(Number.NaN)).toBe("unknown");
  });
});

it.each([
  [0, "0 µs"],
  [0.34, "340 µs"],
  [0.9996, "1 ms"],
  [4.2, "4 ms"],
  [-1, "−1 ms"],
])("%d ms is %s where it is brief", (ms, text) => expect(brief(ms)).toBe(text));

describe("elapsed", () => {
  it.each([
    [-5, "0 s"],
    [999, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [61_500, "1 min 1 s"],
    [3_659_000, "1 h"],
    [90_060_000, "1 d 1 h"],
  ])("%d ms is %s, never rounded up", (ms, text) => expect(elapsed(ms)).toBe(text));
});
