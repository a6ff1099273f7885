// Round trips to the processor in the last batches of a pipeline.

import type { TripFragment } from "../api/operations.ts";

/** Number of values in the small curve of a row. */
const KEEP = 20;

/** Adds newer values; known ones are updated. */
export function withTrips(known: readonly TripFragment[], fresh: readonly TripFragment[]): TripFragment[] {
  const all = new Map([...known, ...fresh].map((trip) => [trip.number, trip]));
  return [...all.values()].sort((a, b) => a.number - b.number).slice(-KEEP);
}

/** Round trips in milliseconds, oldest first; `null` if no reply came in time. Undecided batches are left out. */
export function roundTrips(trips: readonly TripFragment[]): (number | null)[] {
  return trips.filter((trip) => trip.outcome !== null).map((trip) => trip.roundTripMs);
}
