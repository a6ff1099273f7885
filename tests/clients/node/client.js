// Drives graphql-ws (everything over one WebSocket) and graphql-sse (on request) by orders on standard input, one JSON
// object per line; writes the results to standard output. Ends when standard input closes.
//
//   {"id": "1", "do": "call" | "follow" | "follow-sse", "query": "…", "variables": {…}}     {"id": "1", "do": "stop"}
//   {"id": "1", "next": {"data": …, "errors": …}}    {"id": "1", "error": [{"message", "extensions"}]}    {"id": "1", "end": true}
import { createInterface } from 'node:readline';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [address, token] = process.argv.slice(2);
const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const bearer = token ? { authorization: `Bearer ${token}` } : {};

const socket = createClient({
  url: `ws://${address}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: token ? { token } : {},
  lazy: false,
  retryAttempts: 0,
  onNonLazyError: (event) => tell({ closed: event?.code ?? 0, reason: `${event?.reason ?? event}` }),
});
const events = createSseClient({ url: `http://${address}/graphql`, headers: bearer, retryAttempts: 0 });

const running = new Map();

function start(client, { id, query, variables }) {
  const stop = client.subscribe(
    { query, variables },
    {
      next: (answer) => tell({ id, next: answer }),
      error: (error) => tell({ id, error: Array.isArray(error) ? error : [{ message: String(error?.reason ?? error) }] }),
      complete: () => tell({ id, end: true }),
    },
  );
  running.set(id, stop);
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.do === 'stop') running.get(order.id)?.();
  else start(order.do === 'follow-sse' ? events : socket, order);
}
process.exit(0);
