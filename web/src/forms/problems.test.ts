import { expect, it } from "vitest";
import { Problems } from "./problems.ts";

const problems = new Problems([
  { path: "input.streamId", message: "is taken" },
  { path: "input.settings.source.url", message: "must be an http:// URL" },
  { path: "input.settings.destinations[1].url", message: "must be an rtmp:// URL" },
  { path: "input.settings.sourceful", message: "is no setting" },
]);

it("finds what is wrong with a field and with what is below it", () => {
  expect(problems.at("streamId")).toEqual(["Is taken"]);
  expect(problems.at("settings.source.url")).toEqual(["Must be an http:// URL"]);
  expect(problems.at("settings.source")).toEqual(["Url must be an http:// URL"]);
  expect(problems.at("settings.destinations[1]")).toEqual(["Url must be an rtmp:// URL"]);
  expect(problems.at("settings.destinations[0]")).toEqual([]);
});

it("tells what no field has shown", () => {
  const shown = ["streamId", "settings.source", "settings.destinations"];
  expect(problems.others(shown).map((one) => one.path)).toEqual(["input.settings.sourceful"]);
  expect(Problems.of(undefined).others([])).toEqual([]);
});
