// The retention of a pipeline in words.

import { duration } from "../format/duration.ts";
import { bytes, counted } from "../format/quantity.ts";

interface Keep {
  readonly batches: number | null;
  readonly maxAgeSeconds: number | null;
  readonly maxBytes: number | null;
}

/** The default (docs/configuration.md). */
const STANDARD_BATCHES = 5;

export function retention({ batches, maxAgeSeconds, maxBytes }: Keep): string {
  const parts = [
    batches === null ? null : counted(batches, "batch", "batches"),
    maxAgeSeconds === null ? null : duration(maxAgeSeconds * 1000),
    maxBytes === null ? null : bytes(maxBytes),
  ].filter((part) => part !== null);
  return parts.length > 0 ? parts.join(", ") : `${counted(STANDARD_BATCHES, "batch", "batches")} (default)`;
}
