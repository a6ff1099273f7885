// A pipeline's status at a glance: one word, its urgency, and its group in the overview.

import type { HealthState, Phase } from "../api/operations.ts";

export type Tone = "good" | "info" | "warn" | "bad" | "quiet";

export interface Glance {
  readonly word: string;
  readonly tone: Tone;
}

interface Seen {
  readonly phase: Phase;
  readonly onAir: boolean;
  readonly health: { readonly state: HealthState };
}

const WORDS: Partial<Record<Phase, string>> = {
  WAITING: "Retrying",
  STARTING: "Starting",
  BUFFERING: "Buffering",
  HOLDING: "Holding",
  DRAINING: "Draining",
  ENDED: "Ended",
  STOPPED: "Stopped",
};

/**
 * "On air" requires that packets are sent; a pipeline that should be on air and is not is "Off air". `behind`: a
 * destination is so far behind the air clock that green would be wrong.
 */
export function glance({ phase, onAir, health }: Seen, behind = false): Glance {
  const draining = phase === "DRAINING";
  switch (health.state) {
    case "HEALTHY":
      if (onAir && behind) return { word: "On air, behind", tone: "warn" };
      return { word: draining ? "Draining" : onAir ? "On air" : "Off air", tone: onAir ? "good" : "bad" };
    case "DEGRADED":
      return { word: onAir ? "On air, degraded" : "Degraded", tone: "warn" };
    case "FAILING":
      return { word: phase === "WAITING" ? "Retrying" : onAir ? "On air, failing" : "Off air", tone: "bad" };
    case "STARTING":
      return { word: WORDS[phase] ?? "Starting", tone: "info" };
    case "IDLE":
      return { word: WORDS[phase] ?? "Stopped", tone: "quiet" };
  }
}

/** Groups of the overview, the most urgent first. */
export const GROUPS = {
  off: "Off air",
  failing: "Failing",
  degraded: "Degraded",
  never: "Never started",
  starting: "Starting",
  air: "On air",
  ended: "Ended",
  stopped: "Stopped on purpose",
} as const;
export type Group = keyof typeof GROUPS;
export const GROUP_ORDER = Object.keys(GROUPS) as Group[];

/** `ran`: whether the pipeline ever ran. */
export function groupOf({ phase, onAir, health }: Seen, ran: boolean, behind = false): Group {
  switch (health.state) {
    case "FAILING":
      return !onAir && phase !== "WAITING" ? "off" : "failing";
    case "DEGRADED":
      return "degraded";
    case "STARTING":
      return "starting";
    case "HEALTHY":
      if (!onAir) return "off";
      return behind ? "degraded" : "air";
    case "IDLE":
      if (phase === "ENDED") return "ended";
      return ran ? "stopped" : "never";
  }
}
