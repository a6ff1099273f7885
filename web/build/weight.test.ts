import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Rollup } from "vite";
import { describe, expect, it } from "vitest";
import { firstView, weight } from "./weight.ts";

const chunk = (fileName: string, code: string, imports: string[], more = {}) =>
  ({
    type: "chunk",
    fileName,
    code,
    imports,
    dynamicImports: [],
    isEntry: false,
    facadeModuleId: null,
    ...more,
  }) as unknown as Rollup.OutputChunk;
const bundle = (later: string): Rollup.OutputBundle => ({
  "a.js": chunk("a.js", "a", ["b.js"], {
    isEntry: true,
    facadeModuleId: "/web/index.html",
    dynamicImports: ["later.js"],
  }),
  "b.js": chunk("b.js", "bbb", ["a.js", "outside"]),
  "later.js": chunk("later.js", later, ["b.js"]),
});

describe("the first view", () => {
  it("has what is imported from the start, each once, and not what is fetched later", () => {
    expect(firstView("a.js", bundle("x".repeat(9)))).toEqual([
      { name: "b.js", bytes: gzipSync("bbb", { level: 9 }).length },
      { name: "a.js", bytes: gzipSync("a", { level: 9 }).length },
    ]);
  });

  it("must not be too heavy", () => {
    const run = (all: Rollup.OutputBundle) => {
      const said: string[] = [];
      const context = {
        info: (text: string) => said.push(text),
        error: (text: string) => {
          throw new Error(text);
        },
      };
      (weight("index.html").writeBundle as (this: unknown, options: unknown, all: unknown) => void).call(
        context,
        {},
        all,
      );
      return said;
    };
    const noise = randomBytes(180_000).toString("base64");
    expect(run(bundle(noise))[0]).toContain("index.html: ");
    expect(() => run({ ...bundle(""), "b.js": chunk("b.js", noise.repeat(2), []) })).toThrow(
      /200000 are allowed: b\.js/,
    );
    expect(() => run({})).toThrow("not part of the build");
  });
});
