// A log line on the page, and as text for the clipboard and for files.

import type { LineFragment, LogLevel } from "../api/operations.ts";

export interface Entry {
  readonly kind: "line";
  readonly id: string;
  readonly at: number;
  readonly level: LogLevel;
  readonly target: string;
  readonly pipeline: string | null;
  readonly batch: number | null;
  readonly message: string;
  /** Fields besides the message, in order. */
  readonly fields: readonly (readonly [string, string])[];
}

/** Replaces lines that arrived too fast to be delivered. */
export interface Gap {
  readonly kind: "gap";
  /** `null`: unknown, because the connection was lost. */
  readonly dropped: number | null;
}

export type Item = Entry | Gap;

export function entry(line: LineFragment): Entry {
  return {
    kind: "line",
    id: line.id,
    at: Date.parse(line.at),
    level: line.level,
    target: line.target,
    pipeline: line.pipelineId,
    batch: line.batch,
    message: line.message,
    fields: pairs(line.fields),
  };
}

/** Lines that arrived together, after a gap if there is one. */
export function items(lines: readonly LineFragment[], dropped: number): Item[] {
  const fresh: Item[] = lines.map(entry);
  return dropped > 0 ? [{ kind: "gap", dropped }, ...fresh] : fresh;
}

/** The first lines after a lost connection: the newest lines again, perhaps without all lines in between. */
export function rejoined(known: readonly Item[], lines: readonly LineFragment[]): Item[] {
  const ids = new Set(known.map((item) => (item.kind === "line" ? item.id : null)));
  const fresh = lines.filter((line) => !ids.has(line.id)).map(entry);
  const meets = known.length === 0 || fresh.length < lines.length;
  return meets ? fresh : [{ kind: "gap", dropped: null }, ...fresh];
}

function pairs(fields: unknown): [string, string][] {
  if (typeof fields !== "object" || fields === null) return [];
  return Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
}

/** One line of text. Times in UTC, because text may be read in another time zone. */
export function text(item: Item): string {
  if (item.kind === "gap") return `--- ${item.dropped ?? "some"} lines are missing here ---`;
  const about = [item.pipeline, item.batch === null ? null : `batch ${item.batch}`]
    .filter((part) => part !== null)
    .join(" ");
  const fields = item.fields
    .map(([name, value]) => `${name}=${/[\s"=]/.test(value) ? JSON.stringify(value) : value}`)
    .join(" ");
  return [
    new Date(item.at).toISOString(),
    item.level.padEnd(5),
    item.target,
    about && `[${about}]`,
    item.message,
    fields,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** For programs: one JSON object per line. */
export function json(item: Item): string {
  if (item.kind === "gap") return JSON.stringify({ dropped: item.dropped });
  const { id, at, level, target, pipeline, batch, message, fields } = item;
  return JSON.stringify({
    id,
    at: new Date(at).toISOString(),
    level,
    target,
    pipeline,
    batch,
    message,
    fields: Object.fromEntries(fields),
  });
}
