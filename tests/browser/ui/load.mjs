// The pages under load: an overview of many pipelines, one pipeline's screen, and a fast log. Measures what an operator
// notices (the longest task of the main thread) and the growth of a page that is open for a day (memory after garbage
// collection, at the start and at the end).
//
//   node load.mjs '{"pipelines":50,"lines":1000,"seconds":20}'      of each screen; "screens":["logs"] for some of them

import { busyHost } from './busy-host.mjs';
import { open, run, shoot, tell } from './browser.mjs';

/** Time until the page has loaded and its buffers are full; after that the load is constant. */
const SETTLES_MS = 8_000;
const SCREENS = {
  overview: ['/', (page) => page.getByRole('link', { name: 'stream-49' }).or(page.getByRole('link', { name: /^stream-/ }).last()).first()],
  pipeline: ['/pipelines/default:stream-01', (page) => page.locator('.timeline [role="option"]').first()],
  logs: ['/logs?level=TRACE', (page) => page.locator('.line').nth(10)],
};

async function heap(session) {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}

/** Whether the last line of the log is visible: a partly drawn list can be drawn outside the view. */
function newestIsSeen() {
  const [box, last] = [document.querySelector('[role="listbox"]'), [...document.querySelectorAll('.line')].at(-1)];
  const [frame, line] = [box.getBoundingClientRect(), last.getBoundingClientRect()];
  return line.top >= frame.top && line.bottom <= frame.bottom + 1;
}

/** The mean and the longest time between frames. */
const watch = (page) =>
  page.evaluate(() => {
    globalThis.seen = { gap: 0, frames: 0 };
    let last = performance.now();
    const frame = (at) => {
      globalThis.seen.gap = Math.max(globalThis.seen.gap, at - last);
      globalThis.seen.frames += 1;
      last = at;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });

/** The longest task of the page's main thread in a trace, in milliseconds: on the processor, and by the clock. The first is the
 * page's own doing; the second has in it what else the machine did meanwhile, which in a test run is a lot. */
function longest(trace) {
  const { traceEvents } = JSON.parse(trace);
  const main = new Set(traceEvents.filter((one) => one.name === 'thread_name' && one.args.name === 'CrRendererMain').map((one) => `${one.pid} ${one.tid}`));
  const tasks = traceEvents.filter((one) => one.name === 'ThreadControllerImpl::RunTask' && main.has(`${one.pid} ${one.tid}`));
  const most = (field) => Math.round(Math.max(0, ...tasks.map((one) => one[field] ?? 0).sort((a, b) => b - a).slice(0, 1)) / 1000);
  return { tasks: tasks.length, cpu: most('tdur'), clock: most('dur') };
}

await run(async (browser, { pipelines, lines: wanted, seconds, screens = Object.keys(SCREENS) }) => {
  const host = await busyHost(pipelines, wanted);
  const told = {};
  for (const name of screens) {
    const [path, there] = SCREENS[name];
    const page = await open(browser, host.url);
    const session = await page.context().newCDPSession(page);
    await page.goto(path);
    await there(page).waitFor();
    await page.waitForTimeout(SETTLES_MS);
    const before = { heap: await heap(session), lines: host.told() };
    await watch(page);
    await browser.startTracing(page, { categories: ['toplevel'] });
    await page.waitForTimeout(seconds * 1000);
    const task = longest(await browser.stopTracing());
    const seen = await page.evaluate(() => globalThis.seen);
    const lines = host.told() - before.lines;
    const after = await heap(session);
    const rows = await page.locator('.row-view, .line').count();
    const newest = name === 'logs' ? await page.evaluate(newestIsSeen) : undefined;
    told[name] = {
      tasks: task.tasks, longestTaskMs: task.cpu, longestTaskByTheClockMs: task.clock, longestFrameGapMs: Math.round(seen.gap),
      framesASecond: Math.round(seen.frames / seconds), heapMB: [before.heap, after].map((bytes) => Math.round(bytes / 1e5) / 10),
      linesASecond: Math.round(lines / seconds), rows, newest, complaints: page.complaints,
    };
    await shoot(page, `load-${name}`);
    await page.context().close();
  }
  tell(told);
  host.end();
});
