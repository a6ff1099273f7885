// The token that GraphiQL sends: kept for this tab only, until it is closed.

const KEY = "outboard.graphiql.token";

/** The current token; if empty, none is sent (a server on loopback requires none). */
export function token(store: Storage = sessionStorage): string {
  return store.getItem(KEY) ?? "";
}

/** Stores the token, or removes it if empty. Spaces around a pasted one are removed. */
export function keepToken(value: string, store: Storage = sessionStorage): void {
  const plain = value.trim();
  if (plain) store.setItem(KEY, plain);
  else store.removeItem(KEY);
}

/** The credentials for a request's headers, and for the `connection_init` message of a WebSocket. */
export function credentials(store: Storage = sessionStorage): Record<string, string> {
  const plain = token(store);
  return plain ? { Authorization: `Bearer ${plain}` } : {};
}
