import { expect, it } from "vitest";
import { QUOTAS, saidOf, toQuotas, wrongQuotas } from "./quotas.ts";

const FINE = {
  pipelines: 5,
  destinationsPerPipeline: 4,
  storageBytes: 53.687091,
  stageMemoryBytes: 134.217728,
  inFlightFragments: 30,
  ffmpegProcesses: 4,
};

it("sends bytes", () =>
  expect(toQuotas(FINE)).toMatchObject({ pipelines: 5, storageBytes: 53_687_091_000, stageMemoryBytes: 134_217_728 }));

it("says what is out of range in the unit of the field", () => {
  expect(wrongQuotas(FINE)).toEqual({});
  expect(wrongQuotas({ ...FINE, storageBytes: 0.001, stageMemoryBytes: 5000, ffmpegProcesses: 0 })).toEqual({
    storageBytes: "0.001 is too little: use 0.105 to 1125899",
    stageMemoryBytes: "5000 is too much: use 33.6 to 1073",
    ffmpegProcesses: "0 is too little: use 1 to 256",
  });
  expect(wrongQuotas({ ...FINE, storageBytes: 1e15 })).toHaveProperty("storageBytes");
  expect(wrongQuotas({ ...FINE, pipelines: null })).toEqual({});
});

it("takes what it was before: bounds themselves are in range", () =>
  expect(wrongQuotas({ ...FINE, storageBytes: 0.1048576, stageMemoryBytes: 1073.741824 })).toEqual({}));

it("puts the server's own bounds into that unit too", () => {
  const storage = QUOTAS.find((one) => one.name === "storageBytes");
  const said = "1000000 must be a whole number from 104857600 to 1125899906842624";
  expect(storage && saidOf(storage, [said])).toEqual(["0.001 must be from 0.105 to 1125899"]);
});
