// Which rows the overview shows, in which order and in which groups.

import type { GlanceFragment, RowFragment, TripFragment } from "../api/operations.ts";
import { GROUP_ORDER, type Group, groupOf } from "../ui/tone.ts";
import { airLag, farBehind } from "./status.ts";

export const SHOWS = {
  all: "All",
  air: "On air",
  trouble: "Has problems",
  never: "Never started",
  stopped: "Stopped on purpose",
} as const;

export type Show = keyof typeof SHOWS;

export interface Line {
  readonly id: string;
  readonly facts: Pick<RowFragment, "streamId" | "tenant" | "settings">;
  readonly status: Pick<
    GlanceFragment,
    | "phase"
    | "onAir"
    | "health"
    | "counters"
    | "destinations"
    | "processor"
    | "runningRevision"
    | "timeLeftSeconds"
    | "behindSeconds"
  >;
  readonly trips: readonly TripFragment[];
}

const TROUBLE: readonly Group[] = ["off", "failing", "degraded"];

/** The values of a row. Outdated or meaningless numbers are null. */
export interface Numbers {
  readonly group: Group;
  readonly behind: boolean;
  /** In milliseconds. */
  readonly lag: number | null;
  /** In seconds. */
  readonly left: number | null;
  /** Share of decided batches, 0 to 1. */
  readonly original: number | null;
  readonly decided: number;
  readonly reached: number;
  readonly total: number;
  /** In milliseconds. */
  readonly trip: number | null;
}

export function numbers({ facts, status, trips }: Line): Numbers {
  const { counters, destinations } = status;
  const behind = farBehind(status);
  const decided = counters ? counters.processed + counters.original : 0;
  return {
    group: groupOf(status, status.runningRevision !== null || trips.length > 0, behind),
    behind,
    lag: airLag(status),
    left: status.timeLeftSeconds,
    original: decided > 0 ? (counters?.original ?? 0) / decided : null,
    decided,
    reached: destinations.filter((to) => to.onAir).length,
    total: Math.max(destinations.length, facts.settings.destinations.length),
    trip: status.processor?.roundTripMs ?? null,
  };
}

export const hasProblems = (line: Line): boolean => TROUBLE.includes(numbers(line).group);

/** Columns for sorting: their labels, and how rows compare. */
export const COLUMNS = {
  state: "State",
  stream: "Stream",
  cause: "Cause",
  since: "Since",
  lag: "Air lag",
  left: "Time left",
  original: "Original",
  destinations: "Destinations",
  trip: "Round trip",
} as const;
export type Column = keyof typeof COLUMNS;

export interface Order {
  readonly column: Column;
  readonly descending: boolean;
}

/** Problems first: what an operator looks for must not be below the edge of the screen. */
export const STANDARD: Order = { column: "state", descending: false };

/** Parses `lag` and `-lag`, as used in the address. Other texts give the default order. */
export function orderOf(text: string | null): Order {
  const descending = text?.startsWith("-") ?? false;
  const column = descending ? text?.slice(1) : text;
  return column && column in COLUMNS ? { column: column as Column, descending } : STANDARD;
}

export const orderText = ({ column, descending }: Order): string => (descending ? `-${column}` : column);

/** The order after a click on a header: the other direction if the rows are sorted by it already. */
export const clicked = (now: Order, column: Column): Order => ({
  column,
  descending: now.column === column && !now.descending,
});

export function filtered<T extends Line>(rows: readonly T[], text: string, show: Show, order: Order = STANDARD): T[] {
  const wanted = text.trim().toLowerCase();
  const fits = ({ id, status }: T) => !wanted || `${id}\n${status.health.reason}`.toLowerCase().includes(wanted);
  const keyed = rows
    .filter((row) => fits(row))
    .map((row) => ({ row, seen: numbers(row) }))
    .filter(({ seen, row }) => shown(seen.group, row, show))
    .map(({ row, seen }) => ({ row, key: keyOf(row, seen, order.column) }));
  const sign = order.descending ? -1 : 1;
  // Rows without a value come last in both directions.
  const compared = (a: string | number | null, b: string | number | null) =>
    a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -sign : sign;
  return keyed.sort((a, b) => compared(a.key, b.key) || (a.row.id < b.row.id ? -1 : 1)).map(({ row }) => row);
}

function keyOf({ id, facts, status }: Line, seen: Numbers, column: Column): string | number | null {
  switch (column) {
    case "state":
      return GROUP_ORDER.indexOf(seen.group);
    case "stream":
      return `${facts.streamId}\n${id}`;
    case "cause":
      return status.health.reason;
    case "since":
      return Date.parse(status.health.since);
    case "destinations":
      return seen.total === 0 ? null : seen.reached / seen.total;
    default:
      return seen[column];
  }
}

function shown(group: Group, { status }: Line, show: Show): boolean {
  switch (show) {
    case "air":
      return status.onAir;
    case "trouble":
      return TROUBLE.includes(group);
    case "never":
    case "stopped":
      return group === show;
    default:
      return true;
  }
}

/** Rows by group, the most urgent first; within a group in their given order. */
export function grouped<T extends Line>(rows: readonly T[]): { group: Group; rows: T[] }[] {
  return GROUP_ORDER.map((group) => ({ group, rows: rows.filter((row) => numbers(row).group === group) })).filter(
    (one) => one.rows.length > 0,
  );
}
