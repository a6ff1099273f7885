// Chromium as an operator uses it, for the tests of the web pages: behaviour, appearance, accessibility.
//
// The pages are tested with their real content policy, and everything that the browser complains about (errors, refused
// styles, failed requests) is a failure unless a test declares it as expected.

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** WCAG 2.2 up to AA, and axe's best practices. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** Longest wait for something from the network or from ffmpeg. */
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

/** A page with its own cookies and storage. `expected` selects expected complaints. */
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

/** Accessibility problems of the page, one per line. */
export async function violations(page) {
  await page.evaluate(`if (!globalThis.axe) { ${AXE} }`);
  const found = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), RULES);
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`),
  );
}

/** Elements that are wider than the page or their card and do not scroll in a frame. */
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

/** Saves a screenshot in the folder OUTBOARD_SHOTS, if it is set. */
export async function shoot(page, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
/** Requests an action from the test (such as killing a server), and waits until it is done. */
export async function ask(what) {
  process.stdout.write(`${JSON.stringify({ ask: what })}\n`);
  const { value } = await orders.next();
  return JSON.parse(value ?? 'null');
}

/** Returns the result and ends. */
export function tell(result) {
  process.stdout.write(`${JSON.stringify({ result })}\n`);
}

/** Runs a test and always ends it properly. */
export async function run(test) {
  const browser = await launch();
  try {
    await test(browser, JSON.parse(process.argv[2]));
  } finally {
    await browser.close();
    process.stdin.destroy();
  }
}
