import { readFileSync } from "node:fs";
import { buildSchema, isEnumType } from "graphql";
import { expect, it } from "vitest";
import { choiceOf, KIND_GROUPS, kindsOf, kindWord, PROBLEMS, summary } from "./kinds.ts";

it("offers each kind of the schema once", () => {
  const type = buildSchema(readFileSync(new URL("../../../host/api/schema.graphql", import.meta.url), "utf8")).getType(
    "EventKind",
  );
  const offered = KIND_GROUPS.flatMap((group) => group.kinds.map(([kind]) => kind));
  expect(
    isEnumType(type) &&
      type
        .getValues()
        .map((one) => one.name)
        .sort(),
  ).toEqual(offered.toSorted());
});

it("knows all, problems only and a choice apart, and sends an empty list for all", () => {
  expect([[], PROBLEMS, ["OFF_AIR" as const]].map(choiceOf)).toEqual(["all", "problems", "some"]);
  expect(kindsOf("all", new Set(["OFF_AIR"]))).toEqual([]);
  expect(kindsOf("some", new Set(["OFF_AIR"]))).toEqual(["OFF_AIR"]);
  expect(choiceOf(kindsOf("problems", new Set()))).toBe("problems");
});

it("says them in words", () => {
  expect(summary([])).toBe("All events");
  expect(summary(PROBLEMS)).toBe("Problems only");
  expect(summary(["OFF_AIR", "QUOTA_REACHED"])).toBe("Off air, Quota reached");
  expect(kindWord("SOMETHING_NEW")).toBe("something new");
});
