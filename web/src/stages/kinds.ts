// The kinds of stages, in the order of the data, and the display names of components.

import type { ComponentSource, StageKind } from "../api/operations.ts";

export const KINDS: readonly [StageKind, string, string][] = [
  ["BATCHING", "Batching", "decides when a batch is cut"],
  ["FRAMING", "Framing", "decides how a fragment is framed for the processor"],
  ["REMUX_PLANNING", "Remux planning", "decides how the returned audio is remuxed, or what goes on air instead"],
];

export const kindName = (kind: StageKind): string => KINDS.find(([one]) => one === kind)?.[1] ?? kind;

export const SOURCES: Record<ComponentSource, string> = {
  BUNDLED: "bundled",
  FOLDER: "from the folder",
  UPLOAD: "uploaded",
  REGISTRY: "from a registry",
  COMMAND_LINE: "by command line",
};

/** Enough of a digest to distinguish components; the title has the whole digest. */
export const short = (digest: string): string => digest.replace("sha256:", "").slice(0, 12);

/** Interfaces grouped by package: `wasi:io@0.2.6: poll, error, streams`. */
export function byPackage(imports: readonly string[]): string[] {
  const packages = new Map<string, string[]>();
  for (const one of imports) {
    const [, name = one, part, version] = /^([^/@]+)\/([^@]+)(@.+)?$/.exec(one) ?? [];
    const key = `${name}${version ?? ""}`;
    packages.set(key, [...(packages.get(key) ?? []), ...(part ? [part] : [])]);
  }
  return [...packages].map(([name, parts]) => (parts.length > 0 ? `${name}: ${parts.join(", ")}` : name));
}
