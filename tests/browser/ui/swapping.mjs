// A stage is swapped by dropping a file on the page, followed through its probation, and rolled back: the stream stays
// on air. Part of the operator's tasks.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { shoot } from './browser.mjs';

/** Drops a file as a mouse does. */
async function drop(page, name, bytes) {
  const dataTransfer = await page.evaluateHandle(
    ([name, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], name));
      return data;
    },
    [name, bytes.toString('base64')],
  );
  await page.locator('.drop').dispatchEvent('drop', { dataTransfer });
}

/** Swaps a stage of a pipeline on air; `component` is the path of another build of its stage. */
export async function swapAndBack(page, { stream, component }) {
  const told = {};
  await page.getByRole('link', { name: 'Stages' }).click();

  // A file that is not a component is refused with the server's message.
  await drop(page, 'notes.wasm', Buffer.from('this is no component'));
  told.refused = await page.getByRole('alert').first().textContent();

  // === swap ===
  await drop(page, basename(component), readFileSync(component));
  const dialog = page.getByRole('dialog');
  told.question = await dialog.getByRole('heading').textContent();
  const where = dialog.getByLabel('Where', { exact: true });
  assert.equal(await where.inputValue(), '', 'no pipeline is chosen before somebody does');
  assert.ok(await dialog.getByRole('button', { name: 'Swap' }).isDisabled());
  await where.selectOption({ value: await where.locator('option').filter({ hasText: `:${stream}:` }).getAttribute('value') });
  await dialog.getByLabel('Probation in batches').fill('1');
  await dialog.getByRole('button', { name: 'Swap' }).click();
  const swap = page.locator('section[aria-labelledby="swaps"] > ul > li').first();
  await swap.getByText('On probation').or(swap.getByText('Done', { exact: true })).first().waitFor();
  await swap.getByText('Done', { exact: true }).waitFor();
  told.steps = await swap.locator('ol li').allInnerTexts();
  await shoot(page, 'journey-swapped');

  // === roll back ===
  await swap.getByRole('button', { name: /^Roll back/ }).click();
  const confirm = page.getByRole('alertdialog');
  told.back = await confirm.textContent();
  await confirm.getByRole('button', { name: 'Roll back' }).click();
  await confirm.waitFor({ state: 'detached' });
  await page.locator('section[aria-labelledby="swaps"] > ul > li').nth(1).waitFor();
  await page.locator('section[aria-labelledby="swaps"] > ul > li').first().getByText('Done', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('link', { name: stream }).click();
  assert.match(await page.locator('header [role="status"]').textContent(), /on air/i, 'it stayed on air');
  return told;
}
