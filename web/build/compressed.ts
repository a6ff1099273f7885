// Writes a .gz beside each file that benefits from it, so that the host need not compress anything.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(css|html|js|json|map|svg|txt)$/;
/** Smaller files, in bytes, fit into one packet anyway. */
const WORTH_FROM = 1024;

/** The compressed file, or nothing if it would save less than a tenth. The same input gives the same bytes. */
export function compress(name: string, content: Uint8Array): Uint8Array | undefined {
  if (!TEXT.test(name) || content.length < WORTH_FROM) return undefined;
  const packed = gzipSync(content, { level: 9 });
  return packed.length < content.length * 0.9 ? packed : undefined;
}

/** Runs after the files are written. */
export function compressed(): Plugin {
  return {
    name: "outboard:compressed",
    apply: "build",
    enforce: "post",
    async writeBundle(options, bundle) {
      const dir = options.dir ?? "dist";
      for (const file of Object.values(bundle)) {
        const packed = compress(file.fileName, Buffer.from(file.type === "chunk" ? file.code : file.source));
        if (packed) await writeFile(join(dir, `${file.fileName}.gz`), packed);
      }
    },
  };
}
