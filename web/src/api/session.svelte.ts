// Who is signed in. The token is given once and becomes a cookie that no script can read; a server that listens on
// loopback only asks for none.

import { heard } from "../app/now.svelte.ts";
import { type ApiError, toApiError } from "./error.ts";
import { ServerChangesDocument, type ServerFactsFragment } from "./operations.ts";
import { readJson } from "./request.ts";
import { disconnect, subscribe } from "./socket.svelte.ts";

export type Role = "viewer" | "operator" | "admin";

export interface Who {
  readonly name: string;
  /** `null`: the whole host, and so all tenants. */
  readonly tenant: string | null;
  readonly role: Role;
  /** Nobody had to sign in: whoever reaches the server may do anything. */
  readonly local: boolean;
}

export type Session =
  | { readonly kind: "asking" }
  | { readonly kind: "in"; readonly who: Who }
  /** `why`: what put us out, where we had been in and did not ask for it. */
  | { readonly kind: "out"; readonly why: string | null }
  | { readonly kind: "unreachable"; readonly error: ApiError };

const ROLES: readonly Role[] = ["viewer", "operator", "admin"];
/** While the server cannot be reached before anything was shown. */
const AGAIN_AFTER_MS = 3_000;
const NOT_TAKEN = "Your token is no longer valid: it was revoked or has expired.";

let state = $state.raw<Session>({ kind: "asking" });
let server = $state.raw<ServerFactsFragment | undefined>();
let stopWatching: (() => void) | undefined;

export const session = {
  get state(): Session {
    return state;
  },
  get who(): Who | undefined {
    return state.kind === "in" ? state.who : undefined;
  },
  get server(): ServerFactsFragment | undefined {
    return server;
  },
};

/** Whether a button for this would do anything but fail. The server decides; this only hides. */
export function may(role: Role, wholeHost = false): boolean {
  const who = session.who;
  if (!who) return false;
  return ROLES.indexOf(who.role) >= ROLES.indexOf(role) && (!wholeHost || who.tenant === null);
}

/** Asks who we are; again and again while nobody answers. */
export async function begin(): Promise<void> {
  try {
    enter(await readJson<Who>(await fetch("/api/session")));
  } catch (thrown) {
    const error = toApiError(thrown);
    if (error.code === "UNAUTHENTICATED") {
      leave();
    } else {
      state = { kind: "unreachable", error };
      setTimeout(begin, AGAIN_AFTER_MS);
    }
  }
}

/** Trades the token for a cookie. Fails with the server's sentence. */
export async function signIn(token: string): Promise<void> {
  const answer = await fetch("/api/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  }).catch((thrown) => {
    throw toApiError(thrown);
  });
  enter(await readJson<Who>(answer));
}

/** Lets the browser forget the cookie. */
export async function signOut(): Promise<void> {
  await fetch("/api/session", { method: "DELETE" }).catch(() => undefined);
  leave();
}

/** Nobody is signed in any more. */
function leave(why: string | null = null): void {
  stopWatching?.();
  stopWatching = undefined;
  disconnect();
  server = undefined;
  state = { kind: "out", why };
}

function enter(who: Who) {
  disconnect();
  state = { kind: "in", who };
  stopWatching?.();
  stopWatching = subscribe(
    ServerChangesDocument,
    {},
    {
      data: (news) => {
        heard(Date.parse(news.server.at));
        server = news.server;
      },
      refused: (error) => {
        if (error.code === "UNAUTHENTICATED") leave(NOT_TAKEN);
      },
    },
  );
}
