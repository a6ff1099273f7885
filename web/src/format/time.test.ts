import { expect, it } from "vitest";
import { local, machine, precise, utc } from "./time.ts";

// Built from local parts, so that the test passes in every time zone.
const at = new Date(2026, 10, 22, 4, 3, 2, 57).getTime();

it("shows the clock today, the day before, and the year before that", () => {
  expect(local(at, new Date(2026, 10, 22, 23, 59, 59).getTime())).toBe("04:03:02");
  expect(local(at, new Date(2026, 10, 23, 0, 0, 0).getTime())).toBe("22 Nov 04:03:02");
  expect(local(at, new Date(2027, 10, 22).getTime())).toBe("22 Nov 2026 04:03:02");
});

it("shows milliseconds where order counts, and the day where it is told what today is", () => {
  expect(precise(at)).toBe("04:03:02.057");
  expect(precise(at, new Date(2026, 10, 22).getTime())).toBe("04:03:02.057");
  expect(precise(at, new Date(2026, 10, 23).getTime())).toBe("22 Nov 04:03:02.057");
  expect(precise(at, new Date(2027, 0, 1).getTime())).toBe("22 Nov 2026 04:03:02.057");
});

it("gives UTC whatever the zone", () => {
  const moment = Date.UTC(2026, 10, 22, 13, 3, 22, 400);
  expect(utc(moment)).toBe("2026-11-22 13:03:22 UTC");
  expect(machine(moment)).toBe("2026-11-22T13:03:22.400Z");
});
