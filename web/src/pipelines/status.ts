// The numbers of a status that are shown. Outdated or meaningless ones are null, and shown as "–".

interface Moment {
  /** Time of the status, ISO 8601. */
  readonly at: string;
}

/** The later of two: a response may arrive after newer messages of the subscription. */
export function newer<T extends Moment>(known: T | undefined, fresh: T): T {
  return known && Date.parse(known.at) > Date.parse(fresh.at) ? known : fresh;
}

interface Air {
  readonly phase: string;
  readonly onAir: boolean;
  readonly destinations: readonly { readonly backlogMs: number | null; readonly onAir: boolean }[];
  /** How late the newest batch was, or how far the slowest destination is behind. */
  readonly behindSeconds?: number | null;
}

/** Phases in which the air clock runs. */
const AIRED = ["ON_AIR", "DRAINING"];

/** A destination that is further behind the air clock than this has a problem, as in the host. In milliseconds. */
export const FAR_BEHIND_MS = 10_000;

/**
 * How far the slowest receiving destination is behind the air clock, in milliseconds. Null while nothing is on air: a
 * backlog that does not move is not a lag.
 */
export function airLag({ phase, onAir, destinations }: Air): number | null {
  const lags = destinations.flatMap((to) => (to.onAir && to.backlogMs !== null ? [to.backlogMs] : []));
  return onAir && AIRED.includes(phase) && lags.length > 0 ? Math.max(...lags) : null;
}

/** It receives packets, but so late that its programme is not the one that should be on air. */
export const farBehind = (air: Air): boolean =>
  Math.max(airLag(air) ?? 0, air.onAir ? 1000 * (air.behindSeconds ?? 0) : 0) > FAR_BEHIND_MS;

/** How many destinations have received all of a batch that ended `ageMs` ago. */
export const airedAt = (destinations: Air["destinations"], ageMs: number): number =>
  destinations.filter((to) => to.backlogMs !== null && to.backlogMs <= ageMs).length;
