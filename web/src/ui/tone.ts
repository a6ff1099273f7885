// What a pipeline's status means at a glance: one word, and how much it should catch the eye.

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

/** "On air" is said only where packets leave; what is not on air though it should be is "Off air". */
export function glance({ phase, onAir, health }: Seen): Glance {
  const draining = phase === "DRAINING";
  switch (health.state) {
    case "HEALTHY":
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
