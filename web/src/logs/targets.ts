// The possible origins of log lines: modules of the host as shortened by host/logs/src/layer.rs, `ffmpeg`, and `stage`
// for output of components. Libraries log under their own names, which are offered once they occurred.

/** First in the order of the data, then the other parts. */
const KNOWN: readonly string[] = [
  ...["source", "batch", "demux", "stage_framer", "exchange", "remux", "release", "air"],
  ...["event", "status", "journal_writer", "load", "pipeline", "host", "stage", "stage-host", "ffmpeg", "preview"],
  ...["control", "store", "api", "echo", "demo", "logs", "telemetry", "net", "cli"],
];

/** The offered origins: the known ones, then others that occurred or are requested, in alphabetical order. */
export function targets(seen: readonly string[], asked: string | null): string[] {
  const others = [...seen, ...(asked ? [asked] : [])].filter((one) => !KNOWN.includes(one));
  return [...KNOWN, ...[...new Set(others)].sort()];
}

/** Adds origins of the lines that did not occur before; the same array if there are none. */
export function seenIn(seen: readonly string[], lines: readonly { readonly target: string }[]): readonly string[] {
  const all = new Set(seen);
  for (const { target } of lines) all.add(target);
  return all.size === seen.length ? seen : [...all];
}
