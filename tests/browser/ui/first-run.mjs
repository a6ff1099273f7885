// The first run on an empty server: one click starts the demo, and its video plays.
//
//   node first-run.mjs '{"url"}'

import assert from 'node:assert/strict';
import { DESKTOP, open, overflow, PHONE, run, shoot, tell, violations } from './browser.mjs';

/** The preview's playlist does not exist before the first batch is on air; the page requests it and waits. */
const expected = (text) => text.includes('404') && text.includes('/preview/');
const START = { name: 'Start the demo' };

await run(async (browser, { url }) => {
  const wrong = [];
  for (const viewport of [DESKTOP, PHONE]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(browser, url, { viewport, colorScheme });
      await page.goto('/');
      await page.getByRole('button', START).waitFor();
      const look = `${viewport.width}-${colorScheme}`;
      wrong.push(...[...(await violations(page)), ...(await overflow(page)), ...page.complaints].map((text) => `${look}: ${text}`));
      await shoot(page, `first-run-${look}`);
      await page.context().close();
    }
  }
  assert.deepEqual(wrong, []);

  const page = await open(browser, url, { expected });
  await page.goto('/');
  await page.getByRole('button', START).click();
  const status = page.locator('header [role="status"]');
  await status.getByText('on air with processed audio').waitFor();
  const address = new URL(page.url()).pathname;
  await page.getByRole('button', { name: 'Watch what is on air' }).click();
  await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 1);
  const frames = await page.locator('video').evaluate((one) => one.getVideoPlaybackQuality().totalVideoFrames);
  await shoot(page, 'first-run-on-air');

  // Its id is taken: creating a pipeline with this id fails.
  await page.goto('/new');
  const id = page.getByLabel('Stream id');
  await id.fill('demo');
  await page.getByLabel('Source', { exact: true }).fill('http://127.0.0.1:9/live.m3u8');
  await page.getByLabel('RTMP URL').fill('rtmp://127.0.0.1:9/live/key');
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  await page.getByText('There is already a pipeline default:demo').first().waitFor();
  assert.equal(await id.getAttribute('aria-invalid'), 'true');
  assert.equal(new URL(page.url()).pathname, '/new');
  await page.getByRole('link', { name: 'Cancel' }).click();

  // The demo's pipeline can be deleted like any other, and disappears from the page.
  await page.getByRole('button', { name: /^More for / }).click();
  await page.getByRole('menuitem', { name: /Delete/ }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', START).waitFor();
  assert.deepEqual(page.complaints, []);
  tell({ address, frames });
});
