// The token that GraphiQL sends: kept for this tab only, gone when it is closed.

const KEY = "outboard.graphiql.token";

/** The token in use; empty means that none is sent (a server on loopback asks for none). */
export function token(store: Storage = sessionStorage): string {
  return store.getItem(KEY) ?? "";
}

/** Keeps the token, or forgets it when empty. Blanks around a pasted one are dropped. */
export function keepToken(value: string, store: Storage = sessionStorage): void {
  const plain = value.trim();
  if (plain) store.setItem(KEY, plain);
  else store.removeItem(KEY);
}

/** What goes into the request's headers, and into the `connection_init` message of a WebSocket. */
export function credentials(store: Storage = sessionStorage): Record<string, string> {
  const plain = token(store);
  return plain ? { Authorization: `Bearer ${plain}` } : {};
}
