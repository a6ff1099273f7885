// A swap as the steps that it takes, in order: which are done, which is under way, where it ended. Pure.

import type { SwapFactsFragment, SwapState, SwapStep } from "../api/operations.ts";
import { brief } from "../format/duration.ts";
import { counted, memory } from "../format/quantity.ts";
import type { Glance } from "../ui/tone.ts";

export interface Step {
  readonly title: string;
  /** `doubt`: done, but what it found is no reason for a green tick. */
  readonly state: "done" | "doubt" | "now" | "todo" | "failed";
  readonly detail: string | null;
}

type Told = Pick<
  SwapFactsFragment,
  "state" | "steps" | "rehearsal" | "probationDone" | "probationWanted" | "different" | "reason"
>;

/** Each by the record that tells that it was taken. */
const ORDER: readonly [SwapStep, string][] = [
  ["CHECKED", "Checked and compiled"],
  ["REHEARSED", "Rehearsed"],
  ["CUT_OVER", "Cut over"],
  ["PASSED", "Probation"],
];
const UNDER_WAY: Partial<Record<SwapState, SwapStep>> = {
  CHECKING: "CHECKED",
  REHEARSING: "REHEARSED",
  CUTTING_OVER: "CUT_OVER",
  PROBATION: "PASSED",
};
const OVER: readonly SwapState[] = ["REFUSED", "ROLLED_BACK", "INTERRUPTED"];

export const hasCutOver = ({ steps }: Pick<Told, "steps">): boolean => steps.some((one) => one.step === "CUT_OVER");

export const isOver = (state: SwapState): boolean => UNDER_WAY[state] === undefined;

export function stepsOf(swap: Told): Step[] {
  const now = UNDER_WAY[swap.state];
  const taken = (step: SwapStep) => swap.steps.find((one) => one.step === step);
  // What was broken off failed at the first step that it did not take.
  const broken = OVER.includes(swap.state) ? ORDER.find(([step]) => !taken(step))?.[0] : undefined;
  return ORDER.map(([step, title]) => ({
    title,
    state: taken(step)
      ? step === "REHEARSED" && doubtful(swap)
        ? "doubt"
        : "done"
      : step === now
        ? "now"
        : step === broken
          ? "failed"
          : "todo",
    detail: detail(swap, step, taken(step)?.tookMs ?? null),
  }));
}

/** Not all recorded calls were answered as before, or none could be compared. */
function doubtful({ rehearsal }: Told): boolean {
  return rehearsal !== null && rehearsal.same < rehearsal.calls;
}

function detail(swap: Told, step: SwapStep, tookMs: number | null): string | null {
  const { rehearsal, probationDone: done, probationWanted: wanted, different } = swap;
  switch (step) {
    case "REHEARSED":
      if (!rehearsal) return tookMs === null ? null : brief(tookMs);
      return [
        rehearsal.calls === 0
          ? "no recorded calls yet"
          : `${rehearsal.same} of ${counted(rehearsal.calls, "recorded call")} answered as before`,
        rehearsal.leftOut > 0 ? `${rehearsal.leftOut} not tried: out of time` : null,
        rehearsal.calls > 0 ? `the slowest took ${brief(rehearsal.slowestMs)}` : null,
        `${memory(rehearsal.memoryBytes)} of memory`,
      ]
        .filter((part) => part !== null)
        .join(", ");
    case "CUT_OVER":
      return tookMs === null ? null : `Switched in ${brief(tookMs)}`;
    case "PASSED":
      if (!hasCutOver(swap)) return null;
      return `${done} of ${counted(wanted, "batch", "batches")} decided${different > 0 ? `, ${counted(different, "call")} answered differently from the old version` : ""}`;
    default:
      // Nothing to tell where it was compiled before.
      return tookMs ? brief(tookMs) : null;
  }
}

/** In a word. */
export function swapGlance(state: SwapState): Glance {
  switch (state) {
    case "DONE":
      return { word: "Done", tone: "good" };
    case "REHEARSED":
      return { word: "Rehearsed", tone: "info" };
    case "REFUSED":
      return { word: "Refused", tone: "bad" };
    case "ROLLED_BACK":
      return { word: "Rolled back", tone: "warn" };
    case "INTERRUPTED":
      return { word: "Interrupted", tone: "warn" };
    case "PROBATION":
      return { word: "On probation", tone: "info" };
    case "CUTTING_OVER":
      return { word: "Cutting over", tone: "info" };
    case "REHEARSING":
      return { word: "Rehearsing", tone: "info" };
    case "CHECKING":
      return { word: "Checking", tone: "info" };
  }
}
