// An overview of many pipelines in all states, and one pipeline's timeline over an hour: rows are low, headers sort,
// problems are first, many pipelines are stopped with one question, each batch is reachable by pointer and keys, and a
// server that hangs is reported. The host is simulated (busy-host.mjs).
//
//   node overview.mjs '{}'

import assert from 'node:assert/strict';
import { busyHost } from './busy-host.mjs';
import { DESKTOP, NARROW, open, overflow, PHONE, run, shoot, tell, violations } from './browser.mjs';

const ROWS = 31;
/** In pixels. */
const ROW_MOST = 44;
const TARGET_LEAST = 24;
const STALE_WITHIN_MS = 4_000;
const BATCHES = 900;

const SINCE = new Date(Date.now() - 86_340_000).toISOString();
const health = (state, reason) => ({ state, reason, since: SINCE });
const away = 'no packets leave: rtmp://far-away.example.com:1935/a-long-application/…: connection refused (attempt 12)';
const STATES = [
  { phase: 'OFF_AIR', onAir: false, health: { ...health('FAILING', away), cause: 'DESTINATION', advice: 'See that the server runs and takes this stream key.' }, timeLeftSeconds: null, processor: null, destinations: [{ id: 'a', name: 'far-away.example.com/live', enabled: true, url: 'rtmp://far-away.example.com/live/…', state: 'RETRYING', onAir: false, backlogMs: null }] },
  { phase: 'WAITING', onAir: false, health: health('FAILING', 'source: 404 Not Found') },
  { phase: 'ON_AIR', onAir: true, health: health('DEGRADED', 'original audio: the processor is away (connection refused)'), processor: { connected: false, ready: false, breaker: 'CLOSED', since: SINCE } },
  { phase: 'ON_AIR', onAir: true, health: health('HEALTHY', 'on air with processed audio'), destinations: [{ id: 'a', name: 'slow/live', enabled: true, url: 'rtmp://slow/live/…', state: 'PUBLISHING', onAir: true, backlogMs: 41_000 }] },
  { phase: 'STOPPED', onAir: false, startedAt: null, health: health('IDLE', 'stopped'), destinations: [] },
];
const stateOf = (id) => STATES[Number(id.slice(-2))] ?? {};
const shape = Object.assign(stateOf, { desired: (id) => (stateOf(id).phase === 'STOPPED' ? 'STOPPED' : 'RUNNING') });

const incidents = (id) => (id.endsWith('00') ? [
  { id: '2', pipelineId: id, cause: 'DESTINATION', severity: 'ERROR', openedAt: SINCE, updatedAt: SINCE, durationSeconds: 86_340, count: 40, message: 'connection refused', advice: 'See that the server runs.' },
  { id: '1', pipelineId: id, cause: 'PROCESSOR', severity: 'WARNING', openedAt: SINCE, updatedAt: SINCE, resolvedAt: SINCE, durationSeconds: 12, count: 1, message: 'the last reply was late', advice: '' },
] : []);
const names = (page) => page.locator('.row-view .stream a').allTextContents();

