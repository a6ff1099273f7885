import { expect, it } from "vitest";
import type { HealthState, Phase } from "../api/operations.ts";
import { glance, groupOf } from "./tone.ts";

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

it("does not show in green what is on air far behind the clock", () => {
  const air = { phase: "ON_AIR", onAir: true, health: { state: "HEALTHY" } } as const;
  expect(glance(air, true)).toEqual({ word: "On air, behind", tone: "warn" });
  expect(groupOf(air, true, true)).toBe("degraded");
});

it.each([
  ["FAILING", "OFF_AIR", false, true, "off"],
  ["FAILING", "WAITING", false, true, "failing"],
  ["FAILING", "ON_AIR", true, true, "failing"],
  ["DEGRADED", "ON_AIR", true, true, "degraded"],
  ["STARTING", "BUFFERING", false, true, "starting"],
  ["HEALTHY", "ON_AIR", true, true, "air"],
  ["HEALTHY", "OFF_AIR", false, true, "off"],
  ["IDLE", "STOPPED", false, true, "stopped"],
  ["IDLE", "STOPPED", false, false, "never"],
  ["IDLE", "ENDED", false, true, "ended"],
] as const)("groups %s in %s, on air %s, ran %s: %s", (state, phase, onAir, ran, group) => {
  expect(groupOf({ phase, onAir, health: { state } }, ran)).toBe(group);
});
