// The pages under load: an overview of many pipelines, one pipeline's screen, and a log that is written fast. Measures what
// an operator would feel (the longest task of the main thread) and what a page that is open all day would cost (memory
// after the garbage is gone, at the start and at the end).
//
//   node load.mjs '{"pipelines":50,"lines":1000,"seconds":20}'      of each screen

import { busyHost } from './busy-host.mjs';
import { open, run, shoot, tell } from './browser.mjs';

/** Until it has loaded and its buffers are full: what comes then is steady. */
const SETTLES_MS = 8_000;
const SCREENS = {
  overview: ['/', (page) => page.getByRole('link', { name: 'stream-49' }).or(page.getByRole('link', { name: /^stream-/ }).last()).first()],
  pipeline: ['/pipelines/default:stream-01', (page) => page.locator('.timeline button').first()],
  logs: ['/logs?level=TRACE', (page) => page.locator('.line').nth(10)],
};

async function heap(session) {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}

/** Tasks of the main thread over 50 ms (what a browser calls long), and the longest time between two frames. */
const watch = (page) =>
  page.evaluate(() => {
    globalThis.seen = { tasks: [], gap: 0, frames: 0 };
    new PerformanceObserver((list) => globalThis.seen.tasks.push(...list.getEntries().map((one) => Math.round(one.duration)))).observe({ type: 'longtask' });
    let last = performance.now();
    const frame = (at) => {
      globalThis.seen.gap = Math.max(globalThis.seen.gap, at - last);
      globalThis.seen.frames += 1;
      last = at;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });

await run(async (browser, { pipelines, lines: wanted, seconds }) => {
  const host = await busyHost(pipelines, wanted);
  const told = {};
  for (const [name, [path, there]] of Object.entries(SCREENS)) {
    const page = await open(browser, host.url);
    const session = await page.context().newCDPSession(page);
    await page.goto(path);
    await there(page).waitFor();
    await page.waitForTimeout(SETTLES_MS);
    const before = { heap: await heap(session), lines: host.told() };
    await watch(page);
    await page.waitForTimeout(seconds * 1000);
    const seen = await page.evaluate(() => globalThis.seen);
    const lines = host.told() - before.lines;
    const after = await heap(session);
    const rows = await page.locator('.row-view, .line').count();
    told[name] = {
      longestTaskMs: Math.max(0, ...seen.tasks), longTasks: seen.tasks.length, longestFrameGapMs: Math.round(seen.gap),
      framesASecond: Math.round(seen.frames / seconds), heapMB: [before.heap, after].map((bytes) => Math.round(bytes / 1e5) / 10),
      linesASecond: Math.round(lines / seconds), rows, complaints: page.complaints,
    };
    await shoot(page, `load-${name}`);
    await page.context().close();
  }
  tell(told);
  host.end();
});
