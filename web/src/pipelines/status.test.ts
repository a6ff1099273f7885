import { expect, test } from "vitest";
import { airedAt, airLag, farBehind, newer } from "./status.ts";

test("an answer that comes late does not take the place of what was told after it", () => {
  const [early, late] = [{ at: "2026-01-01T00:00:01.000Z" }, { at: "2026-01-01T00:00:01.001Z" }];
  expect(newer(late, early)).toBe(late);
  expect(newer(early, late)).toBe(late);
  expect(newer(undefined, early)).toBe(early);
  const same = { at: late.at };
  expect(newer(late, same)).toBe(same);
});

const destinations = [
  { backlogMs: 20, onAir: true },
  { backlogMs: 4000, onAir: true },
  { backlogMs: null, onAir: false },
];

test("the lag is that of the slowest destination that takes packets, and there is none off air", () => {
  expect(airLag({ phase: "STARTING", onAir: false, destinations })).toBeNull();
  expect(airLag({ phase: "STOPPED", onAir: false, destinations })).toBeNull();
  expect(airLag({ phase: "ON_AIR", onAir: true, destinations })).toBe(4000);
  expect(airLag({ phase: "OFF_AIR", onAir: false, destinations }), "0 ms or 90 s would say nothing").toBeNull();
  expect(airLag({ phase: "ON_AIR", onAir: true, destinations: [] })).toBeNull();
});

test("41 s behind is far behind, 4 s is not", () => {
  expect(farBehind({ phase: "ON_AIR", onAir: true, destinations })).toBe(false);
  expect(farBehind({ phase: "ON_AIR", onAir: true, destinations: [{ backlogMs: 41_000, onAir: true }] })).toBe(true);
  expect(farBehind({ phase: "ON_AIR", onAir: true, destinations, behindSeconds: 41 })).toBe(true);
});

test("a batch was aired where the backlog is younger than its end", () => {
  expect(airedAt(destinations, 5_000)).toBe(2);
  expect(airedAt(destinations, 1_000), "none of what is away").toBe(1);
});
