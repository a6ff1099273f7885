import { describe, expect, it } from "vitest";
import { ApiError } from "../api/error.ts";
import { Problems, refusal, words } from "./problems.ts";

const problems = new Problems([
  { path: "input.streamId", message: "is taken" },
  { path: "input.settings.source.url", message: "must be an http:// URL" },
  { path: "input.settings.destinations[1].url", message: "must be an rtmp:// URL" },
  { path: "input.settings.sourceful", message: "is no setting" },
]);

it("finds what is wrong with a field and with what is below it", () => {
  expect(problems.at("streamId")).toEqual(["Is taken"]);
  expect(problems.at("settings.source.url")).toEqual(["Must be an http:// URL"]);
  expect(problems.at("settings.source")).toEqual(["URL must be an http:// URL"]);
  expect(problems.at("settings.destinations[1]")).toEqual(["URL must be an rtmp:// URL"]);
  expect(problems.at("settings.destinations[0]")).toEqual([]);
});

it("tells what no field has shown", () => {
  const shown = ["streamId", "settings.source", "settings.destinations"];
  expect(problems.others(shown).map((one) => one.path)).toEqual(["input.settings.sourceful"]);
  expect(Problems.of(undefined).others([])).toEqual([]);
});

it("counts the entries of a list from 1", () => {
  const list = new Problems([
    { path: "input.networkPolicy.denyRanges[0]", message: '"x" is not a range' },
    { path: "input.networkPolicy.denyRanges[11]", message: "is there twice" },
    { path: "input.settings.source.headers[0].value", message: "is missing" },
  ]);
  expect(list.at("networkPolicy.denyRanges")).toEqual(['Entry 1: "x" is not a range', "Entry 12: is there twice"]);
  expect(list.at("settings.source.headers")).toEqual(["Entry 1, value is missing"]);
});

describe("words for a path", () => {
  it.each([
    ["input.file", "file"],
    ["input.settings.destinations[1].srsApi", "destinations, entry 2, SRS API"],
    ["input.settings.keep.maxAgeSeconds", "keep, max age seconds"],
    ["stages.batching.settings.batch_seconds", "stages, batching, settings, batch seconds"],
    ["input", ""],
    ["arguments", ""],
    ["inputs", "inputs"],
  ])("%s", (path, said) => expect(words(path)).toBe(said));
});

describe("a refusal", () => {
  const file = { path: "input.file", message: "this is not a WebAssembly component" };
  const signature = { path: "input.signature", message: "is missing" };

  it("has no path of the request in it", () => {
    const one = new ApiError("INVALID_INPUT", `${file.path} ${file.message}`, [file]);
    expect(refusal(one)).toEqual({ sentence: "File: this is not a WebAssembly component", list: [] });
    const two = new ApiError("INVALID_INPUT", `${file.path} ${file.message}; ${signature.path} is missing`, [
      file,
      signature,
    ]);
    expect(refusal(two)).toEqual({
      sentence: "File: this is not a WebAssembly component; Signature is missing",
      list: [],
    });
  });

  it("lists what its sentence does not say, and leaves other sentences as they are", () => {
    expect(refusal(new ApiError("INVALID_INPUT", "2 settings are wrong", [file]))).toEqual({
      sentence: "2 settings are wrong",
      list: ["File: this is not a WebAssembly component"],
    });
    expect(refusal(new ApiError("CONFLICT", "pipeline a runs"))).toEqual({ sentence: "pipeline a runs", list: [] });
  });
});
