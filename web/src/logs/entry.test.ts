import { describe, expect, it } from "vitest";
import type { LineFragment } from "../api/operations.ts";
import { entry, items, json, text } from "./entry.ts";

const line = (more: Partial<LineFragment> = {}): LineFragment => ({
  id: "7",
  at: "2026-11-22T14:03:22.057Z",
  level: "WARN",
  target: "exchange",
  tenant: "default",
  pipelineId: "default:show",
  batch: 12,
  message: "the reply was late",
  fields: { after_ms: 3100, why: "no time", url: "http://a/?b=c", ok: false },
  ...more,
});

describe("a line as text", () => {
  it("has all of it, with what has blanks in quotes", () =>
    expect(text(entry(line()))).toBe(
      '2026-11-22T14:03:22.057Z WARN  exchange [default:show batch 12] the reply was late after_ms=3100 why="no time" url="http://a/?b=c" ok=false',
    ));

  it("leaves out what it is not about", () =>
    expect(text(entry(line({ pipelineId: null, batch: null, fields: null })))).toBe(
      "2026-11-22T14:03:22.057Z WARN  exchange the reply was late",
    ));
});

it("can be read back by programs", () => {
  expect(JSON.parse(json(entry(line())))).toMatchObject({
    id: "7",
    batch: 12,
    fields: { after_ms: "3100", why: "no time" },
  });
  expect(JSON.parse(json({ kind: "gap", dropped: 3 }))).toEqual({ dropped: 3 });
});

it("puts a gap before the lines that came after it", () => {
  expect(items([line()], 37).map(text)[0]).toBe("--- 37 lines are missing here ---");
  expect(items([line()], 0)).toHaveLength(1);
});
