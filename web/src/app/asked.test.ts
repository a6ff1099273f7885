import { expect, it } from "vitest";
import { batchAsked } from "./asked.ts";

it("takes numbers of batches only", () => {
  expect([null, "", "0", "12"].map(batchAsked)).toEqual([null, null, 0, 12]);
  expect(["abc", "-1", "1.5", " 1", "99999999999"].map(batchAsked)).toEqual(Array(5).fill(undefined));
});
