// Parts that a line of the log can come from: modules of the host as host/src/logs/layer.rs shortens them, `ffmpeg`, and
// `stage` for what a component says itself. Libraries speak too, under their own names: those are offered once they did.

/** Along the way of the data first, then what is around it. */
const KNOWN: readonly string[] = [
  ...["source", "batch", "demux", "stage_framer", "exchange", "remux", "release", "air"],
  ...["event", "status", "journal_writer", "load", "pipeline", "host", "stage", "stage-host", "ffmpeg", "preview"],
  ...["control", "store", "api", "echo", "demo", "logs", "telemetry", "net", "cli"],
];

/** What is offered: those that are known, then others that were seen or are asked for, in alphabetical order. */
export function targets(seen: readonly string[], asked: string | null): string[] {
  const others = [...seen, ...(asked ? [asked] : [])].filter((one) => !KNOWN.includes(one));
  return [...KNOWN, ...[...new Set(others)].sort()];
}

/** With what the lines have that was not seen before; the very same list where there is nothing new. */
export function seenIn(seen: readonly string[], lines: readonly { readonly target: string }[]): readonly string[] {
  const all = new Set(seen);
  for (const { target } of lines) all.add(target);
  return all.size === seen.length ? seen : [...all];
}
