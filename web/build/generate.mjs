// Writes src/api/operations.ts: each operation of src/**/*.graphql with the types of its variables and its result,
// generated from the host's checked-in schema. An operation that does not match the schema is an error here.

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { codegen } from "@graphql-codegen/core";
import * as typedDocumentNode from "@graphql-codegen/typed-document-node";
import * as typescriptOperations from "@graphql-codegen/typescript-operations";
import { buildSchema, parse, Source, specifiedRules, validate } from "graphql";

const root = new URL("..", import.meta.url);
const SCHEMA = new URL("../host/api/schema.graphql", root);
const OUT = new URL("src/api/operations.ts", root);

/** The JSON types of scalars. BigInt is a string above 2^53 - 1, which no counter reaches. */
const scalars = { BigInt: "number", DateTime: "string", JSON: "unknown" };

const text = await readFile(SCHEMA, "utf8");
const schema = buildSchema(text);
const names = (await readdir(new URL("src", root), { recursive: true }))
  .filter((name) => name.endsWith(".graphql"))
  .sort();
const documents = await Promise.all(
  names.map(async (name) => {
    const source = new Source(await readFile(new URL(`src/${name}`, root), "utf8"), `src/${name}`);
    return { location: source.name, document: parse(source, { noLocation: false }) };
  }),
);
const all = { kind: "Document", definitions: documents.flatMap((one) => one.document.definitions) };
const problems = validate(
  schema,
  all,
  specifiedRules.filter((rule) => rule.name !== "NoUnusedFragmentsRule"),
);
if (problems.length > 0) {
  process.stderr.write(`${problems.map(String).join("\n\n")}\n`);
  process.exit(1);
}
const code = await codegen({
  filename: "operations.ts",
  schema: parse(text),
  documents,
  config: {},
  plugins: [
    {
      typescriptOperations: {
        scalars,
        defaultScalarType: "unknown",
        enumType: "string-literal",
        skipTypename: true,
        arrayInputCoercion: false,
        useTypeImports: true,
        immutableTypes: true,
      },
    },
    { typedDocumentNode: { documentMode: "string", useTypeImports: true, dedupeFragments: true } },
  ],
  pluginMap: { typescriptOperations, typedDocumentNode },
});
const generated = `// Written by npm run generate from the schema and src/**/*.graphql. Not edited, not committed.\n${code}`;
await mkdir(new URL(".", OUT), { recursive: true });
// Only if it changed, so that watchers do not rebuild without need.
if (!existsSync(OUT) || (await readFile(OUT, "utf8")) !== generated) await writeFile(OUT, generated);
