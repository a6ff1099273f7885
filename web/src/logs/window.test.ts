import { expect, it } from "vitest";
import { atEnd, rows } from "./window.ts";

it("draws what is seen and a little more, however long the list is", () => {
  const drawn = rows(10_000, 24, 120_000, 600);
  expect(drawn).toEqual({ from: 4988, to: 5037, top: 4988 * 24, height: 240_000 });
});

it("stays inside the list", () => {
  expect(rows(0, 24, 0, 600)).toEqual({ from: 0, to: 0, top: 0, height: 0 });
  expect(rows(5, 24, 0, 600)).toMatchObject({ from: 0, to: 5 });
  expect(rows(100, 24, 999_999, 600)).toMatchObject({ from: 63, to: 100 });
});

it("knows the end", () => {
  expect(atEnd(1800, 600, 2400, 24)).toBe(true);
  expect(atEnd(1790.5, 600, 2400, 24)).toBe(true);
  expect(atEnd(1700, 600, 2400, 24)).toBe(false);
  expect(atEnd(0, 600, 100, 24)).toBe(true);
});
