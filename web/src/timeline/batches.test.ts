import { describe, expect, it } from "vitest";
import type { BatchStep } from "../api/operations.ts";
import { type Told, toDraw } from "./batches.ts";

const LENGTH = 10_000;
const ORDER: BatchStep[] = ["CUT", "DEMUXED", "SENT", "DECIDED", "REMUXED", "ON_AIR", "DONE"];
const AFTER = [10, 200, 240, 2240, 2400, 6000, 16_000];

/** Batch `number`, complete at its end, with all steps up to and including one. */
function told(number: number, upTo: BatchStep | null, more: Partial<Told> = {}): Told {
  const completeAt = (number + 1) * LENGTH;
  const taken = upTo === null ? [] : ORDER.slice(0, ORDER.indexOf(upTo) + 1);
  return {
    number,
    completeAt,
    lengthMs: null,
    steps: new Map(taken.map((step, n) => [step, completeAt + (AFTER[n] ?? 0)])),
    outcome: taken.includes("DECIDED") ? "processed" : null,
    roundTripMs: taken.includes("DECIDED") ? 1500 : null,
    givenUp: false,
    ...more,
  };
}

describe("a batch", () => {
  it("is drawn with each of its steps", () => {
    const [batch] = toDraw([told(3, "DONE")], LENGTH, null);
    expect(batch).toEqual({
      number: 3,
      outcome: "processed",
      due: 46_000,
      over: true,
      spans: [
        { step: "batch", from: 30_000, to: 40_000 },
        { step: "demux", from: 40_010, to: 40_200 },
        { step: "exchange", from: 40_240, to: 41_740 },
        { step: "remux", from: 42_240, to: 42_400 },
        { step: "air", from: 46_000, to: 56_000, until: 56_000 },
      ],
    });
  });

  it.each([
    [null, ["batch", "demux"]],
    ["DEMUXED", ["batch", "demux"]],
    ["SENT", ["batch", "demux", "exchange"]],
    ["DECIDED", ["batch", "demux", "exchange", "remux"]],
    ["REMUXED", ["batch", "demux", "exchange", "remux"]],
    ["ON_AIR", ["batch", "demux", "exchange", "remux", "air"]],
  ] as const)("that took %s is drawn so far: %j", (step, expected) => {
    const spans = toDraw([told(0, step)], LENGTH, null)[0]?.spans ?? [];
    expect(spans.map((span) => span.step)).toEqual(expected);
    const open = step === "DEMUXED" || step === "REMUXED" ? [] : [expected.at(-1)];
    expect(spans.filter((span) => span.to === null).map((span) => span.step)).toEqual(open);
  });

  it("is on air no longer than it lasts, however long a destination that is away keeps it from being done", () => {
    const steps = new Map(told(0, "DONE").steps).set("DONE", 99_000);
    expect(toDraw([told(0, "DONE", { steps })], LENGTH, null)[0]?.spans.at(-1)).toMatchObject({
      from: 16_000,
      to: 26_000,
    });
    const open = toDraw([told(0, "ON_AIR")], LENGTH, null)[0]?.spans.at(-1);
    expect(open).toEqual({ step: "air", from: 16_000, to: null, until: 26_000 });
  });

  it("was with the processor until the decision where no reply came in time", () => {
    const late = told(0, "DONE", { outcome: "original", roundTripMs: null });
    expect(toDraw([late], LENGTH, null)[0]?.spans[2]).toEqual({ step: "exchange", from: 10_240, to: 12_240 });
  });

  it("that was given up is lost, and nothing of it goes on", () => {
    const [batch] = toDraw([told(0, "SENT", { givenUp: true })], LENGTH, null);
    expect(batch?.outcome).toBe("lost");
    expect(batch?.spans.every((span) => span.to !== null)).toBe(true);
  });

  it("is drawn as long as it is, whatever batches are set to", () => {
    const long = told(0, "DONE", { completeAt: 40_000, lengthMs: 30_000 });
    const steps = new Map(long.steps).set("ON_AIR", 41_000).set("DONE", 71_000);
    const [batch] = toDraw([{ ...long, steps }], LENGTH, null);
    expect(batch?.spans[0]).toEqual({ step: "batch", from: 10_000, to: 40_000 });
    expect(batch?.spans.at(-1)).toEqual({ step: "air", from: 41_000, to: 71_000, until: 71_000 });
  });

  it("is over once it is on air, was passed over or given up; not while it waits for air", () => {
    const over = (one: Told) => toDraw([one], LENGTH, null)[0]?.over;
    expect(over(told(0, "REMUXED"))).toBe(false);
    expect(over(told(0, "ON_AIR"))).toBe(true);
    expect(over(told(0, "SENT", { givenUp: true }))).toBe(true);
    const steps = new Map(told(0, "DONE").steps);
    steps.delete("ON_AIR");
    expect(over(told(0, "DONE", { steps }))).toBe(true);
  });

  it("without a processor has no exchange", () => {
    const steps = new Map(told(0, "DONE").steps);
    steps.delete("SENT");
    const [batch] = toDraw([told(0, "DONE", { steps, roundTripMs: null })], LENGTH, null);
    expect(batch?.spans.map((span) => span.step)).toEqual(["batch", "demux", "remux", "air"]);
  });
});

describe("batches together", () => {
  it("begin where the one before was complete, but not before a break", () => {
    const early = told(0, "DONE");
    const long = told(1, "DONE", { completeAt: 23_000 });
    const resumed = told(2, "DONE", { completeAt: 500_000 });
    const starts = toDraw([resumed, early, long], LENGTH, null).map((batch) => batch.spans[0]?.from);
    expect(starts).toEqual([0, 10_000, 490_000]);
  });

  it("are due one after another as far ahead as is known", () => {
    const due = toDraw([told(0, "ON_AIR"), told(1, "SENT"), told(2, null)], LENGTH, { ms: 2500, at: 32_600 }).map(
      (one) => one.due,
    );
    expect(due).toEqual([16_000, 26_000, 36_000, 46_000]);
    expect(toDraw([told(0, "SENT"), told(1, null)], LENGTH, null).map((one) => one.due)).toEqual([null, null]);
    expect(toDraw([told(0, "ON_AIR"), told(2, "SENT")], LENGTH, null).map((one) => one.due)).toEqual([16_000, null]);
  });
});

describe("the batch that is being collected", () => {
  it("follows the newest one", () => {
    const drawn = toDraw([told(0, "SENT"), told(1, "CUT")], LENGTH, { ms: 3000, at: 22_900 }).at(-1);
    // Media time differs from the clock; a batch never begins before the previous one was complete.
    expect(drawn).toEqual({
      number: 2,
      outcome: null,
      due: null,
      over: false,
      spans: [{ step: "batch", from: 20_000, to: null }],
    });
  });

  it("is the first where there is none, and not there where nothing is collected", () => {
    expect(toDraw([], LENGTH, { ms: 3000, at: 50_000 })).toEqual([
      { number: 0, outcome: null, due: null, over: false, spans: [{ step: "batch", from: 47_000, to: null }] },
    ]);
    expect(toDraw([], LENGTH, { ms: 0, at: 50_000 })).toEqual([]);
    expect(toDraw([], LENGTH, null)).toEqual([]);
  });
});
