// Checks the packages in the pages: every package in the bundle must have a permissive licence, or the build fails;
// their texts are written to licences.txt, as the licences require. (Packages that only build or test are not shipped.)

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** MPL-2.0 is copyleft per file: permitted for unmodified files. */
const ALLOWED = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "Zlib"]);

/** The parts that identify a text as the MIT licence: the grant, its condition, and nothing else. */
const MIT = [
  "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation",
  "to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish",
  "subject to the following conditions: The above copyright notice and this permission notice",
  'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND',
];

export interface Package {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly text: string;
}

/** Whether an SPDX expression can be satisfied with permitted licences: `A OR B` by one of them, `A AND B` by both. */
export function permitted(expression: string): boolean {
  const inner = expression.trim();
  const words = inner.replaceAll(/[()]/g, " ").trim();
  // Nested expressions do not occur; an expression that cannot be parsed is not permitted.
  if (/\(.*\(/.test(inner) || words === "") return false;
  return words.split(/\s+OR\s+/).some((either) => either.split(/\s+AND\s+/).every((one) => ALLOWED.has(one.trim())));
}

/** The licence of a package that only has a text: recognised if it is MIT's, word for word. */
export function licenceOf(text: string): string {
  const plain = text.replaceAll(/\s+/g, " ");
  return MIT.every((part) => plain.includes(part)) ? "MIT" : "none given";
}

/** The package of a module's file; nothing for our own files and the bundler's helpers. */
export function packageOf(module: string): Package | undefined {
  const file = module.replace(/^\0/, "").replace(/\?.*$/, "");
  if (!file.includes("/node_modules/")) return undefined;
  for (let dir = dirname(file); !dir.endsWith("/node_modules"); dir = dirname(dir)) {
    const manifest = join(dir, "package.json");
    if (!existsSync(manifest)) continue;
    const { name, version, license } = JSON.parse(readFileSync(manifest, "utf8"));
    // Folders below a package may have a package.json without a name, which only sets the module type.
    if (name && version) {
      const text = licenceText(dir);
      return { name, version, licence: String(license ?? licenceOf(text)), text };
    }
  }
  return undefined;
}

function licenceText(dir: string): string {
  const files = readdirSync(dir).filter((name) => /^(licen[cs]e|notice|copying)(\.(md|txt))?$/i.test(name));
  return files.map((name) => readFileSync(join(dir, name), "utf8").trim()).join("\n\n");
}

/** The page that lists the packages. */
export function notice(packages: readonly Package[]): string {
  const parts = packages.map(
    ({ name, version, licence, text }) =>
      `=== ${name} ${version} (${licence}) ===\n\n${text || "The package carries no text of its licence."}\n`,
  );
  return `These packages are part of Outboard's web pages.\n\n${parts.join("\n")}`;
}

/** Checks and writes the list at the end of the build. */
export function licences(): Plugin {
  return {
    name: "outboard:licences",
    apply: "build",
    generateBundle() {
      const found = new Map<string, Package>();
      for (const module of this.getModuleIds()) {
        const it = packageOf(module);
        if (it) found.set(`${it.name} ${it.version}`, it);
      }
      const packages = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      const refused = packages.filter((it) => !permitted(it.licence)).map((it) => `${it.name} (${it.licence})`);
      if (refused.length > 0) this.error(`these packages have a licence that is not allowed: ${refused.join(", ")}`);
      this.emitFile({ type: "asset", fileName: "licences.txt", source: notice(packages) });
    },
  };
}
