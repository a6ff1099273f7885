import { expect, it } from "vitest";
import { retention } from "./retention.ts";

it("names what is set, or what holds where nothing is", () => {
  expect(retention({ batches: null, maxAgeSeconds: null, maxBytes: null })).toBe("5 batches (default)");
  expect(retention({ batches: 1, maxAgeSeconds: 7200, maxBytes: 1.5e9 })).toBe("1 batch, 2 h, 1.50 GB");
  expect(retention({ batches: null, maxAgeSeconds: 90, maxBytes: null })).toBe("1 min 30 s");
});
