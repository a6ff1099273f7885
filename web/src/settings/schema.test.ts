import { describe, expect, it } from "vitest";
import { fieldsOf, fromTexts, toTexts } from "./schema.ts";

const SCHEMA = {
  type: "object",
  properties: {
    batch_seconds: {
      type: "integer",
      title: "Batch length",
      description: "It `ends` then.",
      minimum: 2,
      maximum: 120,
      default: 30,
    },
    cut_at_cues: { type: "boolean", default: false },
    unit: { type: "string", enum: ["ms", "s"], default: "ms" },
    metadata: { type: "object", default: {} },
    name: { type: "string" },
  },
};
const fields = fieldsOf(SCHEMA);

describe("fields of a schema", () => {
  it("has one for each property, with what one must know of it", () => {
    expect(fields[0]).toEqual({
      name: "batch_seconds",
      title: "Batch length",
      hint: "It ends then. 2 to 120.",
      kind: "number",
      options: [],
      standard: "30",
    });
    expect(fields.map(({ title, kind, standard }) => [title, kind, standard])).toEqual([
      ["Batch length", "number", "30"],
      ["cut at cues", "switch", "false"],
      ["unit", "choice", "ms"],
      ["metadata", "json", "{}"],
      ["name", "text", ""],
    ]);
    expect(fields[2]?.options).toEqual(["ms", "s"]);
  });

  it("has none where there is no schema of an object", () => {
    for (const odd of [null, true, [], { type: "string" }, { properties: [] }]) expect(fieldsOf(odd)).toEqual([]);
  });
});

describe("what is typed", () => {
  it("is sent in the schema's types, without what was left empty", () =>
    expect(
      fromTexts(fields, { batch_seconds: " 8 ", cut_at_cues: "true", unit: "", metadata: '{"lang":"es"}' }, null),
    ).toEqual({
      batch_seconds: 8,
      cut_at_cues: true,
      metadata: { lang: "es" },
    }));

  it("comes back as it was", () => {
    const set = { batch_seconds: 8, cut_at_cues: false, unit: "s", metadata: { a: [1] }, name: "x" };
    expect(fromTexts(fields, toTexts(fields, set), set)).toEqual(set);
  });

  it("keeps what no field shows, and is nothing where all is as by default", () => {
    expect(fromTexts(fields, {}, { other: 1, unit: "s" })).toEqual({ other: 1 });
    expect(fromTexts(fields, toTexts(fields, null), null)).toBeNull();
  });

  it("is left to the component where it cannot be read", () =>
    expect(fromTexts(fields, { batch_seconds: "soon", metadata: "{" }, null)).toEqual({
      batch_seconds: "soon",
      metadata: "{",
    }));
});

it("keeps the schema's own order, and hides what is secret", () => {
  const properties = {
    url: { type: "string" },
    api_key: { type: "string", writeOnly: true },
    a_password: { type: "string", format: "password" },
  };
  expect(fieldsOf({ properties }).map(({ name, kind }) => [name, kind])).toEqual([
    ["url", "text"],
    ["api_key", "secret"],
    ["a_password", "secret"],
  ]);
});
