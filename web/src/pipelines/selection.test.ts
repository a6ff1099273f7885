import { expect, it } from "vitest";
import { ApiError } from "../api/error.ts";
import { named, toEach } from "./selection.ts";

const many = (count: number) => Array.from({ length: count }, (_, n) => ({ id: `t:s${n}`, name: `s${n}` }));

it("goes on after one that is refused, and names it", async () => {
  const done: string[] = [];
  const stop = async (id: string) => {
    if (id === "t:s1") throw new ApiError("CONFLICT", "A swap is under way.");
    done.push(id);
  };
  await expect(toEach(many(3), stop, "stopped")).rejects.toThrow(
    "1 of 3 could not be stopped. s1: A swap is under way.",
  );
  expect(done).toEqual(["t:s0", "t:s2"]);
  await expect(toEach(many(1), stop, "stopped")).resolves.toBeUndefined();
});

it("names all of a few and the first of many", () => {
  expect(named(many(2))).toBe("s0, s1");
  expect(named(many(11))).toMatch(/^s0, .*s7 and 3 more$/);
});
