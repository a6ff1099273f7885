import { expect, it } from "vitest";
import { behind, isLive } from "./latency.ts";

it("counts from the moment on air, and never says that the future is seen", () => {
  expect(behind(new Date(10_000), 14_200)).toBe(4200);
  expect(behind(new Date(10_000), 9_000)).toBe(0);
  expect(behind(null, 9_000)).toBeNull();
  expect(behind(new Date(Number.NaN), 9_000)).toBeNull();
});

it("calls live what is near the newest that a player should show", () => {
  expect(isLive(100, 102)).toBe(true);
  expect(isLive(100, 104)).toBe(false);
  expect(isLive(5, null)).toBe(true);
});
