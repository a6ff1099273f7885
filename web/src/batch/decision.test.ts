import { expect, it } from "vitest";
import { decided } from "./decision.ts";

it("gives names without units and values with them", () => {
  const { plan, reply, metadata } = decided({
    plan: { audio: "processed", offset_us: 21_000, stretch_permille: 15, marked: false, note: "copied" },
    reply: {
      attempts: 1,
      round_trip_ms: 1304,
      metadata: { processingTime: 701, faults: [], voice: { id: 3 } },
      probe: { codec: "aac", sample_rate_hz: 44_100, duration_us: 8_000_000 },
    },
    why: null,
  });
  expect(plan.map(({ name, value }) => `${name}: ${value}`)).toEqual([
    "Audio: processed",
    "Offset: 21 ms",
    "Stretch: 1.5 %",
    "Marked: no",
    "Note: copied",
  ]);
  expect(reply.map(({ name, value }) => `${name}: ${value}`)).toEqual([
    "Attempts: 1",
    "Round trip: 1.3 s",
    "Codec: aac",
    "Sample rate: 44.1 kHz",
    "Duration: 8.0 s",
  ]);
  expect(metadata.map(({ name, value }) => `${name}: ${value}`)).toEqual([
    "Processing time: 701",
    "Faults: none",
    'Voice: {"id":3}',
  ]);
});

it("is empty where nothing was decided, or where it is not as expected", () => {
  for (const odd of [null, undefined, "processed", { plan: 3, reply: [] }]) {
    expect(decided(odd)).toEqual({ plan: [], reply: [], metadata: [] });
  }
});
