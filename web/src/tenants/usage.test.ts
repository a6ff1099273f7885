import { expect, it } from "vitest";
import { usage } from "./usage.ts";

it("adds up pipelines and bytes by tenant, of deleted pipelines too", () => {
  const holds = (pipelineId: string, totalBytes: number) => ({ pipelineId, usage: { totalBytes } });
  const sums = usage({
    tenants: [],
    pipelines: [
      { id: "a:x", tenant: "a" },
      { id: "a:y", tenant: "a" },
      { id: "b:x", tenant: "b" },
    ],
    storage: { pipelines: [holds("a:x", 5), holds("a:y", 7), holds("c:gone", 3)] },
  });
  expect(Object.fromEntries(sums)).toEqual({
    a: { pipelines: 2, bytes: 12 },
    b: { pipelines: 1, bytes: 0 },
    c: { pipelines: 0, bytes: 3 },
  });
});
