// Which rows of the overview are shown.

import type { GlanceFragment, RowFragment } from "../api/operations.ts";

export const SHOWS = {
  all: "All",
  air: "On air",
  trouble: "With trouble",
  stopped: "Not meant to run",
} as const;

export type Show = keyof typeof SHOWS;

interface Line {
  readonly id: string;
  readonly facts: Pick<RowFragment, "desired" | "streamId" | "tenant">;
  readonly status: Pick<GlanceFragment, "onAir" | "health">;
}

/** Trouble first: what an operator looks for must not be below the edge of the screen. */
const URGENCY = { FAILING: 0, DEGRADED: 1, STARTING: 2, HEALTHY: 3, IDLE: 4 } as const;

export function filtered<T extends Line>(rows: readonly T[], text: string, show: Show): T[] {
  const wanted = text.trim().toLowerCase();
  const fits = ({ id, status }: T) => !wanted || `${id}\n${status.health.reason}`.toLowerCase().includes(wanted);
  return rows
    .filter((row) => fits(row) && shown(row, show))
    .sort((a, b) => URGENCY[a.status.health.state] - URGENCY[b.status.health.state] || (a.id < b.id ? -1 : 1));
}

function shown({ facts, status }: Line, show: Show): boolean {
  switch (show) {
    case "air":
      return status.onAir;
    case "trouble":
      return status.health.state === "DEGRADED" || status.health.state === "FAILING";
    case "stopped":
      return facts.desired === "STOPPED";
    default:
      return true;
  }
}
