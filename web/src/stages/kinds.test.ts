import { expect, it } from "vitest";
import { byPackage, kindName, short } from "./kinds.ts";

it("groups what a component imports by package and version", () => {
  expect(
    byPackage(["outboard:stage/types@0.1.0", "wasi:io/poll@0.2.6", "wasi:io/error@0.2.6", "wasi:io/poll@0.2.0", "odd"]),
  ).toEqual(["outboard:stage@0.1.0: types", "wasi:io@0.2.6: poll, error", "wasi:io@0.2.0: poll", "odd"]);
});

it("names kinds and digests for people", () => {
  expect(kindName("REMUX_PLANNING")).toBe("Remux planning");
  expect(short("sha256:0123456789abcdef0123")).toBe("0123456789ab");
});
