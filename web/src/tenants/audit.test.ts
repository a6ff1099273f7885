import { expect, it } from "vitest";
import { withNewer } from "./audit.ts";

const records = (...ids: string[]) => ids.map((id) => ({ id }));

it("puts what is new before what was there, each once", () => {
  expect(withNewer(records("3", "2", "1"), records("5", "4", "3"))).toEqual(records("5", "4", "3", "2", "1"));
  expect(withNewer(records("2", "1"), records("2", "1"))).toEqual(records("2", "1"));
});

it("begins anew where it would leave some out", () => {
  expect(withNewer(records("2", "1"), records("9", "8"))).toBeNull();
  expect(withNewer([], records("1"))).toBeNull();
  expect(withNewer(records("1"), [])).toBeNull();
});
