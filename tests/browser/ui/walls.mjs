// Two tenants, each in its own browser, on a server that requires tokens: neither sees anything of the other, a viewer
// has no button that would fail, and a revoked token signs its browser out at once.
//
//   node walls.mjs '{"url","tenants":[{"tenant","stream","admin","viewer"},…]}'

import assert from 'node:assert/strict';
import { open, run, shoot, tell } from './browser.mjs';

/**
 * Requests before signing in, for another tenant's objects, and after the token was revoked: the browser reports each
 * response.
 */
const expected = (text) => /\b(401|403|404)\b/.test(text);
const SCREENS = ['/', '/logs', '/stages', '/storage'];
/** Labels of actions: for a viewer each of these would fail. */
const STEERING = /^(start|stop|edit|delete|restart|new pipeline|create|clean|preview the clean-up|swap|upload)/i;

async function signIn(page, token) {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function words(page) {
  return page.evaluate(() => document.documentElement.outerHTML);
}

await run(async (browser, { url, tenants }) => {
  let looked = 0;
  const pages = [];
  for (const [n, mine] of tenants.entries()) {
    const other = tenants[1 - n];
    const page = await open(browser, url, { expected });
    pages.push(page);

    // === signing in ===
    await page.goto(`/pipelines/${mine.tenant}:${mine.stream}`);
    await signIn(page, 'obt_wrong');
    await page.getByRole('alert').waitFor();
    if (n === 0) await shoot(page, 'sign-in-refused');
    await signIn(page, mine.viewer);
    // The page requested before signing in.
    await page.getByRole('heading', { level: 1, name: mine.stream }).waitFor();

    // === as a viewer ===
    await page.getByRole('button', { name: `More for ${mine.stream}` }).click();
    assert.deepEqual((await page.getByRole('menuitem').allTextContents()).map((text) => text.trim()), ['Logs']);
    await page.keyboard.press('Escape');
    for (const path of SCREENS) {
      await page.goto(path);
      await page.locator('main h1').waitFor();
      await page.getByText('Live', { exact: false }).first().waitFor();
      const buttons = await page.locator('main button, main a.button').allTextContents();
      assert.deepEqual(buttons.filter((text) => STEERING.test(text.trim())), [], path);
      const shown = await words(page);
      assert.ok(!shown.includes(other.stream) && !shown.includes(other.tenant), `${path} of ${mine.tenant} tells of ${other.tenant}`);
    }
    assert.equal(await page.getByRole('link', { name: 'Tenants' }).count(), 0);
    await page.goto('/');
    await page.getByRole('link', { name: mine.stream }).waitFor();
    await page.goto(`/pipelines/${other.tenant}:${other.stream}`);
    await page.getByRole('alert').getByText(/no pipeline/i).waitFor();
    await page.goto('/new');
    await page.getByText('Only operators change settings').waitFor();
    await page.goto('/');
    await page.getByRole('link', { name: mine.stream }).waitFor();
  }

  for (const [n, mine] of tenants.entries()) {
    const other = tenants[1 - n];
    const page = await open(browser, url, { expected });

    // === as an admin ===
    await page.goto('/');
    await signIn(page, mine.admin);
    await page.getByRole('link', { name: 'Tenants' }).click();
    await page.getByRole('heading', { level: 1, name: mine.tenant }).waitFor();
    const viewers = page.getByRole('row', { name: /^looks/ });
    await viewers.waitFor();
    await page.getByRole('row', { name: /pipeline\.create/ }).first().waitFor();
    const shown = await words(page);
    assert.ok(!shown.includes(other.stream) && !shown.includes(other.tenant), `what an admin of ${mine.tenant} sees tells of ${other.tenant}`);
    if (n === 0) await shoot(page, 'tenant-own');
    await page.goto(`/tenants/${other.tenant}`);
    await page.getByRole('alert').first().waitFor();

    // === signing out ===
    await page.goto(`/tenants/${mine.tenant}`);
    await viewers.getByRole('button', { name: 'Revoke looks' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('revoked or expired').waitFor();
    await pages[n].getByRole('heading', { name: 'Sign in to Outboard' }).waitFor();
    // The other tenant's browser is not affected.
    if (n === 0) assert.equal(await pages[1].getByRole('heading', { level: 1, name: 'Pipelines' }).count(), 1);
    assert.deepEqual([...page.complaints, ...pages[n].complaints], []);
    looked += 1;
  }
  tell({ looked });
});
