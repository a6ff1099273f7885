import { describe, expect, it } from "vitest";
import { fullSwing, loudest, outline, peaks, position } from "./waveform.ts";

describe("peaks", () => {
  it("finds the largest swing of each slice, whichever way it goes", () =>
    expect([...peaks(Float32Array.of(0, 0.5, -0.75, 0.25, 0, 0, 0.125, -1), 4)]).toEqual([0.5, 0.75, 0, 1]));

  it("passes over no sample, whatever the lengths", () => {
    for (const length of [1, 7, 100, 333]) {
      for (let at = 0; at < length; at += 1) {
        const samples = new Float32Array(length);
        samples[at] = 0.5;
        expect(Math.max(...peaks(samples, 10))).toBe(0.5);
      }
    }
  });

  it("gives no more slices than there are samples", () => {
    expect(peaks(new Float32Array(3), 100)).toHaveLength(3);
    expect(peaks(new Float32Array(0), 100)).toHaveLength(0);
  });
});

describe("outline", () => {
  it("swings around the middle, and stays inside the box", () =>
    expect(outline(Float32Array.of(1, 0, 4), 30, 20)).toBe("M5.0 0.0L15.0 9.5L25.0 0.0L25.0 20.0L15.0 10.5L5.0 20.0Z"));
  it("fills its height with the loudest of the sounds that are compared", () => {
    const [quiet, quieter] = [Float32Array.of(0.125, 0.0625), Float32Array.of(0.0625, 0.0625)];
    const full = fullSwing([loudest(quiet), loudest(quieter)]);
    expect(full).toBe(0.125);
    expect(outline(quiet, 20, 20, full)).toBe("M5.0 0.0L15.0 5.0L15.0 15.0L5.0 20.0Z");
    expect(outline(quieter, 20, 20, full)).toBe("M5.0 5.0L15.0 5.0L15.0 15.0L5.0 15.0Z");
  });
  it("does not blow up what nobody hears", () => expect(fullSwing([0, 0.0001])).toBe(0.01));
  it("draws nothing of nothing", () => expect(outline(new Float32Array(0), 30, 20)).toBe(""));
});

it("tells positions as players do", () => {
  expect([0, 7.9, 65, 600, -1].map(position)).toEqual(["0:00", "0:07", "1:05", "10:00", "0:00"]);
});
