import { expect, it } from "vitest";
import type { HealthState, Phase } from "../api/operations.ts";
import { glance } from "./tone.ts";

const seen = (state: HealthState, phase: Phase, onAir: boolean) => glance({ phase, onAir, health: { state } });

it("says on air only where packets leave", () => {
  expect(seen("HEALTHY", "ON_AIR", true)).toEqual({ word: "On air", tone: "good" });
  for (const state of ["HEALTHY", "DEGRADED", "FAILING", "STARTING", "IDLE"] as const) {
    for (const phase of [
      "STOPPED",
      "WAITING",
      "STARTING",
      "BUFFERING",
      "HOLDING",
      "ON_AIR",
      "DRAINING",
      "ENDED",
    ] as const) {
      const { word, tone } = seen(state, phase, false);
      expect(word, `${state} ${phase}`).not.toMatch(/^On air/);
      if (state !== "STARTING" && state !== "IDLE" && state !== "DEGRADED") expect(tone).toBe("bad");
    }
  }
});

it.each([
  ["DEGRADED", "ON_AIR", true, "On air, degraded", "warn"],
  ["FAILING", "ON_AIR", false, "Off air", "bad"],
  ["FAILING", "WAITING", false, "Retrying", "bad"],
  ["STARTING", "HOLDING", false, "Holding", "info"],
  ["HEALTHY", "DRAINING", true, "Draining", "good"],
  ["IDLE", "STOPPED", false, "Stopped", "quiet"],
  ["IDLE", "ENDED", false, "Ended", "quiet"],
] as const)("%s in %s, on air %s: %s", (state, phase, onAir, word, tone) => {
  expect(seen(state, phase, onAir)).toEqual({ word, tone });
});
