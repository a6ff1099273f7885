// The size of what a browser loads before it shows anything: the script of a page and all its static imports,
// compressed as the host sends them. A build that exceeds the limit fails and lists the files.

import { gzipSync } from "node:zlib";
import type { Plugin, Rollup } from "vite";

/** In bytes after gzip; the player (hls.js) is loaded later, on demand. */
const MOST = 200_000;

export interface Weight {
  readonly name: string;
  readonly bytes: number;
}

/** The scripts of a page, the largest first, without dynamic imports. */
export function firstView(entry: string, bundle: Readonly<Rollup.OutputBundle>): Weight[] {
  const found = new Map<string, Weight>();
  const take = (name: string) => {
    const chunk = bundle[name];
    if (chunk?.type !== "chunk" || found.has(name)) return;
    found.set(name, { name, bytes: gzipSync(chunk.code, { level: 9 }).length });
    chunk.imports.forEach(take);
  };
  take(entry);
  return [...found.values()].sort((a, b) => b.bytes - a.bytes);
}

/** Checks the page that is built from `html`. */
export function weight(html: string): Plugin {
  return {
    name: "outboard:weight",
    apply: "build",
    enforce: "post",
    writeBundle(_, bundle) {
      const entry = Object.values(bundle).find(
        (one) => one.type === "chunk" && one.isEntry && one.facadeModuleId?.endsWith(html),
      );
      if (!entry) this.error(`${html} is not part of the build`);
      const scripts = firstView(entry.fileName, bundle);
      const bytes = scripts.reduce((sum, one) => sum + one.bytes, 0);
      const parts = scripts.map((one) => `${one.name} ${one.bytes}`).join(", ");
      if (bytes > MOST)
        this.error(`${html} asks for ${bytes} bytes of scripts at first, after gzip; ${MOST} are allowed: ${parts}`);
      this.info(`${html}: ${bytes} bytes of scripts at first, after gzip (${parts})`);
    },
  };
}
