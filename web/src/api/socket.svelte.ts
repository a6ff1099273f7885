// The one WebSocket that everything live comes over (graphql-transport-ws), and what is known of it.
//
// It reconnects by itself, for as long as anybody subscribes, and subscriptions go on where they were. The browser sends
// the sign-in cookie along; no script ever holds a token.

import { type Client, createClient } from "graphql-ws";
import { hold } from "../app/now.svelte.ts";
import { ApiError, fromErrors } from "./error.ts";
import { FIRST, type Link, next, wait } from "./link.ts";
import type { TypedDocumentString } from "./operations.ts";

/** A server that does not answer for so long is gone, whatever the network says. */
const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
/** An attempt that has come to nothing by then comes to nothing: a network that is gone does not say so. */
const OPEN_WITHIN_MS = 8_000;
/** While somebody looks, the wait between attempts grows no further than after so many: to 4 seconds. */
const RETRIES_SEEN = 3;
/** A subscription that the server broke off with an error of its own is tried again after so long. */
const AGAIN_AFTER_MS = 5_000;

/** How often the time since the last message is looked at. */
const LOOK_EVERY_MS = 500;

let link = $state.raw<Link>(FIRST);
/** When the last message came, Unix time in milliseconds. */
let lastMessage = 0;
let client: Client | undefined;
let hurry: (() => void) | undefined;
/** What is told when the connection has come back, before subscriptions begin again. */
const backs = new Set<() => void>();

/** The connection now. */
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
  /** What an earlier connection still says is no news. */
  const ours = () => client === made;
  /** At once: a close that is waited for may take as long as the answer that does not come. */
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

/** Closes the connection and forgets who one was: before signing in as somebody else. */
export function disconnect(): void {
  void client?.dispose();
  client = undefined;
  tell({ kind: "reset" });
}

/** Tries again now instead of when it would be time: the network is back, or somebody looks. */
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

/** Runs now, and again each time the connection has come back: what happened in between was not heard. For components. */
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
  /** The server refuses the subscription; it does not come back. */
  refused?(error: ApiError): void;
  /** The connection was lost and is back; the subscription begins again after this. */
  back?(): void;
  /** The server has nothing more to say: what it was about is gone. */
  ended?(): void;
}

/** Subscribes until the function that it gives back is called. */
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
