// What the last batches of a pipeline tell about its processor: how long replies took, and what time was left.

import type { TripFragment } from "../api/operations.ts";

/** How many are kept for the small curve of a row. */
const KEEP = 20;

/** Takes newer ones in; those that are known already are renewed. */
export function withTrips(known: readonly TripFragment[], fresh: readonly TripFragment[]): TripFragment[] {
  const all = new Map([...known, ...fresh].map((trip) => [trip.number, trip]));
  return [...all.values()].sort((a, b) => a.number - b.number).slice(-KEEP);
}

/** Replies in milliseconds, oldest first; `null` where none came in time. Undecided batches are not in it. */
export function roundTrips(trips: readonly TripFragment[]): (number | null)[] {
  return trips.filter((trip) => trip.outcome !== null).map((trip) => trip.roundTripMs);
}

/** The round trip of the newest decided batch, in milliseconds; null where no reply to it came. */
export const lastTrip = (trips: readonly (number | null)[]): number | null => trips.at(-1) ?? null;

/**
 * Seconds that the newest batch on air had been ready before its time: what was left at the last deadline. Of this run: a
 * batch that was on air before it began says nothing of it. Null while destinations are off air or far behind the clock
 * (`inTime` is false): what a batch waited then is their lag.
 */
export function timeLeft(trips: readonly TripFragment[], runsSince: string | null, inTime: boolean): number | null {
  if (runsSince === null || !inTime) return null;
  for (const trip of trips.toReversed()) {
    const onAir = trip.steps.find((step) => step.step === "ON_AIR");
    if (onAir) return Date.parse(onAir.at) < Date.parse(runsSince) ? null : onAir.seconds;
  }
  return null;
}
