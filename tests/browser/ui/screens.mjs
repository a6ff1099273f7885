// Every screen in light, in dark and on a phone: accessible (axe), not wider than the screen, and without complaints of
// the browser. With OUTBOARD_SHOTS set, a screenshot of each is saved in that folder.
//
//   node screens.mjs '{"url","pipeline","trouble","tenant"}'     pipelines by their ids, one on air and one in trouble

import assert from 'node:assert/strict';
import { DESKTOP, open, overflow, PHONE, run, shoot, tell, violations } from './browser.mjs';

const LOOKS = {
  light: { viewport: DESKTOP, colorScheme: 'light' },
  dark: { viewport: DESKTOP, colorScheme: 'dark' },
  phone: { viewport: PHONE, colorScheme: 'light' },
  'phone-dark': { viewport: PHONE, colorScheme: 'dark' },
};

/** Name, path, what must be present before the check, and what is done on the page first. */
const screens = ({ pipeline, trouble, tenant }) => [
  ['overview', '/', (page) => page.getByRole('link', { name: pipeline.split(':')[1] })],
  ['overview-none', '/?text=nothing-of-that-name', (page) => page.getByRole('heading', { name: 'No pipeline matches' })],
  ['pipeline', `/pipelines/${pipeline}`, (page) => page.getByText('behind air'), watch],
  ['batch', `/pipelines/${pipeline}`, (page) => page.getByRole('button', { name: 'Play: Processed audio' }), pickBatch],
  ['trouble', `/pipelines/${trouble}`, (page) => page.getByRole('row').filter({ hasText: 'no connection to the processor' }).first()],
  ['stop', `/pipelines/${pipeline}`, (page) => page.getByRole('alertdialog'), (page) => page.getByRole('button', { name: /^Stop / }).click()],
  ['menu', `/pipelines/${pipeline}`, (page) => page.getByRole('menu'), (page) => page.getByRole('button', { name: /^More for / }).click()],
  ['new', '/new', (page) => page.getByText('The settings can still be saved'), fillIn],
  ['edit', `/pipelines/${pipeline}/edit`, (page) => page.getByText('Revision 1', { exact: true }), unfold],
  ['logs', '/logs', (page) => page.locator('.line').first()],
  ['log-line', '/logs', (page) => page.getByRole('region', { name: 'The line in full' }), (page) => page.locator('.line').first().click()],
  ['stages', '/stages', (page) => page.getByText('remux-replace').first()],
  ['swap', '/stages', (page) => page.getByRole('dialog').getByLabel('Where', { exact: true }), (page) => page.getByRole('button', { name: /^Swap in remux-replace/ }).first().click()],
  ['pull', '/stages', (page) => page.getByRole('dialog').getByLabel('Signature'), fromRegistry],
  ['storage', '/storage', (page) => page.getByRole('row').nth(2)],
  ['clean', '/storage', (page) => page.getByRole('button', { name: /^Remove \d+ batch/ }), preview],
  ['tenants', '/tenants', (page) => page.getByRole('link', { name: tenant })],
  ['tenant', `/tenants/${tenant}`, (page) => page.getByText('Given up').or(page.getByText('Failed, retrying')).first(), deliveries],
  ['stage-policy', `/tenants/${tenant}`, (page) => page.getByLabel('Digests'), stagePolicy],
  ['token', `/tenants/${tenant}`, (page) => page.getByText('only once'), makeToken],
  ['sign-in', '/sign-in', (page) => page.getByLabel('Token')],
  ['nowhere', '/pipelines/default:evening-news/nothing', (page) => page.getByRole('heading', { level: 1 })],
];

const watch = (page) => page.getByRole('button', { name: 'Watch what is on air' }).click();
/** A batch with a reply in time that was on air a moment ago: its files still exist for a while. */
const pickBatch = async (page) => {
  const rows = page.getByRole('row').filter({ hasText: 'Processed' }).filter({ hasText: /Aired(?! at|, cleaned)/ });
  await rows.first().getByRole('button').click();
};
const preview = async (page) => {
  await page.getByLabel('Newest batches to keep').fill('1');
  await page.getByRole('button', { name: 'Preview the clean-up' }).click();
};
const fillIn = async (page) => {
  await page.getByLabel('Stream id').fill('another');
  await page.getByLabel('Source', { exact: true }).fill('http://127.0.0.1:9/live/master.m3u8');
  await page.getByLabel('RTMP URL').fill('rtmp://127.0.0.1:9/live/key');
};
const unfold = async (page) => {
  for (const part of await page.locator('details > summary').all()) await part.click();
};
const deliveries = async (page) => {
  await page.getByRole('button', { name: 'More for pager' }).click();
  await page.getByRole('menuitem', { name: 'Deliveries' }).click();
};
const fromRegistry = async (page) => {
  await page.getByRole('button', { name: 'From a registry…' }).click();
  await page.getByText('Name and password, signature, http').click();
};
const stagePolicy = async (page) => {
  await page.getByRole('button', { name: 'Change the stage policy' }).click();
  await page.getByLabel('Only listed components').check();
};
const makeToken = async (page) => {
  await page.getByLabel('Name of a new token').fill(`looked-at-${Date.now()}`);
  await page.getByRole('button', { name: 'Create token' }).click();
};

await run(async (browser, given) => {
  const wrong = [];
  let looked = 0;
  for (const [look, options] of Object.entries(LOOKS)) {
    const expected = (text) => text.includes('404') && text.includes('/preview/');
    const page = await open(browser, given.url, { ...options, expected });
    for (const [name, path, there, first] of screens(given)) {
      await page.goto(path);
      if (first) await first(page);
      await there(page).first().waitFor();
      const said = [...(await violations(page)), ...(await overflow(page)), ...page.complaints.splice(0)];
      wrong.push(...said.map((text) => `${name}, ${look}: ${text}`));
      await shoot(page, `${name}-${look}`);
      looked += 1;
    }
    if (options.viewport === PHONE) {
      await page.goto('/');
      await page.getByRole('button', { name: 'Menu' }).click();
      await page.getByRole('dialog').waitFor();
      wrong.push(...(await violations(page)).map((text) => `drawer, ${look}: ${text}`));
      await shoot(page, `drawer-${look}`);
      looked += 1;
    }
    await page.context().close();
  }
  assert.deepEqual(wrong, []);
  tell({ looked });
});
