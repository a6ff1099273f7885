// The state of the connection for live data. Pure: states and events; the socket is elsewhere.

export type Link =
  /** The first connection is being made. */
  | { readonly kind: "connecting" }
  /** The displayed data is live. */
  | { readonly kind: "live" }
  /** The connection is open, but nothing has arrived since `since`, Unix time in milliseconds: the server hangs. */
  | { readonly kind: "silent"; readonly since: number }
  /** The displayed data is as old as `since`; connecting is retried. */
  | { readonly kind: "lost"; readonly since: number; readonly attempts: number }
  /** The server does not accept our credentials (any more): the user must sign in. */
  | { readonly kind: "refused" };

export type LinkEvent =
  | { readonly kind: "attempt" }
  | { readonly kind: "open" }
  /** A message arrived. */
  | { readonly kind: "message" }
  /** Checked at intervals: the last message arrived at `last`. */
  | { readonly kind: "look"; readonly at: number; readonly last: number }
  | { readonly kind: "closed"; readonly at: number; readonly code: number }
  | { readonly kind: "reset" };

/** graphql-transport-ws: "Unauthorized" and "Forbidden". */
const REFUSED = [4401, 4403];
/**
 * The server sends a message each second; without one for this long, the displayed data is not live. In milliseconds.
 */
export const SILENT_AFTER_MS = 3_000;
/** Closed by this page, because nothing is subscribed any more. */
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

/**
 * Milliseconds before the next attempt: short at first, later up to half a minute; random, so that a thousand waiting
 * pages do not reconnect at once.
 */
export function wait(retries: number, random: number): number {
  const full = Math.min(30_000, 500 * 2 ** retries);
  return full / 2 + (full / 2) * random;
}
