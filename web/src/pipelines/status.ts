// What a status tells, beside what it says.

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
  readonly destinations: readonly { readonly backlogMs: number }[];
}

/** Phases in which the air clock runs. */
const AIRED = ["ON_AIR", "OFF_AIR", "DRAINING"];

/** How far the destination that is furthest behind is behind the air clock, in milliseconds; null while that does not run. */
export function airLag({ phase, destinations }: Air): number | null {
  if (!AIRED.includes(phase) || destinations.length === 0) return null;
  return Math.max(...destinations.map((to) => to.backlogMs));
}
