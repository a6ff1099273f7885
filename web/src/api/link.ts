// What is known of the connection that everything live comes over. Pure: states and events; the socket is elsewhere.

export type Link =
  /** The first connection is being made. */
  | { readonly kind: "connecting" }
  /** What is shown is live. */
  | { readonly kind: "live" }
  /** What is shown is as old as `since`; it is tried again. */
  | { readonly kind: "lost"; readonly since: number; readonly attempts: number }
  /** The server does not know us (any more): somebody has to sign in. */
  | { readonly kind: "refused" };

export type LinkEvent =
  | { readonly kind: "attempt" }
  | { readonly kind: "open" }
  | { readonly kind: "closed"; readonly at: number; readonly code: number }
  | { readonly kind: "reset" };

/** graphql-transport-ws: "Unauthorized" and "Forbidden". */
const REFUSED = [4401, 4403];
/** Nobody listens any more: closed by ourselves. */
const NORMAL = 1000;

export const FIRST: Link = { kind: "connecting" };

export function next(link: Link, event: LinkEvent): Link {
  switch (event.kind) {
    case "reset":
      return FIRST;
    case "open":
      return { kind: "live" };
    case "attempt":
      return link.kind === "lost" ? { ...link, attempts: link.attempts + 1 } : link;
    case "closed":
      if (REFUSED.includes(event.code)) return { kind: "refused" };
      if (event.code === NORMAL || link.kind === "refused") return link;
      return link.kind === "lost" ? link : { kind: "lost", since: event.at, attempts: 0 };
  }
}

/** Milliseconds before the next attempt: soon at first, then half a minute at most; apart, when a thousand pages wait. */
export function wait(retries: number, random: number): number {
  const full = Math.min(30_000, 500 * 2 ** retries);
  return full / 2 + (full / 2) * random;
}
