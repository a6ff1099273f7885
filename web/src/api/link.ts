// What is known of the connection that everything live comes over. Pure: states and events; the socket is elsewhere.

export type Link =
  /** The first connection is being made. */
  | { readonly kind: "connecting" }
  /** What is shown is live. */
  | { readonly kind: "live" }
  /** The connection is open, but nothing has come over it since `since`, Unix time in milliseconds: the server hangs. */
  | { readonly kind: "silent"; readonly since: number }
  /** What is shown is as old as `since`; it is tried again. */
  | { readonly kind: "lost"; readonly since: number; readonly attempts: number }
  /** The server does not know us (any more): somebody has to sign in. */
  | { readonly kind: "refused" };

export type LinkEvent =
  | { readonly kind: "attempt" }
  | { readonly kind: "open" }
  /** A message has come. */
  | { readonly kind: "message" }
  /** Looked at from time to time: the last message came at `last`. */
  | { readonly kind: "look"; readonly at: number; readonly last: number }
  | { readonly kind: "closed"; readonly at: number; readonly code: number }
  | { readonly kind: "reset" };

/** graphql-transport-ws: "Unauthorized" and "Forbidden". */
const REFUSED = [4401, 4403];
/** The server sends a message each second; without one for so long, what is shown is not live. Milliseconds. */
export const SILENT_AFTER_MS = 3_000;
/** Nobody listens any more: closed by ourselves. */
const NORMAL = 1000;

export const FIRST: Link = { kind: "connecting" };

export function next(link: Link, event: LinkEvent): Link {
  switch (event.kind) {
    case "reset":
      return FIRST;
    case "open":
      return { kind: "live" };
    case "message":
      return link.kind === "silent" ? { kind: "live" } : link;
    case "look":
      return link.kind === "live" && event.at - event.last >= SILENT_AFTER_MS
        ? { kind: "silent", since: event.last }
        : link;
    case "attempt":
      return link.kind === "lost" ? { ...link, attempts: link.attempts + 1 } : link;
    case "closed":
      if (REFUSED.includes(event.code)) return { kind: "refused" };
      if (event.code === NORMAL || link.kind === "refused") return link;
      if (link.kind === "lost") return link;
      return { kind: "lost", since: link.kind === "silent" ? link.since : event.at, attempts: 0 };
  }
}

/** Milliseconds before the next attempt: soon at first, then half a minute at most; apart, when a thousand pages wait. */
export function wait(retries: number, random: number): number {
  const full = Math.min(30_000, 500 * 2 ** retries);
  return full / 2 + (full / 2) * random;
}