await run(async (browser) => {
  const host = await busyHost(ROWS, 10, { shape, incidents, batches: BATCHES });
  const told = {};
  const wrong = [];
  for (const [look, options] of Object.entries({
    desktop: { viewport: DESKTOP }, dark: { viewport: DESKTOP, colorScheme: 'dark' }, narrow: { viewport: NARROW },
    least: { viewport: { width: 900, height: 900 } }, phone: { viewport: PHONE },
  })) {
    const page = await open(browser, host.url, options);
    await page.goto('/?group=state');
    await page.locator('.row-view').nth(ROWS - 1).waitFor();
    wrong.push(...[...(await violations(page)), ...(await overflow(page)), ...page.complaints].map((text) => `overview, ${look}: ${text}`));
    await shoot(page, `overview-many-${look}`);
    if (options.viewport.width >= 900) {
      const heights = await page.locator('.row-view').evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
      assert.ok(Math.max(...heights) <= ROW_MOST, `${look}: a row is ${Math.max(...heights)} high`);
    }
    await page.goto('/pipelines/default:stream-00');
    await page.locator('.timeline [role="option"]').first().waitFor();
    await page.getByText('What to do: See that the server runs and takes this stream key.').waitFor();
    await page.getByRole('listitem').filter({ hasText: '40 events' }).waitFor();
    wrong.push(...[...(await violations(page)), ...(await overflow(page)), ...page.complaints].map((text) => `pipeline, ${look}: ${text}`));
    await shoot(page, `pipeline-off-${look}`);
    if (look !== 'least') {
      await page.goto('/docs/configuration');
      await page.getByRole('heading', { level: 1 }).waitFor();
      wrong.push(...[...(await violations(page)), ...(await overflow(page)), ...page.complaints].map((text) => `docs, ${look}: ${text}`));
      await shoot(page, `docs-${look}`);
    }
    await page.context().close();
  }
  assert.deepEqual(wrong, []);

  // === problems first, sortable ===
  const page = await open(browser, host.url);
  await page.goto('/');
  await page.locator('.row-view').nth(ROWS - 1).waitFor();
  told.first = (await names(page)).slice(0, 4);
  told.cause = await page.locator('.row-view').first().locator('.cause').textContent();
  told.offAirNumbers = await page.locator('.row-view').first().locator('.lag, .left').allInnerTexts();
  told.behind = await page.locator('.row-view').filter({ hasText: 'stream-03' }).locator('.state').innerText();
  await page.getByRole('button', { name: 'Stream', exact: true }).click();
  await page.getByRole('button', { name: 'Stream', exact: true }).click();
  assert.equal(await page.getByRole('columnheader', { name: 'Stream' }).getAttribute('aria-sort'), 'descending');
  told.sorted = (await names(page)).slice(0, 2);
  assert.match(page.url(), /sort=-stream/);
  await page.goto('/');
  await page.locator('.row-view').nth(ROWS - 1).waitFor();

  // === many at once ===
  for (const name of ['stream-05', 'stream-06', 'stream-07']) await page.getByRole('checkbox', { name: `Select ${name}` }).check();
  await page.getByRole('button', { name: 'Stop…' }).click();
  const question = page.getByRole('alertdialog');
  told.question = await question.textContent();
  await question.getByRole('button', { name: 'Stop' }).click();
  await question.waitFor({ state: 'detached' });

  // === a destination by its name ===
  await page.goto('/pipelines/default:stream-05');
  await page.getByRole('button', { name: 'Reconnect now: main' }).click();
  await page.getByRole('button', { name: 'Turn off: main' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Turn off' }).click();
  await page.getByRole('alertdialog').waitFor({ state: 'detached' });

  // === a change that takes a stream off air needs a confirmation ===
  await page.goto('/pipelines/default:stream-05/edit');
  await page.getByLabel('Batch length in seconds').fill('12');
  await page.getByRole('button', { name: 'Save' }).click();
  const cost = page.getByRole('alertdialog');
  told.cost = await cost.textContent();
  await cost.getByRole('button', { name: 'Save, apply at the next start' }).click();
  await page.getByRole('heading', { level: 1, name: 'stream-05' }).waitFor();
  told.done = [...host.done];

  // === an hour of short batches ===
  await page.goto('/pipelines/default:stream-05?minutes=60');
  const timeline = page.getByRole('listbox', { name: 'Batches on the timeline' });
  await page.waitForFunction((least) => document.querySelectorAll('.timeline [role="option"]').length > least, BATCHES / 2);
  const options = timeline.getByRole('option');
  const narrow = await options.nth(5).boundingBox();
  assert.ok(narrow.width < TARGET_LEAST, 'they are narrower than a pointer');
  await page.mouse.click(narrow.x + narrow.width / 2, narrow.y + 20);
  await page.getByRole('region', { name: /^Batch \d+$/ }).waitFor();
  told.clicked = Number(new URL(page.url()).searchParams.get('batch'));
  await timeline.focus();
  await page.keyboard.press('Home');
  // The oldest batches leave the view meanwhile, so each check uses one moment.
  const active = () => timeline.evaluate((box) => [box.ariaActiveDescendantElement?.id ?? box.getAttribute('aria-activedescendant'), box.querySelector('[role="option"]').id].map((id) => Number(id.replace('batch-', ''))));
  const [at, oldest] = await active();
  assert.equal(at, oldest);
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  const [third] = await active();
  await page.keyboard.press('ArrowRight');
  assert.equal((await active())[0], third + 1);
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(`batch=${third + 1}\\b`));
  // One Tab stop, however many batches.
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.closest('.timeline')), null);
  await shoot(page, 'timeline-hour');

  // === the server hangs ===
  host.freeze(true);
  const from = Date.now();
  await page.getByText(/The server has not answered since/).waitFor();
  told.staleAfterMs = Date.now() - from;
  assert.ok(told.staleAfterMs < STALE_WITHIN_MS, `it took ${told.staleAfterMs} ms`);
  assert.equal(await page.getByText('Live', { exact: true }).count(), 0);
  await page.locator('main.stale').waitFor();
  await shoot(page, 'server-hangs');
  host.freeze(false);
  await page.locator('main.stale').waitFor({ state: 'detached' });
  assert.deepEqual(page.complaints, []);
  tell(told);
  host.end();
});
