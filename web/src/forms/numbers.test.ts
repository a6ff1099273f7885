import { describe, expect, it } from "vitest";
import { inUnit, scaledRange, wrongNumber } from "./numbers.ts";

describe("a number that is typed", () => {
  const batch = { from: 2, to: 120, whole: true };
  it.each(["", "  ", "2", " 120 ", "6.0"])("%j can be sent", (text) => expect(wrongNumber(text, batch)).toBeNull());
  it.each([
    ["abc", '"abc" is not a whole number: use 2 to 120'],
    ["4,5", '"4,5" is not a whole number: use 2 to 120'],
    ["Infinity", '"Infinity" is not a whole number: use 2 to 120'],
    ["2.5", "2.5 is not a whole number: use 2 to 120"],
    ["1", "1 is too small: use 2 to 120"],
    ["-3", "-3 is too small: use 2 to 120"],
    ["99999999999", "99999999999 is too large: use 2 to 120"],
  ])("%j cannot", (text, said) => expect(wrongNumber(text, batch)).toBe(said));

  it("may have a fraction where the field takes one, and no upper end where there is none", () => {
    expect(wrongNumber("2.5", { from: 0, to: 600 })).toBeNull();
    expect(wrongNumber("x", { from: 0, to: 600 })).toBe('"x" is not a number: use 0 to 600');
    expect(wrongNumber("0", { from: 1, whole: true })).toBe("0 is too small: use 1 or more");
    expect(wrongNumber("1e300", { from: 1 })).toBe("1e300 is too large: use 1 or more");
  });
});

describe("bounds in another unit", () => {
  it("are rounded so that what they allow is allowed", () => {
    expect(scaledRange({ from: 100 * 2 ** 20, to: 2 ** 50 }, 1e9)).toEqual({ from: 0.105, to: 1125899 });
    expect(scaledRange({ from: 32 * 2 ** 20, to: 2 ** 30 }, 1e6)).toEqual({ from: 33.6, to: 1073 });
    expect(scaledRange({ from: 0, to: 1000, whole: true }, 1)).toEqual({ from: 0, to: 1000, whole: true });
  });

  it("stand in the server's sentence too", () => {
    const said = "1000000 must be a whole number from 104857600 to 1125899906842624";
    expect(inUnit(said, 1e9)).toBe("0.001 must be from 0.105 to 1125899");
    expect(inUnit(said, 1)).toBe(said);
    expect(inUnit("is more than the disk has", 1e9)).toBe("is more than the disk has");
  });
});
