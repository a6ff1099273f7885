import { describe, expect, it } from "vitest";
import type { SwapState, SwapStep } from "../api/operations.ts";
import { airCost, awaits, isOver, stepsOf, swapGlance } from "./steps.ts";

/** A rehearsal without problems. */
const REHEARSAL = {
  calls: 12,
  same: 12,
  leftOut: 0,
  slowestMs: 1.4,
  memoryBytes: 1_200_000,
  notComparable: null,
  wouldGoOffAir: false,
  lateBySeconds: 0,
  longestBatchSeconds: null,
  runningBatchSeconds: null,
  stretchSeconds: 0,
};

const swap = (state: SwapState, taken: SwapStep[], more = {}) => ({
  state,
  steps: taken.map((step, n) => ({ step, at: "2026-11-22T14:03:22.057Z", tookMs: 4 + n, detail: null })),
  rehearsal: taken.includes("REHEARSED") ? REHEARSAL : null,
  probationDone: taken.filter((step) => step === "BATCH").length,
  probationWanted: 3,
  different: 0,
  reason: null,
  ...more,
});
const states = (...of: Parameters<typeof swap>) => stepsOf(swap(...of)).map((step) => step.state);

describe("the steps of a swap", () => {
  it("are done, under way or to come", () => {
    expect(states("CHECKING", [])).toEqual(["now", "todo", "todo", "todo"]);
    expect(states("REHEARSING", ["CHECKED"])).toEqual(["done", "now", "todo", "todo"]);
    expect(states("CUTTING_OVER", ["CHECKED", "REHEARSED"])).toEqual(["done", "done", "now", "todo"]);
    expect(states("PROBATION", ["CHECKED", "REHEARSED", "CUT_OVER", "BATCH"])).toEqual(["done", "done", "done", "now"]);
    expect(states("DONE", ["CHECKED", "REHEARSED", "CUT_OVER", "BATCH", "PASSED"])).toEqual(Array(4).fill("done"));
  });

  it("say where it ended, if it did not come to its end", () => {
    expect(states("REFUSED", ["REFUSED"])).toEqual(["failed", "todo", "todo", "todo"]);
    expect(states("REFUSED", ["CHECKED", "REFUSED"])).toEqual(["done", "failed", "todo", "todo"]);
    expect(states("ROLLED_BACK", ["CHECKED", "REHEARSED", "CUT_OVER", "ROLLED_BACK"])).toEqual([
      "done",
      "done",
      "done",
      "failed",
    ]);
    expect(states("ROLLED_BACK", ["CHECKED", "REHEARSED", "CUT_OVER", "PASSED", "ROLLED_BACK"])).toEqual(
      Array(4).fill("done"),
    );
  });

  it("have no green tick where recorded calls were answered differently", () => {
    const rehearsal = {
      calls: 64,
      same: 0,
      leftOut: 0,
      slowestMs: 1,
      memoryBytes: 1,
      notComparable: null,
      wouldGoOffAir: false,
      lateBySeconds: 0,
      longestBatchSeconds: null,
      runningBatchSeconds: null,
      stretchSeconds: 0,
    };
    expect(states("PROBATION", ["CHECKED", "REHEARSED", "CUT_OVER"], { rehearsal })).toEqual([
      "done",
      "doubt",
      "done",
      "now",
    ]);
  });

  it("say that answers cannot be compared, and what the swap would cost on air", () => {
    const found = {
      calls: 31,
      same: 0,
      leftOut: 0,
      slowestMs: 1,
      memoryBytes: 1 << 20,
      longestBatchSeconds: 20,
      runningBatchSeconds: 6,
      stretchSeconds: 0,
    };
    const dialect = { ...found, notComparable: "another dialect", wouldGoOffAir: false, lateBySeconds: 0 };
    const seen = stepsOf(swap("PROBATION", ["CHECKED", "REHEARSED", "CUT_OVER"], { rehearsal: dialect }))[1];
    expect(seen).toMatchObject({ state: "doubt" });
    expect(seen?.detail).toContain("31 recorded calls made, answers not comparable: another dialect");
    const late = { ...found, same: 31, notComparable: null, wouldGoOffAir: true, lateBySeconds: 11.5 };
    const refused = swap("REFUSED", ["CHECKED", "REHEARSED", "REFUSED"], { rehearsal: late });
    expect(stepsOf(refused)[1]?.state).toBe("doubt");
    expect(airCost(refused)).toBe(
      "The stream would be off air for about 12 s. Its batches are up to 20 s long, now 6.0 s.",
    );
    expect([awaits(refused), awaits(swap("REHEARSED", [])), awaits(swap("REFUSED", []))]).toEqual([true, true, false]);
    expect(airCost(swap("REHEARSED", []))).toBeNull();
  });

  it("tell what was found at each", () => {
    const seen = swap("PROBATION", ["CHECKED", "REHEARSED", "CUT_OVER", "BATCH"], {
      different: 2,
      rehearsal: { ...REHEARSAL, same: 11 },
    });
    expect(stepsOf(seen).map((step) => step.detail)).toEqual([
      "4 ms",
      "11 of 12 recorded calls answered as before, the slowest took 1 ms, 1.1 MiB of memory",
      "Switched in 6 ms",
      "1 of 3 batches decided, 2 calls answered differently from the old version",
    ]);
    expect(stepsOf(swap("CHECKING", [])).every((step) => step.detail === null)).toBe(true);
  });
});

it("knows what is over, and has a word for each state", () => {
  const all: SwapState[] = [
    "CHECKING",
    "REHEARSING",
    "CUTTING_OVER",
    "PROBATION",
    "DONE",
    "REHEARSED",
    "REFUSED",
    "ROLLED_BACK",
    "INTERRUPTED",
  ];
  expect(all.filter(isOver)).toEqual(["DONE", "REHEARSED", "REFUSED", "ROLLED_BACK", "INTERRUPTED"]);
  expect(new Set(all.map((state) => swapGlance(state).word)).size).toBe(all.length);
});
