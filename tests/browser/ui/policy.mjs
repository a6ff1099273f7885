// A tenant that accepts only signed components: a host admin sets this on the tenant's page, and the Stages page
// enforces it.
//
//   node policy.mjs '{"url","tenant","publicKey","component","signature","reference"}'     component, signature: paths of files

import assert from 'node:assert/strict';
import { open, run, shoot, tell } from './browser.mjs';

await run(async (browser, { url, tenant, publicKey, component, signature, reference }) => {
  const page = await open(browser, url);
  const told = {};
  const policy = page.getByRole('region', { name: 'Stage policy' });

  // === the policy ===
  await page.goto(`/tenants/${tenant}`);
  await policy.getByRole('button', { name: 'Change the stage policy' }).click();
  await policy.getByLabel('Only listed components').check();
  const digests = policy.getByLabel('Digests');
  const key = policy.getByLabel('Public key');
  await digests.fill('sha256:short');
  await key.fill('no key');
  await policy.getByRole('button', { name: 'Save' }).click();
  for (const field of [digests, key]) {
    await page.waitForFunction((one) => one.ariaInvalid === 'true', await field.elementHandle());
  }
  told.refused = await policy.locator('.problem').allTextContents();
  await policy.getByLabel('Every component of the tenant').check();
  await key.fill(publicKey);
  await policy.getByRole('button', { name: 'Save' }).click();
  await policy.locator('pre').waitFor();
  told.key = await policy.locator('pre').textContent();
  await shoot(page, 'policy');

  // === adding components ===
  await page.goto('/stages');
  const give = async (...files) => {
    await page.locator('.drop select').selectOption(tenant);
    await page.locator('#component-file').setInputFiles(files);
  };
  await give(component);
  const alert = page.getByRole('alert');
  await alert.waitFor();
  told.unsigned = await alert.textContent();
  await give(component, signature);
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('heading', { name: /^Swap in/ }).waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText(`of ${tenant}`, { exact: true }).waitFor();
  told.signedWith = await page.locator('dt', { hasText: 'Signed with' }).locator('xpath=following-sibling::dd').textContent();

  // === from a registry ===
  await page.getByRole('button', { name: 'From a registry…' }).click();
  await dialog.getByLabel('Reference').fill('registry.example.com/remux');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await dialog.locator('.problem').waitFor();
  told.reference = await dialog.locator('.problem').textContent();
  await dialog.getByLabel('Reference').fill(reference);
  await dialog.getByText('Name and password, signature, http').click();
  await dialog.getByLabel('Use http, without TLS').check();
  await shoot(page, 'registry');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await dialog.getByRole('heading', { name: /^Swap in/ }).waitFor();
  told.pulled = await dialog.getByRole('heading').textContent();
  assert.deepEqual(page.complaints, []);
  tell(told);
});
