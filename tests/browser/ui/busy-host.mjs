// A simulated host with a high load: many pipelines, each with one status per second and changing batches, and any
// number of log lines per second. It responds according to the real schema; values that a test does not define are
// plain defaults.
//
// A real host with fifty streams would load the machine and so distort the measurement of the browser, and it limits
// each stream to a hundred lines per second.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSchema, execute, isEnumType, isListType, isNonNullType, isScalarType, parse, subscribe } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DIST = join(ROOT, 'web/dist');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
/** Interval at which the real host sends lines under load. */
const SENDS_A_SECOND = 10;
const BATCH_SECONDS = 4;

const iso = (ms) => new Date(ms).toISOString();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const page = (list) => ({ edges: list.map((node) => ({ cursor: '', node })), pageInfo: {} });

/** The default value of a type: null if allowed, else the simplest value. */
function plain(type) {
  if (!isNonNullType(type)) return null;
  const inner = type.ofType;
  if (isListType(inner)) return [];
  if (isEnumType(inner)) return inner.getValues()[0].name;
  if (!isScalarType(inner)) return {};
  return { Boolean: false, String: '', ID: '', DateTime: iso(Date.now()), JSON: {} }[inner.name] ?? 0;
}

const fieldResolver = (source, args, context, info) => {
  const given = source?.[info.fieldName];
  const value = typeof given === 'function' ? given(args) : given;
  return value ?? plain(info.returnType);
};

/** What happens in so many pipelines with so many lines a second, as the schema's root fields. `shape` may make a pipeline
 * otherwise: fields of its status over those of one that is well; `batches` is how many there were before. */
function busy(pipelines, linesASecond, { shape = () => ({}), incidents = () => [], batches = 40 } = {}) {
  const began = Date.now();
  const name = (n) => `default:stream-${String(n).padStart(2, '0')}`;
  const batchesOf = () => Math.floor((Date.now() - began) / (1000 * BATCH_SECONDS)) + batches;
  const batch = (number) => {
    const at = began + (number - batches) * BATCH_SECONDS * 1000;
    const steps = ['CUT', 'DEMUXED', 'SENT', 'DECIDED', 'REMUXED', 'ON_AIR', 'DONE'];
    const taken = steps.map((step, n) => ({ step, startedAt: iso(at + n * 300), at: iso(at + (n + 1) * 300), seconds: 0.3 }));
    return { number, step: 'DONE', outcome: number % 7 ? 'PROCESSED' : 'ORIGINAL', roundTripMs: 500 + (number % 9) * 40, completeAt: iso(at), steps: taken };
  };
  /** The newest entries, or those before the one named by `after`; the cursor is the number. */
  const paged = ({ first, after }) => {
    const from = after ? Number(after) : batchesOf();
    const list = Array.from({ length: Math.min(first ?? 20, from) }, (_, n) => batch(from - 1 - n));
    const end = list.at(-1)?.number ?? 0;
    return { ...page(list), pageInfo: { hasNextPage: end > 0, endCursor: String(end) } };
  };
  const done = [];
  const act = (what) => ({ id }) => {
    done.push(`${what} ${id}`);
    return { id, desired: what === 'stop' ? 'STOPPED' : 'RUNNING', deleted: true };
  };
  let frozen = false;
  const { desired: desiredOf = () => 'RUNNING' } = shape;
  const status = (id) => ({
    pipelineId: id, at: iso(Date.now()), phase: 'ON_AIR', onAir: true, startedAt: iso(began), since: iso(began),
    health: { state: 'HEALTHY', reason: 'on air with processed audio', since: iso(began) },
    counters: { bufferSeconds: ((Date.now() - began) / 1000) % BATCH_SECONDS, batches: batchesOf(), processed: batchesOf() - 6, original: 6 },
    destinations: [{ id: 'a', name: 'main', enabled: true, url: 'rtmp://127.0.0.1/live/…', state: 'PUBLISHING', onAir: true, backlogMs: Date.now() % 90 }],
    processor: { connected: true, ready: true, breaker: 'CLOSED', since: iso(began), roundTripMs: 540 }, timeLeftSeconds: 0.3,
    airSeconds: (Date.now() - began) / 1000, readySeconds: (Date.now() - began) / 1000 + 5, runningRevision: 1, ...shape(id),
  });
  const pipeline = (id) => ({
    id, tenant: 'default', streamId: id.split(':')[1], revision: 1, desired: desiredOf(id), createdAt: iso(began),
    settings: { batchSeconds: BATCH_SECONDS, source: { url: 'http://127.0.0.1/live.m3u8' }, processor: { url: 'http://127.0.0.1/' }, destinations: [{ id: 'a', enabled: true, url: 'rtmp://127.0.0.1/live/…' }], stages: { batching: {}, framing: {}, remuxPlanning: {} }, keep: {} },
    revisions: () => page([]), incidents: () => page(incidents(id)),
    status: () => status(id), batches: paged, batch: ({ number }) => batch(number),
  });
  const ids = Array.from({ length: pipelines }, (_, n) => name(n));
  let lines = 0;
  const line = () => {
    lines += 1;
    return {
      id: String(lines), at: iso(Date.now()), level: ['INFO', 'INFO', 'DEBUG', 'WARN', 'ERROR'][lines % 5], target: ['source', 'exchange', 'air', 'ffmpeg'][lines % 4],
      pipelineId: ids[lines % ids.length], batch: lines % 100, message: `line ${lines} tells of something that happened in this stream just now`, fields: { took_ms: lines % 977, url: 'http://127.0.0.1/segment.ts' },
    };
  };
  async function* each(seconds, field, make) {
    for (;;) {
      while (frozen) await pause(100);
      for (const value of make()) yield { [field]: value };
      await pause(seconds * 1000);
    }
  }
  return {
    told: () => lines, done, freeze: (on) => { frozen = on; },
    // Changing settings takes the stream off air here, so that the page must ask.
    validatePipeline: () => ({ ok: true, interruption: { seconds: 6.4, why: 'The run is started anew with another batch length.' }, checks: [{ path: 'input.settings.source.url', ok: true, message: 'a live playlist', seconds: 0.1 }] }),
    updatePipeline: ({ id, input }) => { done.push(`update ${id} ${input.apply}`); return pipeline(id); },
    reconnectDestination: ({ id, destination }) => { done.push(`reconnect ${id} ${destination}`); return pipeline(id); },
    setDestinationEnabled: ({ id, destination, enabled }) => { done.push(`enabled ${enabled} ${id} ${destination}`); return pipeline(id); },
    startPipeline: act('start'), stopPipeline: act('stop'), restartPipeline: act('restart'), deletePipeline: act('delete'),
    me: { name: 'local', role: 'ADMIN' }, pipelines: () => ids.map(pipeline), stageComponents: () => [], pipeline: ({ id }) => pipeline(id),
    server: () => each(1, 'server', () => [{ version: '0.0.0', at: iso(Date.now()) }]),
    pipelineStatus: ({ id }) => each(1, 'pipelineStatus', () => (id ? [id] : ids).map(status)),
    batchProgress: ({ id }) => each(BATCH_SECONDS, 'batchProgress', () => batch(batchesOf() - 1).steps.map((step) => ({ ...step, pipelineId: id, number: batchesOf() - 1, outcome: 'PROCESSED' }))),
    events: () => each(3600, 'events', () => []),
    logs: () => each(1 / SENDS_A_SECOND, 'logs', () => [{ lines: Array.from({ length: linesASecond / SENDS_A_SECOND }, line), dropped: 0 }]),
  };
}

