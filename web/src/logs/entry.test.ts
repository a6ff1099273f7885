import { describe, expect, it } from "vitest";
import type { LineFragment } from "../api/operations.ts";
import { entry, items, json, rejoined, text } from "./entry.ts";

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

describe("after the connection was lost", () => {
  const known = ["7", "8", "9"].map((id) => entry(line({ id })));
  const ids = (items: readonly { kind: string; id?: string }[]) => items.map((item) => item.id ?? item.kind);

  it("takes each line once where what comes meets what is there", () =>
    expect(ids(rejoined(known, [line({ id: "8" }), line({ id: "9" }), line({ id: "10" })]))).toEqual(["10"]));

  it("says that lines may be missing where it does not", () => {
    const [gap, ...fresh] = rejoined(known, [line({ id: "20" }), line({ id: "21" })]);
    expect(gap).toEqual({ kind: "gap", dropped: null });
    expect(ids(fresh)).toEqual(["20", "21"]);
    expect(text({ kind: "gap", dropped: null })).toBe("--- some lines are missing here ---");
    expect(ids(rejoined([], [line({ id: "20" })]))).toEqual(["20"]);
  });
});
