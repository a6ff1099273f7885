import { describe, expect, it } from "vitest";
import type { BatchFactsFragment } from "../api/operations.ts";
import { advance, KEEP, merge, type Progress, toAsk, told, withKept } from "./batches.ts";

const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000).toISOString();
const step = (
  number: number,
  name: Progress["step"],
  seconds: number,
  outcome: Progress["outcome"] = null,
): Progress => ({
  number,
  step: name,
  at: at(seconds),
  outcome,
});
const built = (...steps: Progress[]): BatchFactsFragment[] => steps.reduce(advance, [] as BatchFactsFragment[]);

describe("advance", () => {
  it("moves a batch on, each step with the time that led to it", () => {
    const [batch] = built(
      step(7, "CUT", 0),
      step(7, "DEMUXED", 0.2),
      step(7, "SENT", 0.25),
      step(7, "DECIDED", 3.25, "ORIGINAL"),
    );
    expect(batch).toMatchObject({ number: 7, step: "DECIDED", outcome: "ORIGINAL", completeAt: at(0) });
    expect(batch?.steps.map((one) => [one.step, one.seconds])).toEqual([
      ["CUT", 0],
      ["DEMUXED", 0.2],
      ["SENT", 0.05],
      ["DECIDED", 3],
    ]);
  });

  it("keeps the outcome, puts the newest first and takes a step once", () => {
    const all = built(
      step(1, "CUT", 0),
      step(1, "DECIDED", 1, "PROCESSED"),
      step(2, "CUT", 2),
      step(1, "REMUXED", 3),
      step(1, "REMUXED", 9),
    );
    expect(all.map((one) => [one.number, one.step, one.outcome])).toEqual([
      [2, "CUT", null],
      [1, "REMUXED", "PROCESSED"],
    ]);
    expect(all[1]?.steps).toHaveLength(3);
  });
});

describe("merge", () => {
  it("lets what was loaded win, but never takes a batch back", () => {
    const heard = built(step(1, "CUT", 0), step(1, "SENT", 1), step(1, "DECIDED", 2, "PROCESSED"));
    const loadedEarlier = built(step(1, "CUT", 0), step(1, "SENT", 1));
    expect(merge(heard, loadedEarlier)[0]?.step).toBe("DECIDED");
    const loadedLater = heard.map((one) => ({ ...one, roundTripMs: 700 }));
    expect(merge(heard, loadedLater)[0]?.roundTripMs).toBe(700);
  });

  it("keeps a bounded number", () => {
    const many = Array.from({ length: KEEP + 100 }, (_, n) => step(n, "CUT", n)).reduce(
      advance,
      [] as BatchFactsFragment[],
    );
    expect(many).toHaveLength(KEEP);
    expect(many[0]?.number).toBe(KEEP + 99);
  });
});

it("tells the timeline what it needs", () => {
  const [batch] = built(step(1, "CUT", 0), step(1, "DECIDED", 2, "ORIGINAL"));
  const shown = batch && told(batch);
  expect(shown?.outcome).toBe("original");
  expect(shown?.completeAt).toBe(Date.parse(at(0)));
  expect(shown?.steps.get("DECIDED")).toBe(Date.parse(at(2)));
});

describe("files that are removed while one looks", () => {
  const done = (number: number) => step(number, "DONE", number);
  const all = built(done(1), done(2), done(3), step(4, "CUT", 9));

  it("are asked about as far back as some are left", () => {
    expect(toAsk(all)).toBe(4);
    expect(toAsk(built(step(4, "CUT", 9)))).toBe(0);
    expect(toAsk(withKept(all, [{ number: 1, cleaned: true }]))).toBe(3);
  });

  it("are told at their batches, and stay gone whatever an older answer says", () => {
    const cleaned = withKept(all, [
      { number: 3, cleaned: false },
      { number: 2, cleaned: true },
      { number: 1, cleaned: true },
    ]);
    expect(cleaned.map((one) => [one.number, one.cleaned])).toEqual([
      [4, false],
      [3, false],
      [2, true],
      [1, true],
    ]);
    expect(withKept(cleaned, [{ number: 2, cleaned: true }])).toBe(cleaned);
    expect(merge(cleaned, all).find((one) => one.number === 2)?.cleaned).toBe(true);
  });
});
