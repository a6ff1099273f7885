import { expect, it } from "vitest";
import type { TripFragment } from "../api/operations.ts";
import { roundTrips, withTrips } from "./trips.ts";

const trip = (number: number, more: Partial<TripFragment> = {}): TripFragment => ({
  number,
  step: "DONE",
  outcome: "PROCESSED",
  originalReason: null,
  originalMessage: null,
  roundTripMs: 100 + number,
  steps: [],
  ...more,
});

it("keeps the newest twenty, each once, in order", () => {
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => trip(from + n));
  const known = withTrips(numbers(0, 15).reverse(), []);
  const renewed = withTrips(known, [...numbers(14, 30), trip(14, { roundTripMs: 7 })]);
  expect(renewed.map((one) => one.number)).toEqual(numbers(10, 30).map((one) => one.number));
  expect(renewed.find((one) => one.number === 14)?.roundTripMs).toBe(7);
});

it("shows a missing reply as a gap, and leaves out what is not decided", () => {
  const late = trip(2, { outcome: "ORIGINAL", roundTripMs: null });
  expect(roundTrips([trip(1), late, trip(3, { outcome: null, roundTripMs: null })])).toEqual([101, null]);
});
