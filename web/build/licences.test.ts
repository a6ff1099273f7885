import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { licenceOf, notice, packageOf, permitted } from "./licences.ts";

describe("permitted", () => {
  it.each(["MIT", "Apache-2.0", "(MPL-2.0 OR Apache-2.0)", "GPL-3.0-only OR MIT", "MIT AND ISC", "BSD-3-Clause"])(
    "takes %s",
    (expression) => expect(permitted(expression)).toBe(true),
  );
  it.each([
    "GPL-3.0-only",
    "MIT AND GPL-3.0-only",
    "CC-BY-4.0",
    "UNLICENSED",
    "SEE LICENSE IN LICENSE",
    "none given",
    "",
    "(MIT OR (GPL-2.0-only AND MIT))",
  ])("refuses %s", (expression) => expect(permitted(expression)).toBe(false));
});

describe("packageOf", () => {
  const root = mkdtempSync(join(tmpdir(), "outboard-licences-"));
  afterAll(() => rmSync(root, { recursive: true }));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    return join(root, path);
  };

  it("finds the package of a module, through folders that have a package.json of their own", () => {
    put("node_modules/@a/b/package.json", '{"name":"@a/b","version":"1.2.3","license":"MIT"}');
    put("node_modules/@a/b/LICENSE.md", "Do as you like.\n");
    put("node_modules/@a/b/esm/package.json", '{"type":"module"}');
    const module = put("node_modules/@a/b/esm/index.js", "");
    const found = { name: "@a/b", version: "1.2.3", licence: "MIT", text: "Do as you like." };
    expect(packageOf(module)).toEqual(found);
    expect(packageOf(`\0${module}?commonjs-es-import`)).toEqual(found);
  });

  it("knows MIT by its words where that is all a package gives", () => {
    const grant = readFileSync(new URL("../node_modules/svelte-toolbelt/LICENSE", import.meta.url), "utf8");
    expect(licenceOf(grant)).toBe("MIT");
    expect(licenceOf(grant.replace("without restriction", "without much restriction"))).toBe("none given");
    expect(licenceOf("MIT License")).toBe("none given");
  });

  it("says so where a package gives no licence", () => {
    put("node_modules/c/package.json", '{"name":"c","version":"1.0.0"}');
    expect(packageOf(put("node_modules/c/index.js", ""))?.licence).toBe("none given");
  });

  it("passes over our own files and the bundler's helpers", () => {
    expect(packageOf(put("src/main.ts", ""))).toBeUndefined();
    expect(packageOf("\0vite/preload-helper.js")).toBeUndefined();
  });
});

describe("notice", () => {
  it("names each package with its version, its licence and the text", () => {
    const text = notice([
      { name: "a", version: "1.0.0", licence: "MIT", text: "Copyright A" },
      { name: "b", version: "2.0.0", licence: "ISC", text: "" },
    ]);
    expect(text).toContain("=== a 1.0.0 (MIT) ===\n\nCopyright A\n");
    expect(text).toContain("=== b 2.0.0 (ISC) ===\n\nThe package carries no text of its licence.\n");
  });
});
