import { expect, it } from "vitest";
import { keyOf, Places } from "./places.ts";

it("knows where each step was, also after a reload", () => {
  const places = new Places();
  places.keep("a", 10);
  places.keep("b", 0);
  places.keep("a", 30);
  const again = Places.from(places.text);
  expect([again.of("a"), again.of("b"), again.of("c"), again.of(null)]).toEqual([30, 0, undefined, undefined]);
});

it("lets the oldest go, and keeps what was used since", () => {
  const places = new Places();
  for (let n = 0; n < 50; n += 1) places.keep(`${n}`, n);
  places.keep("0", 7);
  places.keep("50", 50);
  expect([places.of("0"), places.of("1"), places.of("2"), places.of("50")]).toEqual([7, undefined, 2, 50]);
});

it.each([null, "", "{", "7", '["a"]', '[["a"],[1,2],null]'])("takes %s for nothing", (text) =>
  expect(Places.from(text).text).toBe("[]"),
);

it("finds the key of a step that is ours", () => {
  expect(keyOf({ key: "a" })).toBe("a");
  for (const state of [null, undefined, "a", {}, { key: 1 }]) expect(keyOf(state)).toBeNull();
});
