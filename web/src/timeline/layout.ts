// The positions of batches and their steps on the timeline. Pure: times in, pixels out. Batches overlap in time (one is
// collected while another is with the processor and a third is on air), so each gets its own lane as long as it exists.
// A batch never changes its lane, so nothing jumps on the screen.

export type Step = "batch" | "demux" | "exchange" | "remux" | "air";
export type Outcome = "processed" | "original" | "lost";

/** One step of a batch; `to` is open while it is in progress. Unix time in milliseconds. */
export interface Span {
  readonly step: Step;
  readonly from: number;
  readonly to: number | null;
  /** The latest end of an open step. */
  readonly until?: number;
}

export interface Batch {
  readonly number: number;
  readonly spans: readonly Span[];
  /** When it must be ready for air. */
  readonly due: number | null;
  /** No more spans will follow: it is or was on air, or never will be. */
  readonly over: boolean;
  /** Unknown until the decision. */
  readonly outcome: Outcome | null;
  /** Why it kept its original audio, in a word. */
  readonly why?: string | null;
}

export interface View {
  /** The time at the right edge, and the position of "now". */
  readonly now: number;
  /** Milliseconds across the whole width, including the space right of now. */
  readonly span: number;
  /** In pixels. */
  readonly width: number;
  /** Share of the width right of now, for future deadlines. */
  readonly ahead: number;
}

export interface Bar {
  readonly step: Step;
  readonly x: number;
  readonly width: number;
  /** In progress: ends at now. */
  readonly open: boolean;
}

export interface Row {
  readonly batch: Batch;
  readonly lane: number;
  readonly bars: readonly Bar[];
  /** Position of the whole batch, clipped to the visible part. */
  readonly x: number;
  readonly width: number;
  readonly due: number | null;
}

export interface Tick {
  readonly x: number;
  readonly at: number;
}

export interface Layout {
  readonly rows: readonly Row[];
  readonly lanes: number;
  readonly ticks: readonly Tick[];
  readonly now: number;
}

/** Minimum width of a step in pixels, so that short ones are visible. */
const BAR_MIN = 3;
/** Distance between two batches of a lane in milliseconds, so that they are visible as two. */
const LANE_GAP = 500;
/** Minimum distance between labels of the time axis, in pixels. */
const TICK_MIN = 90;
const TICK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((seconds) => seconds * 1000);

const beginning = (batch: Batch) => Math.min(...batch.spans.map((span) => span.from));
/** A batch that waits for air has no open span and is not at its end. */
const ending = (batch: Batch) =>
  batch.over
    ? Math.max(...batch.spans.map((span) => span.to ?? span.until ?? Number.POSITIVE_INFINITY))
    : Number.POSITIVE_INFINITY;

/**
 * Lanes by batch number. Batches in `known` keep their lane; others get the lowest one that is free at their beginning.
 */
export function assignLanes(batches: readonly Batch[], known: ReadonlyMap<number, number>): Map<number, number> {
  const lanes = new Map<number, number>();
  const taken: { lane: number; from: number; to: number }[] = [];
  const take = (batch: Batch, lane: number) => {
    lanes.set(batch.number, lane);
    taken.push({ lane, from: beginning(batch), to: ending(batch) });
  };
  const drawn = batches.filter((batch) => batch.spans.length > 0);
  for (const batch of drawn) {
    const lane = known.get(batch.number);
    if (lane !== undefined) take(batch, lane);
  }
  for (const batch of drawn.toSorted((a, b) => beginning(a) - beginning(b) || a.number - b.number)) {
    if (lanes.has(batch.number)) continue;
    const [from, to] = [beginning(batch), ending(batch)];
    let lane = 0;
    while (taken.some((other) => other.lane === lane && other.from < to + LANE_GAP && from < other.to + LANE_GAP))
      lane += 1;
    take(batch, lane);
  }
  return lanes;
}

/** All visible batches, oldest first. */
export function layout(batches: readonly Batch[], view: View, lanes: ReadonlyMap<number, number>): Layout {
  const scale = view.width / view.span;
  const nowX = view.width * (1 - view.ahead);
  const x = (at: number) => nowX + (at - view.now) * scale;
  const rows: Row[] = [];
  for (const batch of batches) {
    const bars = batch.spans.flatMap((span) => bar(span, view, x));
    const first = bars[0];
    const lane = lanes.get(batch.number);
    if (!first || lane === undefined) continue;
    const left = Math.min(...bars.map((one) => one.x));
    const right = Math.max(...bars.map((one) => one.x + one.width));
    const due = batch.due === null ? null : x(batch.due);
    rows.push({ batch, lane, bars, x: left, width: right - left, due: due !== null && inside(due, view) ? due : null });
  }
  rows.sort((a, b) => a.batch.number - b.batch.number);
  return { rows, lanes: Math.max(0, ...rows.map((row) => row.lane + 1)), ticks: ticks(view, x), now: nowX };
}

/** Distance in pixels within which a click selects a batch beside it. */
const REACH = 24;

/**
 * The batch for a click at `x` in a lane: the one there, else the nearest of that lane, else the nearest of all. Null
 * if none is near. However narrow batches are drawn, each can be clicked or is next to one that can.
 */
export function hit(rows: readonly Row[], x: number, lane: number): Row | null {
  const away = (row: Row) => Math.max(row.x - x, x - (row.x + row.width), 0);
  const near = (some: readonly Row[]) => {
    const [first] = some.toSorted((a, b) => away(a) - away(b) || b.batch.number - a.batch.number);
    return first && away(first) <= REACH ? first : null;
  };
  return near(rows.filter((row) => row.lane === lane)) ?? near(rows);
}

/** The batch that a key moves to; undefined if the key does not move. `null`: none is active yet. */
export function moved(rows: readonly Row[], active: number | null, key: string): number | undefined {
  const last = rows.length - 1;
  if (last < 0) return undefined;
  const at = rows.findIndex((row) => row.batch.number === active);
  const to = (n: number) => rows[Math.max(0, Math.min(last, n))]?.batch.number;
  switch (key) {
    case "ArrowLeft":
      return to(at < 0 ? last : at - 1);
    case "ArrowRight":
      return to(at < 0 ? last : at + 1);
    case "Home":
      return to(0);
    case "End":
      return to(last);
    case "PageUp":
      return to(at < 0 ? last : at - 10);
    case "PageDown":
      return to(at < 0 ? last : at + 10);
    default:
      return undefined;
  }
}

const inside = (x: number, view: View) => x >= 0 && x <= view.width;

function bar(span: Span, view: View, x: (at: number) => number): Bar[] {
  const open = span.to === null && view.now < (span.until ?? Number.POSITIVE_INFINITY);
  const end = span.to ?? Math.min(view.now, span.until ?? view.now);
  const [from, to] = [x(span.from), x(Math.max(span.from, end))];
  if (to < 0 || from > view.width) return [];
  const left = Math.max(0, from);
  // A part clipped at the left stays clipped; a bar that is only short is widened.
  const width = Math.max(Math.min(view.width, to) - left, Math.min(BAR_MIN, view.width - left));
  return [{ step: span.step, x: left, width, open }];
}

function ticks(view: View, x: (at: number) => number): Tick[] {
  const scale = view.width / view.span;
  const step = TICK_STEPS.find((one) => one * scale >= TICK_MIN) ?? 3_600_000;
  const left = view.now - view.span * (1 - view.ahead);
  const marks: Tick[] = [];
  for (let at = Math.ceil(left / step) * step; x(at) <= view.width && marks.length < 100; at += step) {
    marks.push({ x: x(at), at });
  }
  return marks;
}
