// A line of the log as it is kept on the page, and as text for the clipboard and for files.

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
  /** Beside the message, in order. */
  readonly fields: readonly (readonly [string, string])[];
}

/** In the place of lines that came too fast for the way here. */
export interface Gap {
  readonly kind: "gap";
  /** `null`: nobody counted, for the connection was lost. */
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

/** What came at once, with the gap before it where there is one. */
export function items(lines: readonly LineFragment[], dropped: number): Item[] {
  const fresh: Item[] = lines.map(entry);
  return dropped > 0 ? [{ kind: "gap", dropped }, ...fresh] : fresh;
}

/** What comes first after the connection was lost: the newest lines again, and perhaps not all that were written meanwhile. */
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

/** One line of text. Times in UTC: text travels. */
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

/** For programs: a JSON object a line. */
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
