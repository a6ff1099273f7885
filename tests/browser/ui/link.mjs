// The connection is lost while an operator watches: the page shows it and since when, nothing on it continues as if it
// were live, and it recovers by itself, with the changes in the meantime.
//
//   node link.mjs '{"url","pipeline"}'     one that is on air

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { open, run, shoot, tell, violations } from './browser.mjs';

/** The browser reports the lost connections too. */
const expected = (text) => text.includes('WebSocket') || (text.includes('404') && text.includes('/preview/'));
/** Longer than the update interval of anything on the page. */
const LOOK_MS = 3_000;

await run(async (browser, { url, pipeline }) => {
  const page = await open(browser, url, { expected });
  let away = false;
  const sockets = [];
  await page.routeWebSocket(/\/graphql$/, (socket) => {
    if (away) return void socket.close({ code: 4000 });
    socket.connectToServer();
    sockets.push(socket);
  });
  await page.goto(`/pipelines/${pipeline}`);
  const status = page.locator('header [role="status"]');
  await status.getByText('On air', { exact: true }).waitFor();
  const tiles = page.locator('.tiles');
  const counts = async () => `${await tiles.innerText()}\n${await status.innerText()}`;
  const goesOn = async () => page.waitForFunction((text) => document.querySelector('.tiles').innerText !== text, await tiles.innerText());
  await goesOn();

  // === lost ===
  away = true;
  const left = sockets.splice(0);
  for (const socket of left) await socket.close({ code: 4000 });
  const banner = page.getByText(/Connection lost at/);
  await banner.waitFor();
  await page.locator('main.stale').waitFor();
  const then = await counts();
  await page.waitForTimeout(LOOK_MS);
  assert.equal(await counts(), then, 'what is not live stands still');
  assert.equal(await page.getByText('Live', { exact: true }).count(), 0);
  assert.deepEqual(await violations(page), []);
  await shoot(page, 'link-lost');

  // === back ===
  await page.getByRole('button', { name: 'Try now' }).click();
  await banner.waitFor();
  away = false;
  await banner.waitFor({ state: 'detached' });
  await goesOn();
  assert.equal(await page.locator('main.stale').count(), 0);

  // === recovery by itself, with each log line once ===
  await page.getByRole('link', { name: 'Logs' }).click();
  await page.locator('.line').nth(3).waitFor();
  for (const socket of sockets.splice(0)) await socket.close({ code: 4000 });
  await page.waitForFunction(() => document.querySelector('main.stale') === null);
  await page.getByText(/^\s*Live, version/).waitFor();
  await page.locator('main.stale').waitFor({ state: 'detached' });
  const last = await page.locator('.line').last().textContent();
  await page.waitForFunction((text) => [...document.querySelectorAll('.line')].at(-1)?.textContent !== text, last);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  const lines = readFileSync(await (await saved).path(), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(lines.length > 20);
  assert.equal(new Set(lines.map((line) => line.id)).size, lines.length);

  // === a filter in the address, and further typing ===
  const filter = page.getByLabel('Text');
  await filter.fill('batch');
  await page.waitForURL(/text=batch/);
  await page.keyboard.type(' 1');
  await page.waitForURL(/text=batch(\+|%20)1/);
  assert.equal(await filter.inputValue(), 'batch 1');
  assert.deepEqual(page.complaints, []);
  tell({ connections: sockets.length });
});
