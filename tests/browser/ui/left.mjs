// A screen is left while one of its requests has no response yet. The late response must not change the address, and
// must not read values of the screen that is gone (Svelte warns of that, and every warning is a failure).
//
//   node left.mjs '{"url","pipeline","tenant"}'     a pipeline on air

import assert from 'node:assert/strict';
import { open, run, tell } from './browser.mjs';

/** The address, the operation whose response is late, and what starts it if the screen does not. */
const cases = ({ pipeline, tenant }) => [
  [`/pipelines/${pipeline}?batch=1`, 'OneBatch'],
  [`/pipelines/${pipeline}`, 'PipelineDetail'],
  [`/pipelines/${pipeline}/edit`, 'SettingsOf'],
  [`/pipelines/${pipeline}/edit`, 'StageChoices'],
  ['/new', 'ValidatePipeline', fillIn],
  ['/new', 'TenantNames'],
  ['/stages?tenant=default', 'StageComponents'],
  ['/stages', 'Swaps'],
  ['/storage?tenant=default', 'Retentions'],
  ['/tenants', 'Tenants'],
  [`/tenants/${tenant}`, 'OneTenant'],
  [`/tenants/${tenant}`, 'Tokens'],
  [`/tenants/${tenant}`, 'Webhooks'],
  [`/tenants/${tenant}`, 'Audit'],
  ['/logs?text=air', 'PipelineNames'],
];

const fillIn = async (page) => {
  await page.getByLabel('Stream id').fill('another');
  await page.getByLabel('Source', { exact: true }).fill('http://127.0.0.1:9/live/master.m3u8');
  await page.getByLabel('RTMP URL').fill('rtmp://127.0.0.1:9/live/key');
};

await run(async (browser, given) => {
  const expected = (text) => text.includes('404') && text.includes('/preview/');
  const page = await open(browser, given.url, { expected });
  const wrong = [];
  let left = 0;
  for (const [address, operation, first] of cases(given)) {
    let held;
    const seen = new Promise((resolve) => {
      held = resolve;
    });
    const release = [];
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes(`query ${operation}`) && !route.request().postData()?.includes(`mutation ${operation}`)) return route.continue();
      held();
      await new Promise((resolve) => release.push(resolve));
      return route.continue();
    });
    await page.goto(address);
    if (first) await first(page);
    await seen;
    const late = page.waitForResponse((response) => response.request().postData()?.includes(operation) ?? false);
    await page.getByRole('link', { name: 'Overview' }).click();
    // Unsaved settings.
    if (first) await page.getByRole('alertdialog').getByRole('button', { name: 'Leave' }).click();
    await page.getByRole('heading', { level: 1, name: 'Pipelines' }).waitFor();
    for (const one of release) one();
    await (await late).finished();
    // Whatever the response causes has happened two frames later.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const now = new URL(page.url());
    wrong.push(...page.complaints.splice(0).map((text) => `${address}, ${operation}: ${text}`));
    if (now.pathname + now.search !== '/') wrong.push(`${address}, ${operation}: the address became ${now.pathname}${now.search}`);
    await page.unrouteAll({ behavior: 'wait' });
    left += 1;
  }
  assert.deepEqual(wrong, []);
  tell({ left });
});
