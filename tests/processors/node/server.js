// A real Socket.IO server for Outboard's tests. Prints one JSON line when it listens, and one for each event that a
// test needs. Ends with its parent: it stops when standard input is closed.
//
//   node server.js MODE [KEY=VALUE ...]
//
// Modes: echo, nested, ack, out-of-order, duplicate, disconnect, kick, silent, by-ack, exception
// Keys: port (0), host (127.0.0.1), path (/socket.io/), namespace (/), token, maxHttpBufferSize, pingInterval, pingTimeout,
//       delay (0, ms), count (1), cert and key (PEM files: TLS), transports (all; names with commas between),
//       answer (a file: what it returns for each fragment)

import { readFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import { Server } from "socket.io";

const [mode = "echo", ...pairs] = process.argv.slice(2);
const settings = Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
const number = (key, fallback) => (key in settings ? Number(settings[key]) : fallback);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const tls = settings.cert && { cert: readFileSync(settings.cert), key: readFileSync(settings.key) };
const http = tls ? createHttps(tls) : createHttp();
const io = new Server(http, {
  ...(settings.transports && { transports: settings.transports.split(",") }),
  path: settings.path ?? "/socket.io/",
  maxHttpBufferSize: number("maxHttpBufferSize", 100e6),
  pingInterval: number("pingInterval", 25000),
  pingTimeout: number("pingTimeout", 20000),
});
const namespace = io.of(settings.namespace ?? "/");
const delay = number("delay", 0);
const count = number("count", 1);
const returned = settings.answer && readFileSync(settings.answer);

if (settings.token) {
  namespace.use((socket, next) => {
    if (socket.handshake.auth.token === settings.token) return next();
    const error = new Error("wrong token");
    error.data = { code: "AUTH_FAILED" };
    next(error);
  });
}

let connections = 0;
let seen = 0;
let held = [];

namespace.on("connection", (socket) => {
  connections += 1;
  const { headers, query, auth } = socket.handshake;
  say({ event: "connection", connections, headers, query, auth, transport: socket.conn.transport.name });
  socket.on("disconnect", (reason) => say({ event: "disconnect", reason }));

  const answer = ({ fragment, data }) => {
    const metadata = { processingTime: delay, language: "fr" };
    socket.emit("fragment:processed", { fragment, data: returned ?? data, metadata });
  };

  socket.on("fragment:data", (message, ...rest) => {
    seen += 1;
    const { fragment, data } = message;
    // As real processors do: a Buffer has a length.
    say({ event: "fragment", id: fragment.id, attempt: fragment.attempt, buffer: Buffer.isBuffer(data), length: data.length });
    const later = (what) => setTimeout(what, delay);
    switch (mode) {
      case "nested":
        // Binary data deep in the reply, one attachment before it, and one in a list; the framer must find its own.
        return later(() =>
          socket.emit("fragment:processed", {
            preview: Buffer.from("a picture"),
            deep: [{ deeper: { data } }, Buffer.from([1, 2, 3])],
            fragment,
          }),
        );
      case "ack":
        // The server requests an ack of its event from the client, and reports when it arrives.
        return socket.timeout(5000).emit("fragment:ack", { fragmentId: fragment.id }, (error, ...values) => {
          say({ event: "acked", error: error?.message ?? null, values });
          later(() => answer(message));
        });
      case "out-of-order":
        held.push(() => answer(message));
        if (held.length < count) return undefined;
        held.reverse().forEach((send) => send());
        held = [];
        return undefined;
      case "duplicate":
        return later(() => [1, 2, 3].forEach(() => answer(message)));
      case "disconnect":
        // The first connections are lost with their fragments.
        if (connections <= count) return socket.conn.close();
        return later(() => answer(message));
      case "kick":
        if (connections <= count) return socket.disconnect();
        return later(() => answer(message));
      case "by-ack":
        // The reply is passed to the callback.
        return rest[0]({ fragment, data });
      case "exception":
        // As NestJS reports a handler that threw an exception.
        return socket.emit("exception", { status: "error", message: "no model" });
      case "silent":
        return undefined;
      default:
        return later(() => answer(message));
    }
  });
});

http.listen(number("port", 0), settings.host ?? "127.0.0.1", () => say({ event: "listening", port: http.address().port }));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
