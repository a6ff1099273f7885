// Numbers of a status that are worth showing. What is old or means nothing is null, and shown as "–".

interface Moment {
  /** When it was so, ISO 8601. */
  readonly at: string;
}

/** Of two the one of the later moment: an answer may come after what the subscription has told meanwhile. */
export function newer<T extends Moment>(known: T | undefined, fresh: T): T {
  return known && Date.parse(known.at) > Date.parse(fresh.at) ? known : fresh;
}

interface Air {
  readonly phase: string;
  readonly onAir: boolean;
  readonly destinations: readonly { readonly backlogMs: number | null; readonly onAir: boolean }[];
}

/** Phases in which the air clock runs. */
const AIRED = ["ON_AIR", "DRAINING"];

/** A destination that is further behind the air clock than this has a problem, here as in the host. Milliseconds. */
export const FAR_BEHIND_MS = 10_000;

/**
 * How far the slowest destination that takes packets is behind the air clock, in milliseconds. Null while nothing is on air:
 * a backlog that does not move is no lag.
 */
export function airLag({ phase, onAir, destinations }: Air): number | null {
  const taking = destinations.filter((to) => to.onAir);
  if (!onAir || !AIRED.includes(phase) || taking.length === 0) return null;
  return Math.max(...taking.map((to) => to.backlogMs ?? 0));
}

/** It takes packets, but so late that the programme there is not the one that should be on air. */
export const farBehind = (air: Air): boolean => (airLag(air) ?? 0) > FAR_BEHIND_MS;

/** How many destinations have had all of a batch that ended `ageMs` ago. */
export const airedAt = (destinations: Air["destinations"], ageMs: number): number =>
  destinations.filter((to) => to.backlogMs !== null && to.backlogMs <= ageMs).length;

interface Processor {
  readonly connected: boolean;
  readonly breaker: string;
}

/** Whether a round trip says anything of the processor now: it is there, and is sent fragments. */
export const answers = (processor: Processor | null): boolean =>
  processor?.connected === true && processor.breaker !== "OPEN";
