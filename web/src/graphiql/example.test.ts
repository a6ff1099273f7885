import { readFileSync } from "node:fs";
import { buildSchema, parse, validate } from "graphql";
import { expect, it } from "vitest";
import { EXAMPLE } from "./example.ts";

it("fits the schema, and has one operation of each kind", () => {
  const schema = buildSchema(readFileSync(new URL("../../../host/api/schema.graphql", import.meta.url), "utf8"));
  const document = parse(EXAMPLE);
  expect(validate(schema, document)).toEqual([]);
  const kinds = document.definitions.map((one) => (one.kind === "OperationDefinition" ? one.operation : one.kind));
  expect(kinds).toEqual(["query", "subscription", "mutation"]);
});
