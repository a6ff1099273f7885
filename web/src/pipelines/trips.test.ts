import { expect, it } from "vitest";
import type { TripFragment } from "../api/operations.ts";
import { lastTrip, roundTrips, timeLeft, withTrips } from "./trips.ts";

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

it("tells the time that was left by the newest batch that went on air", () => {
  const at = (number: number) => `2026-01-01T00:00:${String(number).padStart(2, "0")}Z`;
  const aired = (number: number, seconds: number) =>
    trip(number, { steps: [{ step: "ON_AIR", at: at(number), seconds }] });
  expect(timeLeft([aired(1, 9), aired(2, 2.5), trip(3)], at(0), true)).toBe(2.5);
  expect(timeLeft([trip(1)], at(0), true)).toBeNull();
  expect(timeLeft([aired(1, 9), aired(2, 2.5), trip(3)], at(5), true), "of the run before").toBeNull();
  expect(timeLeft([aired(1, 9)], null, true)).toBeNull();
  expect(timeLeft([aired(1, 44)], at(0), false), "lag, not time left").toBeNull();
});

it("has no round trip where the newest batch got no reply", () => {
  expect(lastTrip([802, null])).toBeNull();
  expect(lastTrip([null, 802])).toBe(802);
  expect(lastTrip([])).toBeNull();
});
