// An operator's tasks, all through the pages: create a pipeline with the form, see it go on air, follow its batches,
// watch and hear it, see why the original audio is on air after the processor is killed, swap a stage and roll it back,
// stop the pipeline and clean its storage.
//
//   node journey.mjs '{"url","source","processor","to","stream","component"}'     component: the path of another build of a stage

import assert from 'node:assert/strict';
import { ask, open, PATIENCE, run, shoot, tell } from './browser.mjs';
import { swapAndBack } from './swapping.mjs';

/** The preview's playlist does not exist before the first batch is on air; the page requests it and waits. */
const expected = (text) => text.includes('404') && text.includes('/preview/');

/** The observed states of one batch, in order; waits until there were three. */
async function movement(page, timeline) {
  const seen = new Map();
  for (const deadline = Date.now() + PATIENCE; ; await page.waitForTimeout(100)) {
    for (const label of await timeline.getByRole('option').evaluateAll((all) => all.map((one) => one.ariaLabel ?? ''))) {
      const [batch, state] = label.split(': ');
      const states = seen.get(batch) ?? new Set();
      seen.set(batch, states.add(state.replaceAll(/ (now|for [\d.]+ m?s)/g, '')));
      if (states.size >= 3) return [batch, ...states];
    }
    assert.ok(Date.now() < deadline, `no batch was seen to move: ${JSON.stringify([...seen].map(([batch, states]) => [batch, ...states]))}`);
  }
}

await run(async (browser, { url, source, processor, to, stream, component }) => {
  const page = await open(browser, url, { expected });
  const told = {};

  // === by the form ===
  await page.goto('/');
  await page.getByRole('link', { name: 'Create the first one' }).click();
  await page.getByLabel('Stream id').fill(stream);
  // Going back does not lose unsaved changes.
  await page.goBack();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await page.getByLabel('Stream id').inputValue(), stream);
  assert.equal(new URL(page.url()).pathname, '/new');
  await page.getByLabel('Source', { exact: true }).fill(source);
  await page.getByLabel('Processor', { exact: true }).fill(processor);
  await page.getByLabel('RTMP URL').fill('rtmp//no-colon');
  await page.getByLabel('Batch length in seconds').fill('4');
  // The server's message at its field.
  const destination = page.getByLabel('RTMP URL');
  await page.locator('[aria-invalid="true"]').first().waitFor();
  assert.equal(await destination.getAttribute('aria-invalid'), 'true');
  told.refusal = await page.locator(`[id="${(await destination.getAttribute('aria-describedby')).split(' ').at(-1)}"]`).textContent();
  await destination.fill(to);
  const dryRun = page.getByRole('complementary', { name: 'Dry run' });
  await dryRun.getByText('It would go on air.').waitFor();
  told.dryRun = await dryRun.getByRole('listitem').allTextContents();
  await page.getByRole('button', { name: 'Create pipeline' }).click();

  // === on air, batch by batch ===
  await page.getByRole('heading', { level: 1, name: stream }).waitFor();
  told.address = new URL(page.url()).pathname;
  const status = page.locator('header [role="status"]');
  await status.getByText('On air', { exact: true }).waitFor();
  await status.getByText('on air with processed audio').waitFor();
  const timeline = page.locator('.timeline');
  await timeline.getByRole('option', { name: /^Batch 1: processed audio.*on air/ }).waitFor();
  // One batch is seen at several steps.
  told.steps = await movement(page, timeline);

  // === watch and hear ===
  await page.getByRole('button', { name: 'Watch what is on air' }).click();
  const video = page.locator('video');
  const playing = () => video.evaluate((one) => ({ at: one.currentTime, frames: one.getVideoPlaybackQuality().totalVideoFrames, width: one.videoWidth }));
  await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0);
  const before = await playing();
  await page.waitForFunction((from) => document.querySelector('video').currentTime > from + 3, before.at);
  told.played = { before, after: await playing(), behind: await page.getByText('behind air').textContent() };
  await video.evaluate((one) => Object.assign(one, { seen: true }));
  await timeline.getByRole('option', { name: /^Batch 1:/ }).or(page.getByRole('row', { name: /^1 / }).getByRole('button')).first().click();
  const panel = page.getByRole('region', { name: 'Batch 1' });
  await panel.getByRole('button', { name: 'Play: Processed audio' }).waitFor();
  await panel.getByRole('button', { name: 'Play: Original audio' }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('audio')].some((one) => one.currentTime > 0.5 && !one.paused));
  // Switching keeps the position: only one is audible.
  await panel.getByRole('button', { name: 'Play: Processed audio' }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('audio')].filter((one) => !one.paused).length === 1);
  told.heard = await panel.getByRole('heading', { level: 4 }).allTextContents();
  told.waves = await panel.locator('.wave path').evaluateAll((all) => all.map((one) => one.getAttribute('d').length));
  // The address contains the batch; the preview continues as before.
  assert.equal(new URL(page.url()).searchParams.get('batch'), '1');
  told.watchedOn = await video.evaluate((one) => one.seen === true && !one.paused);
  const saved = page.waitForEvent('download');
  await panel.getByRole('link', { name: 'Download: Original audio' }).click();
  told.saved = (await saved).suggestedFilename();
  await shoot(page, 'journey-on-air');
  await panel.getByRole('button', { name: 'Close' }).click();

  // === the processor dies ===
  await ask('kill-processor');
  await status.getByText(/original audio/i).waitFor();
  told.why = await status.textContent();
  const originals = page.getByRole('row').filter({ hasText: 'Original' }).filter({ hasText: 'no connection to the processor' });
  await originals.first().waitFor();
  told.original = await originals.first().textContent();
  await shoot(page, 'journey-processor-killed');

  // === swap a stage, and roll it back ===
  told.swapped = await swapAndBack(page, { stream, component });

  // === stop, and clean up ===
  await page.getByRole('button', { name: `Stop ${stream}` }).click();
  const confirm = page.getByRole('alertdialog');
  assert.match(await confirm.textContent(), new RegExp(`${stream} is on air`));
  await confirm.getByRole('button', { name: 'Stop' }).click();
  await status.getByText('Stopped', { exact: true }).waitFor();
  // Somebody else looks at a batch whose files are about to be removed.
  const other = await page.context().newPage();
  await other.goto(told.address);
  await other.getByRole('row').filter({ hasText: /Aired(?!, cleaned)/ }).nth(1).getByRole('button').click();
  await other.getByRole('button', { name: 'Play: Original audio' }).waitFor();
  await page.getByRole('link', { name: 'Storage' }).click();
  const used = page.locator('#use ~ .totals');
  told.usedBefore = await used.textContent();
  await page.getByLabel('Newest batches to keep').fill('1');
  await page.getByRole('button', { name: 'Preview the clean-up' }).click();
  await page.getByRole('button', { name: /^Remove \d+ batch/ }).click();
  told.question = await page.getByRole('alertdialog').textContent();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
  told.cleaned = await page.getByText(/removed, .* freed/).textContent();
  told.gone = await other.getByText(/The files of this batch were removed/).textContent();
  assert.equal(await other.getByRole('button', { name: /^Play/ }).count(), 0, 'no sound is offered that is gone');
  assert.deepEqual(page.complaints, []);
  tell(told);
});
