// Converts the API's batches to the form that the timeline draws. Times in Unix milliseconds.

import type { BatchStep } from "../api/operations.ts";
import type { Batch, Outcome, Span } from "./layout.ts";

/** A batch from the API: each step with its time. */
export interface Told {
  readonly number: number;
  readonly completeAt: number;
  /** Its duration on air; null until it is known. */
  readonly lengthMs: number | null;
  readonly steps: ReadonlyMap<BatchStep, number>;
  readonly outcome: Outcome | null;
  readonly why?: string | null;
  readonly roundTripMs: number | null;
  readonly givenUp: boolean;
}

/** The batch that is being collected. */
export interface Buffering {
  /** Collected media time in milliseconds. */
  readonly ms: number;
  /** The time of this state. */
  readonly at: number;
}

/** A distance of more than this many batch lengths between two batches is a break in the stream. */
const BREAK = 2;

/**
 * All batches with their spans, oldest first, the collected one last. `length`: the configured length of a batch in ms,
 * for batches whose own length is unknown.
 */
export function toDraw(told: readonly Told[], length: number, buffering: Buffering | null): Batch[] {
  const sorted = told.toSorted((a, b) => a.number - b.number);
  const starts = sorted.map((one, n) => began(one, sorted[n - 1], length));
  const due = dues(sorted, starts);
  const drawn: Batch[] = sorted.map((one, n) => ({
    number: one.number,
    outcome: one.givenUp ? "lost" : one.outcome,
    ...(one.why ? { why: one.why } : {}),
    due: due[n] ?? null,
    over: one.givenUp || one.steps.has("ON_AIR") || one.steps.has("DONE"),
    spans: spans(one, starts[n] ?? one.completeAt),
  }));
  const last = sorted.at(-1);
  if (buffering && buffering.ms > 0) {
    const from = Math.max(buffering.at - buffering.ms, last?.completeAt ?? 0);
    const number = (last?.number ?? -1) + 1;
    const before = due.at(-1);
    const next =
      before === null || before === undefined || !last ? null : before + lasts(last, starts.at(-1) ?? last.completeAt);
    drawn.push({ number, outcome: null, due: next, over: false, spans: [{ step: "batch", from, to: null }] });
  }
  return drawn;
}

/**
 * A batch is collected from the completion of the previous one, or from one length before its end if that is unknown.
 */
function began(one: Told, before: Told | undefined, set: number): number {
  const length = one.lengthMs ?? set;
  const gap = before && before.number === one.number - 1 ? one.completeAt - before.completeAt : Number.NaN;
  return gap > 0 && gap < BREAK * length ? one.completeAt - gap : one.completeAt - length;
}

/** Its duration on air. The time for collecting it over the network differs from its duration. */
const lasts = (one: Told, start: number) => one.lengthMs ?? one.completeAt - start;

/** When each goes on air: known, or derived from the previous one's time and duration. */
function dues(sorted: readonly Told[], starts: readonly number[]): (number | null)[] {
  const known: (number | null)[] = [];
  for (const [n, one] of sorted.entries()) {
    const before = sorted[n - 1];
    const earlier = known[n - 1] ?? null;
    const follows = before && before.number === one.number - 1 && earlier !== null;
    known.push(
      one.steps.get("ON_AIR") ?? (follows ? earlier + lasts(before, starts[n - 1] ?? before.completeAt) : null),
    );
  }
  return known;
}

function spans(one: Told, start: number): Span[] {
  const at = (step: BatchStep) => one.steps.get(step);
  const list: Span[] = [{ step: "batch", from: start, to: one.completeAt }];
  const over = one.givenUp;
  const add = (step: Span["step"], from: number | undefined, to: number | undefined) => {
    // An abandoned batch is not in progress any more: it is drawn as far as it is known.
    if (from !== undefined && (to !== undefined || !over)) list.push({ step, from, to: to ?? null });
  };
  add("demux", at("CUT") ?? one.completeAt, at("DEMUXED"));
  const sent = at("SENT");
  const reply = sent !== undefined && one.roundTripMs !== null ? sent + one.roundTripMs : undefined;
  add("exchange", sent, reply ?? at("DECIDED"));
  add("remux", at("DECIDED"), at("REMUXED"));
  const air = at("ON_AIR");
  if (air !== undefined) {
    // It is on air for its duration; an unavailable destination delays its completion, not its time on air.
    const until = air + lasts(one, start);
    const done = at("DONE") ?? null;
    if (done !== null || !over)
      list.push({ step: "air", from: air, to: done === null ? null : Math.min(done, until), until });
  }
  return list;
}
