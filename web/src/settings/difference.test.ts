import { expect, it } from "vitest";
import { differences } from "./difference.ts";

it("tells each setting that differs, and what came or went", () => {
  const before = {
    source: { url: "a" },
    batchSeconds: 6,
    destinations: [{ url: "x" }, { url: "y" }],
    keep: { batches: null },
  };
  const after = { source: { url: "b" }, batchSeconds: 6, destinations: [{ url: "x" }], keep: { batches: 3 } };
  expect(differences(before, after)).toEqual([
    { path: "destinations[1].url", from: "y", to: "not set" },
    { path: "keep.batches", from: "not set", to: "3" },
    { path: "source.url", from: "a", to: "b" },
  ]);
  expect(differences(before, structuredClone(before))).toEqual([]);
});
