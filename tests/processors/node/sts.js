// A processor with dialect 3 (`sts`) for Outboard's tests: a session per connection, base64 audio in JSON, acks,
// backpressure, errors. It enforces the dialect's rules strictly and reports each violation. Prints one JSON line when
// it listens, and one for each event that a test needs. Ends with its parent: it stops when standard input is closed.
//
//   node sts.js MODE [KEY=VALUE ...]
//
// Modes: echo     gives each fragment its own audio back
//        pause    the second fragment makes it ask for a pause before it answers; it is over when "resume" comes on standard
//                 input
//        slow     asks to slow down by `slow` ms before it answers a fragment
//        errors   fails fragments as `fail` says
// Keys:  port (0), delay (0, ms), max_inflight (3), slow (ms), token, fail (N:CODE:TIMES,... of fragments by number)

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Server } from "socket.io";

const [mode = "echo", ...pairs] = process.argv.slice(2);
const settings = Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
const number = (key, fallback) => (key in settings ? Number(settings[key]) : fallback);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const FRAGMENT_BYTES_MAX = 10_000_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const failures = new Map();
for (const one of (settings.fail ?? "").split(",").filter(Boolean)) {
  const [sequence, code, times] = one.split(":");
  failures.set(Number(sequence), { code, left: Number(times) });
}

const http = createServer();
const io = new Server(http, { maxHttpBufferSize: 2 * FRAGMENT_BYTES_MAX });

if (settings.token) {
  io.use((socket, next) => {
    if (socket.handshake.auth.token === settings.token) return next();
    next(new Error("AUTH_FAILED"));
  });
}

let sessions = 0;
let fragments = 0;
let resume = () => {};

io.on("connection", (socket) => {
  const { headers } = socket.handshake;
  say({ event: "connection", streamId: headers["x-stream-id"], workerId: headers["x-worker-id"] });
  socket.on("disconnect", (reason) => say({ event: "disconnect", reason }));

  let stream = null;
  let paused = false;
  let notBefore = 0;
  const inFlight = new Set();
  const broken = (rule, fragment_id) => {
    say({ event: "broken", rule });
    socket.emit("error", { code: "INVALID_CONFIG", message: rule, severity: "error", retryable: false, fragment_id });
  };

  socket.on("stream:init", (init) => {
    stream = init.stream_id;
    sessions += 1;
    say({ event: "init", ...init });
    const max_inflight = number("max_inflight", 3);
    socket.emit("stream:ready", { stream_id: stream, session_id: `session-${sessions}`, max_inflight, capabilities: [] });
  });

  const done = (fragment, result) => {
    inFlight.delete(fragment.fragment_id);
    const { fragment_id, stream_id, sequence_number } = fragment;
    socket.emit("fragment:processed", { fragment_id, stream_id, sequence_number, processing_time_ms: number("delay", 0), ...result });
  };
  const echo = (fragment) => done(fragment, { status: "success", dubbed_audio: fragment.audio, transcript: "hello" });
  const press = (action, recommended_delay_ms) => {
    const severity = action === "none" ? "low" : "high";
    const current_inflight = inFlight.size;
    socket.emit("backpressure", { stream_id: stream, severity, current_inflight, queue_depth: 0, action, recommended_delay_ms });
  };

  socket.on("fragment:data", (fragment) => {
    const { fragment_id, sequence_number, audio, metadata } = fragment;
    const now = Date.now();
    const bytes = Buffer.from(audio.data_base64, "base64");
    const { attempt } = metadata;
    const { format, sample_rate_hz, channels } = audio;
    say({ event: "fragment", sequence_number, attempt, bytes: bytes.length, format, sample_rate_hz, channels });
    if (stream === null || fragment.stream_id !== stream) return broken("a fragment outside its session", fragment_id);
    if (!UUID.test(fragment_id)) return broken(`${fragment_id} is not a UUID`, fragment_id);
    if (paused) return broken("a fragment in a pause", fragment_id);
    // Our clock and theirs differ by the time that a message takes.
    if (now < notBefore) return broken(`a fragment ${notBefore - now} ms too early`, fragment_id);
    if (bytes.length > FRAGMENT_BYTES_MAX) {
      return socket.emit("error", { code: "FRAGMENT_TOO_LARGE", severity: "error", retryable: false, fragment_id });
    }
    inFlight.add(fragment_id);
    fragments += 1;
    socket.emit("fragment:ack", { fragment_id, status: "queued", queue_position: inFlight.size });

    if (mode === "pause" && fragments === 2) {
      paused = true;
      press("pause");
      say({ event: "paused" });
      resume = () => {
        paused = false;
        press("none");
        say({ event: "resumed" });
      };
    }
    if (mode === "slow") {
      notBefore = now + number("slow", 1000);
      press("slow_down", number("slow", 1000));
    }
    const failure = failures.get(sequence_number);
    if (failure?.left > 0) {
      failure.left -= 1;
      const error = { code: failure.code, message: "as the test wants it", stage: "tts" };
      return setTimeout(() => done(fragment, { status: "failed", error }), number("delay", 0));
    }
    return setTimeout(() => echo(fragment), number("delay", 0));
  });

  socket.on("fragment:ack", ({ fragment_id, status, timestamp }) => {
    say({ event: "acked", uuid: UUID.test(fragment_id), status, timestamp: Number.isInteger(timestamp) });
  });
});

http.listen(number("port", 0), "127.0.0.1", () => say({ event: "listening", port: http.address().port }));
const input = createInterface({ input: process.stdin });
input.on("line", (line) => line === "resume" && resume());
input.on("close", () => process.exit(0));
