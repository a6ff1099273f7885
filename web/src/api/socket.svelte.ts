// The one WebSocket for all live data (graphql-transport-ws), and its state. It reconnects by itself as long as there
// are subscriptions, and the subscriptions continue. The browser sends the sign-in cookie; no script ever has a token.

import { type Client, createClient } from "graphql-ws";
import { hold } from "../app/now.svelte.ts";
import { ApiError, fromErrors } from "./error.ts";
import { FIRST, type Link, next, wait } from "./link.ts";
import type { TypedDocumentString } from "./operations.ts";

/** A server that does not answer a ping for this long is unreachable, whatever the network reports. */
const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
/** Limit of a connection attempt: a lost network does not report failures. */
const OPEN_WITHIN_MS = 8_000;
/** While the page is visible, the delay between attempts stops growing after this many attempts, at 4 seconds. */
const RETRIES_SEEN = 3;
/** Delay before a subscription is repeated that the server ended with an error of its own. */
const AGAIN_AFTER_MS = 5_000;

/** Interval for checking the time since the last message. */
const LOOK_EVERY_MS = 500;

let link = $state.raw<Link>(FIRST);
/** When the last message arrived, Unix time in milliseconds. */
let lastMessage = 0;
let client: Client | undefined;
let hurry: (() => void) | undefined;
/** Called when the connection is back, before subscriptions are repeated. */
const backs = new Set<() => void>();

/** The current state of the connection. */
export const connection = {
  get link(): Link {
    return link;
  },
  get live(): boolean {
    return link.kind === "live";
  },
};

function connect(): Client {
  const url = new URL("/graphql", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  let late: ReturnType<typeof setTimeout> | undefined;
  /** Events of an earlier connection are ignored. */
  const ours = () => client === made;
  /** At once: a graceful close may take as long as the missing answer. */
  const giveUp = (within: number) => {
    clearTimeout(late);
    late = setTimeout(() => made.terminate(), within);
  };
  const made: Client = createClient({
    url: url.href,
    lazy: true,
    lazyCloseTimeout: 2_000,
    keepAlive: PING_EVERY_MS,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => link.kind !== "refused",
    retryWait: (retries) =>
      new Promise((resolve) => {
        const counted = document.visibilityState === "visible" ? Math.min(retries, RETRIES_SEEN) : retries;
        const timer = setTimeout(resolve, wait(counted, Math.random()));
        hurry = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    on: {
      connecting: () => {
        giveUp(OPEN_WITHIN_MS);
        if (ours()) tell({ kind: "attempt" });
      },
      connected: () => {
        clearTimeout(late);
        if (!ours()) return;
        lastMessage = Date.now();
        if (link.kind === "lost") for (const back of backs) back();
        tell({ kind: "open" });
      },
      message: () => {
        if (!ours()) return;
        lastMessage = Date.now();
        if (link.kind === "silent") tell({ kind: "message" });
      },
      closed: (event) => {
        clearTimeout(late);
        if (!ours()) return;
        const code = (event as { code?: unknown }).code;
        tell({ kind: "closed", at: Date.now(), code: typeof code === "number" ? code : 1006 });
      },
      ping: (received) => {
        if (!received) giveUp(PONG_WITHIN_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(late);
      },
    },
  });
  return made;
}

function tell(event: Parameters<typeof next>[1]) {
  link = next(link, event);
  hold(link.kind === "lost" || link.kind === "silent" ? link.since : null);
}

/** Closes the connection and forgets the user: before signing in as somebody else. */
export function disconnect(): void {
  void client?.dispose();
  client = undefined;
  tell({ kind: "reset" });
}

/** Retries now instead of after the delay: the network is back, or the page became visible. */
export function reconnectNow(): void {
  hurry?.();
}

if (typeof window !== "undefined") {
  setInterval(() => {
    if (link.kind === "live") tell({ kind: "look", at: Date.now(), last: lastMessage });
  }, LOOK_EVERY_MS);
  addEventListener("online", reconnectNow);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && reconnectNow());
}

/**
 * Runs `load` now, and again each time the connection is back, because changes in between were missed. For components.
 */
export function nowAndWhenBack(load: () => unknown): void {
  let lost = false;
  load();
  $effect(() => {
    if (link.kind === "lost") lost = true;
    if (link.kind !== "live" || !lost) return;
    lost = false;
    load();
  });
}

export interface Sink<T> {
  data(result: T): void;
  /** The server refuses the subscription; it is not repeated. */
  refused?(error: ApiError): void;
  /** The connection was lost and is back; the subscription is repeated after this. */
  back?(): void;
  /** The server ended the subscription: its subject is gone. */
  ended?(): void;
}

/** Subscribes until the returned function is called. */
export function subscribe<T, V>(document: TypedDocumentString<T, V>, variables: V, sink: Sink<T>): () => void {
  let off: (() => void) | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const back = () => sink.back?.();
  backs.add(back);
  const start = () => {
    client ??= connect();
    off = client.subscribe<T>(
      { query: document.toString(), variables: variables as Record<string, unknown> },
      {
        next: (result) => {
          if (over) return;
          if (result.errors?.length) sink.refused?.(fromErrors(result.errors));
          else if (result.data) sink.data(result.data);
        },
        error: (thrown) => {
          if (over) return;
          if (Array.isArray(thrown)) sink.refused?.(fromErrors(thrown));
          else if (link.kind === "refused") sink.refused?.(new ApiError("UNAUTHENTICATED", "Sign in again."));
          else again = setTimeout(start, AGAIN_AFTER_MS);
        },
        complete: () => {
          if (!over) sink.ended?.();
        },
      },
    );
  };
  start();
  return () => {
    over = true;
    backs.delete(back);
    clearTimeout(again);
    off?.();
  };
}
