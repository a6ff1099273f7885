// What a browser fetches before it shows anything: the script of a page and all that it imports from the start, compressed
// as the host sends it. A build in which that is too much fails, and says which files it is made of.

import { gzipSync } from "node:zlib";
import type { Plugin, Rollup } from "vite";

/** Bytes after gzip; the player (hls.js) is fetched later, when somebody looks. */
const MOST = 200_000;

export interface Weight {
  readonly name: string;
  readonly bytes: number;
}

/** The scripts of a page, the largest first. Imports that wait for a click are not among them. */
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

/** Looks at the page that is made of `html`. */
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