/**
 * Serves the built pages and the simulated API on a free port of loopback; returns the address and a function that ends
 * it.
 */
export async function busyHost(pipelines, linesASecond, more) {
  const schema = buildSchema(await readFile(join(ROOT, 'host/api/schema.graphql'), 'utf8'));
  const rootValue = busy(pipelines, linesASecond, more);
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://127.0.0.1');
    if (pathname === '/api/session') return response.end(JSON.stringify({ name: 'local', tenant: null, role: 'admin', local: true }));
    if (pathname === '/graphql') {
      let body = '';
      for await (const part of request) body += part;
      const { query, variables } = JSON.parse(body);
      const answer = await execute({ schema, document: parse(query), rootValue, variableValues: variables, fieldResolver });
      return response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    }
    const docs = pathname === '/docs' ? '/docs/index.html' : pathname.startsWith('/docs/') && !pathname.includes('.') ? `${pathname}.html` : undefined;
    const file = normalize(docs ?? (/^\/(assets|docs)\//.test(pathname) ? pathname : '/index.html'));
    const content = await readFile(join(DIST, file)).catch(() => undefined);
    response.writeHead(content ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(content);
  });
  const sockets = new WebSocketServer({ server, path: '/graphql' });
  const rooted = (run) => (args) => run({ ...args, schema, rootValue, fieldResolver, subscribeFieldResolver: (_, args2, context, info) => rootValue[info.fieldName](args2) });
  useServer({ schema, execute: rooted(execute), subscribe: rooted(subscribe) }, sockets);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, told: rootValue.told, done: rootValue.done, freeze: rootValue.freeze, end: () => process.nextTick(() => process.exit()) };
}
