// Chromium as an operator has it, for the tests of the web pages: what they do, what they look like, who can use them.
//
// Nothing of the pages is switched off for the tests: the server's policy for scripts and styles holds, and whatever the
// browser complains about (errors, refused styles, requests that fail) is a failure unless a test says that it is meant.

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** WCAG 2.2 up to AA, and what axe's authors hold to be good practice. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** For what has to come over the network, or from ffmpeg. */
export const PATIENCE = 60_000;
const SHOTS = process.env.OUTBOARD_SHOTS;

export const DESKTOP = { width: 1440, height: 900 };
export const NARROW = { width: 1024, height: 768 };
export const PHONE = { width: 360, height: 780 };

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--enable-precise-memory-info'],
  });
}

/** A page of a browser of its own, as far as cookies and storage go. `expected` tells which complaints are meant. */
export async function open(browser, url, { viewport = DESKTOP, colorScheme = 'light', expected = () => false } = {}) {
  const context = await browser.newContext({ baseURL: url, viewport, colorScheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  const complain = (text) => expected(text) || complaints.push(text);
  page.on('console', (said) => {
    if (['error', 'warning'].includes(said.type())) complain(`${said.text()} (${said.location().url})`);
  });
  page.on('pageerror', (error) => complain(String(error.stack ?? error)));
  return Object.assign(page, { complaints });
}

/** What keeps somebody from using what is shown, each as a line. */
export async function violations(page) {
  await page.evaluate(`if (!globalThis.axe) { ${AXE} }`);
  const found = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), RULES);
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`),
  );
}

/** What is wider than the page, or than the card that it is on, and does not scroll in a frame of its own. */
export async function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const out = [...document.querySelectorAll('.card')].flatMap((card) => {
      const right = card.getBoundingClientRect().right + 1;
      const frames = '.scroll, .timeline, .cut, .hidden, [role="listbox"], pre, svg';
      const over = [...card.querySelectorAll('*')].find((one) => !one.closest(frames) && one.getBoundingClientRect().right > right);
      return over ? [`wider than its card: ${over.outerHTML.slice(0, 200)}`] : [];
    });
    if (document.documentElement.scrollWidth <= width) return out;
    const wide = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > width + 1);
    return [...out, `the page is ${document.documentElement.scrollWidth} wide`, ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 200))];
  });
}

/** Into the folder of OUTBOARD_SHOTS, where it is set: for people to look at. */
export async function shoot(page, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
/** Asks whoever runs the test to do something (to kill a server, and the like), and waits until it is done. */
export async function ask(what) {
  process.stdout.write(`${JSON.stringify({ ask: what })}\n`);
  const { value } = await orders.next();
  return JSON.parse(value ?? 'null');
}

/** Tells what came of it, and ends. */
export function tell(result) {
  process.stdout.write(`${JSON.stringify({ result })}\n`);
}

/** Runs a test to its end, whatever happens in it. */
export async function run(test) {
  const browser = await launch();
  try {
    await test(browser, JSON.parse(process.argv[2]));
  } finally {
    await browser.close();
    process.stdin.destroy();
  }
}
