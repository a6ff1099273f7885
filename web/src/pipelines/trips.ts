// What the last batches of a pipeline tell about its processor: how long replies took.

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
