import { expect, it } from "vitest";
import { QUOTAS, saidOf, toQuotas, toValues, wrongQuotas } from "./quotas.ts";

const BEFORE = {
  pipelines: 5,
  destinationsPerPipeline: 4,
  storageBytes: 50_000_000_000,
  stageMemoryBytes: 128 * 2 ** 20,
  inFlightFragments: 30,
  ffmpegProcesses: 4,
};
const FINE = toValues(BEFORE);

it("shows whole GB and MiB, and sends bytes", () => {
  expect(FINE).toMatchObject({ storageBytes: 50, stageMemoryBytes: 128, pipelines: 5 });
  expect(toQuotas({ ...FINE, storageBytes: 60, stageMemoryBytes: 64 }, BEFORE)).toMatchObject({
    storageBytes: 60_000_000_000,
    stageMemoryBytes: 67_108_864,
  });
});

it("leaves what was not touched as it is, to the byte", () => {
  const odd = { ...BEFORE, storageBytes: 53_687_091_200 };
  const values = toValues(odd);
  expect(wrongQuotas(values, odd)).toEqual({});
  expect(toQuotas(values, odd).storageBytes).toBe(53_687_091_200);
});

it("says what is out of range or no whole number in the unit of the field", () => {
  expect(wrongQuotas(FINE, BEFORE)).toEqual({});
  const wrong = { ...FINE, storageBytes: 0.5, stageMemoryBytes: 5000, ffmpegProcesses: 0 };
  expect(wrongQuotas(wrong, BEFORE)).toEqual({
    storageBytes: "0.5 is not a whole number: use 1 to 1000000",
    stageMemoryBytes: "5000 is too large: use 32 to 1024",
    ffmpegProcesses: "0 is too small: use 1 to 256",
  });
  expect(wrongQuotas({ ...FINE, pipelines: null }, BEFORE)).toEqual({});
});

it("puts the server's own bounds into that unit too", () => {
  const storage = QUOTAS.find((one) => one.name === "storageBytes");
  const said = "1000000 must be a whole number from 100000000 to 1000000000000000";
  expect(storage && saidOf(storage, [said])).toEqual(["0.001 must be from 0.1 to 1000000"]);
});
