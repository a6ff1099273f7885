import { describe, expect, it } from "vitest";
import { assignLanes, type Batch, hit, layout, moved, type View } from "./layout.ts";

const T = 1_000_000_000_000;

/**
 * A batch of 30 s that began at `at` seconds: collected for 30 s, with the processor for 4 s, on air 40 to 70 s after
 * its start.
 */
function batch(number: number, at: number, upTo = Number.POSITIVE_INFINITY): Batch {
  const spans = [
    { step: "batch", from: 0, to: 30 },
    { step: "demux", from: 30, to: 30.2 },
    { step: "exchange", from: 30.2, to: 34.2 },
    { step: "remux", from: 39, to: 39.1 },
    { step: "air", from: 40, to: 70 },
  ] as const;
  return {
    number,
    due: T + (at + 40) * 1000,
    outcome: upTo > at + 39 ? "processed" : null,
    over: upTo >= at + 40,
    spans: spans
      .filter((span) => at + span.from <= upTo)
      .map((span) => ({
        step: span.step,
        from: T + (at + span.from) * 1000,
        to: at + span.to <= upTo ? T + (at + span.to) * 1000 : null,
      })),
  };
}

const view = (now: number, more: Partial<View> = {}): View => ({
  now: T + now * 1000,
  span: 240_000,
  width: 960,
  ahead: 0.125,
  ...more,
});

describe("lanes", () => {
  it("never let two batches overlap, and are as few as can be", () => {
    const batches = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => batch(n, n * 30, 220));
    const lanes = assignLanes(batches, new Map());
    // A batch exists for 70 s and one begins each 30 s: three at a time.
    expect(Math.max(...lanes.values())).toBe(2);
    for (const a of batches) {
      for (const b of batches) {
        if (a.number >= b.number || lanes.get(a.number) !== lanes.get(b.number)) continue;
        expect(b.number - a.number, `${a.number} and ${b.number}`).toBeGreaterThanOrEqual(3);
      }
    }
  });

  it("stay as they are while time goes on and old batches leave", () => {
    let known = new Map<number, number>();
    const first = new Map<number, number>();
    for (let now = 0; now < 600; now += 7) {
      const alive = Array.from({ length: 20 }, (_, n) => n).filter((n) => n * 30 <= now && n * 30 + 300 > now);
      known = assignLanes(
        alive.map((n) => batch(n, n * 30, now)),
        known,
      );
      for (const [number, lane] of known) {
        expect(lane, `batch ${number} at ${now} s`).toBe(first.get(number) ?? lane);
        first.set(number, lane);
      }
      expect(Math.max(...known.values())).toBeLessThan(4);
    }
  });

  it("are kept by a batch that is ready and waits for air", () => {
    // At 36 s it is ready, and on air from 40 s on: the next one begins in between.
    const waiting = { ...batch(0, 0, 39.5), over: false };
    const next: Batch = {
      number: 1,
      due: null,
      over: false,
      outcome: null,
      spans: [{ step: "batch", from: T + 39_700, to: null }],
    };
    const lanes = assignLanes([waiting, next], new Map());
    expect(lanes.get(1)).not.toBe(lanes.get(0));
  });

  it("are not given to batches of which nothing is known yet", () => {
    expect(assignLanes([{ number: 1, spans: [], due: null, over: false, outcome: null }], new Map()).size).toBe(0);
  });
});

