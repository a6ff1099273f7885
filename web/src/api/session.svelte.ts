// The signed-in user. The token is given once and becomes a cookie that no script can read; a server that listens on
// loopback only requires none.

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
  /** Whether no sign-in was needed: everybody who reaches the server may do anything. */
  readonly local: boolean;
}

export type Session =
  | { readonly kind: "asking" }
  | { readonly kind: "in"; readonly who: Who }
  /** `why`: the reason if the user was signed out without asking for it. */
  | { readonly kind: "out"; readonly why: string | null }
  | { readonly kind: "unreachable"; readonly error: ApiError };

const ROLES: readonly Role[] = ["viewer", "operator", "admin"];
/** Delay between attempts while the server cannot be reached before anything was shown. */
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

/** Whether an action is permitted for the user's role. The server decides; this only hides buttons that would fail. */
export function may(role: Role, wholeHost = false): boolean {
  const who = session.who;
  if (!who) return false;
  return ROLES.indexOf(who.role) >= ROLES.indexOf(role) && (!wholeHost || who.tenant === null);
}

/** Asks the server who is signed in, and retries until it answers. */
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

/** Exchanges the token for a cookie. Fails with the server's message. */
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

/** Removes the cookie. */
export async function signOut(): Promise<void> {
  await fetch("/api/session", { method: "DELETE" }).catch(() => undefined);
  leave();
}

/** Changes to the signed-out state. */
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
