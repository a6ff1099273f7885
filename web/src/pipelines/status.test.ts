import { expect, test } from "vitest";
import { airLag, newer } from "./status.ts";

test("an answer that comes late does not take the place of what was told after it", () => {
  const [early, late] = [{ at: "2026-01-01T00:00:01.000Z" }, { at: "2026-01-01T00:00:01.001Z" }];
  expect(newer(late, early)).toBe(late);
  expect(newer(early, late)).toBe(late);
  expect(newer(undefined, early)).toBe(early);
  const same = { at: late.at };
  expect(newer(late, same)).toBe(same);
});

test("there is no lag before the first packet, and it is that of the slowest destination", () => {
  const destinations = [{ backlogMs: 20 }, { backlogMs: 4000 }];
  expect(airLag({ phase: "STARTING", destinations })).toBeNull();
  expect(airLag({ phase: "STOPPED", destinations })).toBeNull();
  expect(airLag({ phase: "ON_AIR", destinations })).toBe(4000);
  expect(airLag({ phase: "OFF_AIR", destinations })).toBe(4000);
  expect(airLag({ phase: "ON_AIR", destinations: [] })).toBeNull();
});