describe("layout", () => {
  const drawn = (batches: Batch[], at: View) => layout(batches, at, assignLanes(batches, new Map()));

  it("puts times on a straight scale with now where it belongs", () => {
    const result = drawn([batch(0, 0)], view(100));
    expect(result.now).toBe(840);
    // 4 pixels per second: the batch began 100 s ago.
    const [collecting, , exchange, , air] = result.rows[0]?.bars ?? [];
    expect(collecting).toMatchObject({ step: "batch", x: 440, width: 120, open: false });
    expect(exchange?.x).toBeCloseTo(440 + 30.2 * 4);
    expect(exchange?.width).toBeCloseTo(16);
    expect(air).toMatchObject({ x: 600, width: 120 });
    expect(result.rows[0]).toMatchObject({ x: 440, width: 280, due: 600 });
  });

  it("lets what is under way grow up to now, and shows its deadline to come", () => {
    const [row] = drawn([batch(0, 80, 100)], view(100)).rows;
    expect(row?.bars).toEqual([{ step: "batch", x: 760, width: 80, open: true }]);
    expect(row?.due).toBe(840 + 20 * 4);
    expect(drawn([batch(0, 95, 100)], view(100)).rows[0]?.due, "35 s ahead is beyond the edge").toBeNull();
  });

  it("draws short steps wide enough to be seen", () => {
    const demux = drawn([batch(0, 0)], view(100)).rows[0]?.bars[1];
    expect(demux).toMatchObject({ step: "demux", width: 3 });
  });

  it("cuts at the edges and leaves out what is beyond them", () => {
    const result = drawn([batch(0, 0), batch(1, -300), batch(2, 999)], view(250));
    expect(result.rows.map((row) => row.batch.number)).toEqual([0]);
    // The left edge is 210 s before now, at 40 s: collecting is over, the time on air is fully visible.
    expect(result.rows[0]?.bars.map((bar) => bar.step)).toEqual(["air"]);
    expect(result.rows[0]?.bars[0]).toMatchObject({ x: 0, width: 120 });
    for (const { bars } of drawn([batch(0, 0)], view(265)).rows) {
      expect(bars[0]).toMatchObject({ step: "air", x: 0, width: 60 });
    }
  });

  it("never draws outside, whatever the times", () => {
    for (let now = -50; now < 500; now += 3.7) {
      for (const row of drawn(
        [0, 1, 2, 3].map((n) => batch(n, n * 30, now)),
        view(now, { width: 320 }),
      ).rows) {
        for (const { x, width } of [...row.bars, row]) {
          expect(x).toBeGreaterThanOrEqual(0);
          expect(width).toBeGreaterThan(0);
          expect(x + width).toBeLessThanOrEqual(320 + 1e-6);
        }
      }
    }
  });

  it("keeps a step that ends before it began from going backwards", () => {
    const capped: Batch = {
      number: 1,
      due: null,
      over: true,
      outcome: null,
      spans: [{ step: "air", from: T - 9000, to: null, until: T - 5000 }],
    };
    const [row] = layout([capped], { now: T, span: 20_000, width: 200, ahead: 0 }, new Map([[1, 0]])).rows;
    expect(row?.bars).toEqual([{ step: "air", x: 110, width: 40, open: false }]);
    const odd: Batch = {
      number: 0,
      due: null,
      over: true,
      outcome: null,
      spans: [{ step: "air", from: T, to: T - 5000 }],
    };
    expect(drawn([odd], view(10)).rows[0]?.bars[0]).toMatchObject({ x: 800, width: 3 });
  });
});

describe("the time axis", () => {
  it.each([
    [960, 240_000, 30_000],
    [320, 240_000, 120_000],
    [960, 3_600_000, 600_000],
    [960, 30_000, 5000],
  ])("of %d px over %d ms has a label each %d ms", (width, span, step) => {
    const { ticks } = layout([], view(1000, { width, span }), new Map());
    expect(ticks.length).toBeGreaterThan(1);
    ticks.forEach((tick, n) => {
      expect(tick.at % step).toBe(0);
      expect(tick.x).toBeGreaterThanOrEqual(0);
      expect(tick.x).toBeLessThanOrEqual(width);
      const before = ticks[n - 1];
      if (before) expect(tick.at - before.at).toBe(step);
    });
  });
});

describe("130 batches on 60 minutes", () => {
  const batches = Array.from({ length: 130 }, (_, n) => batch(n, n * 27));
  const lanes = assignLanes(batches, new Map());
  const { rows } = layout(batches, view(130 * 27, { span: 3_600_000, width: 1100 }), lanes);

  it("are narrow, and each can be picked where it is drawn", () => {
    expect(rows.length).toBeGreaterThan(100);
    expect(Math.max(...rows.map((row) => row.width))).toBeLessThan(24);
    for (const row of rows) expect(hit(rows, row.x + row.width / 2, row.lane)?.batch.number).toBe(row.batch.number);
  });

  it("are found beside a click, in another lane too, but not from far away", () => {
    const last = rows.at(-1);
    if (!last) throw new Error("nothing is drawn");
    expect(hit(rows, last.x + last.width + 10, last.lane)?.lane).toBe(last.lane);
    expect(hit(rows, last.x + 1, 99)).not.toBeNull();
    expect(hit(rows, last.x + last.width + 100, last.lane)).toBeNull();
    expect(hit([], 5, 0)).toBeNull();
  });

  it("are all reached by keys", () => {
    const numbers = rows.map((row) => row.batch.number);
    const [first, last] = [numbers[0] ?? -1, numbers.at(-1) ?? -1];
    expect(moved(rows, null, "ArrowLeft")).toBe(last);
    expect(moved(rows, last, "Home")).toBe(first);
    expect(moved(rows, first, "End")).toBe(last);
    expect(moved(rows, first, "ArrowLeft")).toBe(first);
    expect(moved(rows, last, "PageUp")).toBe(last - 10);
    expect(moved(rows, last, "Enter")).toBeUndefined();
    let at = first;
    for (const number of numbers.slice(1)) {
      at = moved(rows, at, "ArrowRight") ?? -1;
      expect(at).toBe(number);
    }
  });
});
