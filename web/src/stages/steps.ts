// A swap as a list of its steps: which are done, which is in progress, where it ended. Pure functions.

import type { SwapFactsFragment, SwapState, SwapStep } from "../api/operations.ts";
import { brief, duration } from "../format/duration.ts";
import { counted, memory } from "../format/quantity.ts";
import type { Glance } from "../ui/tone.ts";

export interface Step {
  readonly title: string;
  /** `doubt`: done, but with findings that do not justify a green tick. */
  readonly state: "done" | "doubt" | "now" | "todo" | "failed";
  readonly detail: string | null;
}

type Told = Pick<
  SwapFactsFragment,
  "state" | "steps" | "rehearsal" | "probationDone" | "probationWanted" | "different" | "reason"
>;

/** Each step with the record that shows its completion. */
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
  // An interrupted swap failed at the first step that it did not complete.
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

/** Not all recorded calls were answered as before, none could be compared, or the stream would go off air. */
function doubtful({ rehearsal }: Told): boolean {
  if (rehearsal === null) return false;
  return rehearsal.notComparable !== null || rehearsal.wouldGoOffAir || rehearsal.same < rehearsal.calls;
}

/**
 * Whether it can be executed after the rehearsal: it was only rehearsed, or refused because it would take the stream
 * off air.
 */
export const awaits = ({ state, rehearsal }: Pick<Told, "state" | "rehearsal">): boolean =>
  state === "REHEARSED" || (state === "REFUSED" && (rehearsal?.wouldGoOffAir ?? false));

/** The cost of the swap on air, as a sentence; null: none. */
export function airCost({ rehearsal }: Pick<Told, "rehearsal">): string | null {
  if (!rehearsal?.wouldGoOffAir) return null;
  const { longestBatchSeconds: longest, runningBatchSeconds: running, lateBySeconds: late } = rehearsal;
  const lengths =
    longest !== null && running !== null
      ? ` Its batches are up to ${duration(1000 * longest)} long, now ${duration(1000 * running)}.`
      : "";
  return `The stream would be off air for about ${duration(1000 * late)}.${lengths}`;
}

function detail(swap: Told, step: SwapStep, tookMs: number | null): string | null {
  const { rehearsal, probationDone: done, probationWanted: wanted, different } = swap;
  switch (step) {
    case "REHEARSED":
      if (!rehearsal) return tookMs === null ? null : brief(tookMs);
      return [
        rehearsal.calls === 0
          ? "no recorded calls yet"
          : rehearsal.notComparable !== null
            ? `${counted(rehearsal.calls, "recorded call")} made, answers not comparable: ${rehearsal.notComparable}`
            : `${rehearsal.same} of ${counted(rehearsal.calls, "recorded call")} answered as before`,
        rehearsal.leftOut > 0 ? `${rehearsal.leftOut} not tried: out of time` : null,
        rehearsal.calls > 0 ? `the slowest took ${brief(rehearsal.slowestMs)}` : null,
        `${memory(rehearsal.memoryBytes)} of memory`,
        rehearsal.wouldGoOffAir ? `off air for about ${duration(1000 * rehearsal.lateBySeconds)}` : null,
      ]
        .filter((part) => part !== null)
        .join(", ");
    case "CUT_OVER":
      return tookMs === null ? null : `Switched in ${brief(tookMs)}`;
    case "PASSED":
      if (!hasCutOver(swap)) return null;
      return `${done} of ${counted(wanted, "batch", "batches")} decided${different > 0 ? `, ${counted(different, "call")} answered differently from the old version` : ""}`;
    default:
      // Nothing to show if it was compiled before.
      return tookMs ? brief(tookMs) : null;
  }
}

/** The state in a word. */
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
