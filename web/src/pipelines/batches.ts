// The list of batches on the page, newest first: loaded once, then updated step by step.

import type { BatchFactsFragment, BatchOutcome, BatchStep } from "../api/operations.ts";
import type { Told } from "../timeline/batches.ts";

/** Maximum number of batches; older ones are fetched on request. */
export const KEEP = 1000;

export const STEPS: readonly BatchStep[] = ["CUT", "DEMUXED", "SENT", "DECIDED", "REMUXED", "ON_AIR", "DONE"];

export interface Progress {
  readonly number: number;
  readonly step: BatchStep;
  readonly at: string;
  readonly outcome: BatchOutcome | null;
}

/** The loaded data wins, unless the page has received later steps in the meantime. */
export function merge(
  known: readonly BatchFactsFragment[],
  fresh: readonly BatchFactsFragment[],
): BatchFactsFragment[] {
  const all = new Map(known.map((batch) => [batch.number, batch]));
  for (const batch of fresh) {
    const before = all.get(batch.number);
    if (!before || STEPS.indexOf(batch.step) >= STEPS.indexOf(before.step))
      all.set(batch.number, before?.cleaned ? { ...batch, cleaned: true } : batch);
  }
  return [...all.values()].sort((a, b) => b.number - a.number).slice(0, KEEP);
}

/** Applies a step of a batch. An unknown batch begins with it. */
export function advance(known: readonly BatchFactsFragment[], progress: Progress): BatchFactsFragment[] {
  const before = known.find((batch) => batch.number === progress.number) ?? unknown(progress);
  if (before.steps.some((taken) => taken.step === progress.step)) return [...known];
  const startedAt = before.steps.at(-1)?.at ?? progress.at;
  const taken = {
    step: progress.step,
    startedAt,
    at: progress.at,
    seconds: (Date.parse(progress.at) - Date.parse(startedAt)) / 1000,
  };
  const moved = {
    ...before,
    step: progress.step,
    steps: [...before.steps, taken],
    outcome: progress.outcome ?? before.outcome,
  };
  return merge(
    known.filter((batch) => batch.number !== progress.number),
    [moved],
  );
}

export interface Kept {
  readonly number: number;
  readonly cleaned: boolean;
}

/**
 * Marks batches whose files are gone. Nothing else of them changes; those that `kept` does not contain stay as they
 * are.
 */
export function withKept(known: readonly BatchFactsFragment[], kept: readonly Kept[]): readonly BatchFactsFragment[] {
  const gone = new Set(kept.filter((one) => one.cleaned).map((one) => one.number));
  if (!known.some((batch) => !batch.cleaned && gone.has(batch.number))) return known;
  return known.map((batch) => (gone.has(batch.number) && !batch.cleaned ? { ...batch, cleaned: true } : batch));
}

/** How many of the newest batches must be requested to cover all that may have been cleaned. */
export function toAsk(known: readonly BatchFactsFragment[]): number {
  const oldest = known.findLastIndex((batch) => batch.step === "DONE" && !batch.cleaned);
  return oldest + 1;
}

function unknown({ number, step, at, outcome }: Progress): BatchFactsFragment {
  return {
    number,
    step,
    steps: [],
    outcome,
    originalReason: null,
    originalMessage: null,
    roundTripMs: null,
    cutReason: "",
    completeAt: at,
    durationSeconds: null,
    firstSegment: 0,
    lastSegment: 0,
    discontinuity: false,
    givenUp: false,
    cleaned: false,
  };
}

/** Converts a batch for the timeline. */
export function told(batch: BatchFactsFragment): Told {
  return {
    number: batch.number,
    completeAt: Date.parse(batch.completeAt),
    lengthMs: batch.durationSeconds === null ? null : batch.durationSeconds * 1000,
    steps: new Map(batch.steps.map((taken) => [taken.step, Date.parse(taken.at)])),
    outcome: batch.outcome === "PROCESSED" ? "processed" : batch.outcome === "ORIGINAL" ? "original" : null,
    why: batch.originalReason,
    roundTripMs: batch.roundTripMs,
    givenUp: batch.givenUp,
  };
}
