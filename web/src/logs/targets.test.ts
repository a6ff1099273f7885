import { expect, it } from "vitest";
import { seenIn, targets } from "./targets.ts";

it("offers each part once, those that were seen or are asked for after those that are known", () => {
  expect(targets([], null).slice(0, 3)).toEqual(["source", "batch", "demux"]);
  expect(targets([], null)).not.toContain("prepare");
  expect(targets(["rustls", "air", "hyper_util"], "rustls").slice(-2)).toEqual(["hyper_util", "rustls"]);
  expect(targets([], "old").at(-1)).toBe("old");
  expect(new Set(targets(["air"], "air")).size).toBe(targets(["air"], "air").length);
});

it("remembers where lines came from, and is the same list where nothing is new", () => {
  const seen = seenIn([], [{ target: "air" }, { target: "air" }, { target: "rustls" }]);
  expect(seen).toEqual(["air", "rustls"]);
  expect(seenIn(seen, [{ target: "air" }])).toBe(seen);
});
