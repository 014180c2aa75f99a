// Debian's Chromium on the dashboard of a real server: one browser for a file, a fresh context for
// each test. What must never happen on any page is watched on all of them.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { GIVE_UP_MS } from './harness.mjs';

const CHROMIUM = '/usr/bin/chromium';
const AXE = createRequire(import.meta.url)('axe-core').source;

// For test(): why there is no browser here, or false.
export const noBrowser = existsSync(CHROMIUM) ? false : `no ${CHROMIUM}: scripts/install-deps.sh test installs it`;

export async function openBrowser(...more) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', ...more],
  });
  return browser;
}

// A page in a context of its own, signed in with `key` unless it is null.
export async function openPage(browser, server, { key = server.key, at = '', width = 1280, height = 900, dark = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(GIVE_UP_MS);
  const page = await context.newPage();
  const wrong = [];
  await page.exposeFunction('tellOfPolicy', (text) => wrong.push(`policy: ${text}`));
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) =>
    window.tellOfPolicy(`${event.violatedDirective} ${event.blockedURI}`)));
  if (key !== null) {
    // As if it had been signed in before: once, or signing out would not last.
    await page.addInitScript((text) => {
      if (!sessionStorage.getItem('test')) sessionStorage.setItem('pushwire.key', text);
      sessionStorage.setItem('test', 'signed in');
    }, key);
  }
  page.on('pageerror', (error) => wrong.push(`error: ${error.stack}`));
  page.on('dialog', (dialog) => wrong.push(`dialog: ${dialog.message()}`));
  page.on('console', (message) => {
    // An answer that is no 2xx is one of the things that tests provoke.
    const known = message.text().startsWith('Failed to load resource');
    if (['error', 'warning'].includes(message.type()) && !known) wrong.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${server.url}/`) && !request.url().startsWith('data:')) wrong.push(`request: ${request.url()}`);
    if (server.key && request.url().includes(server.key)) wrong.push(`the key is in ${request.url()}`);
  });
  await page.goto(`${server.url}/${at}`);
  return {
    page,
    async go(hash) {
      await page.evaluate((to) => { location.hash = to; }, hash);
    },
    // The page is there, and what it loads too.
    async settled(title) {
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.waitForFunction(() => document.querySelectorAll('.skeleton, [aria-busy="true"]').length === 0);
    },
    async close() {
      await context.close();
      assert.deepEqual(wrong, []);
    },
  };
}

// Whether the page has to be moved sideways.
export async function fits(page) {
  const wide = await page.evaluate(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    return [...document.querySelectorAll('body *')].filter((each) => each.getBoundingClientRect().right > root.clientWidth + 1)
      .slice(0, 5).map((each) => `${each.tagName}.${each.className}`);
  });
  assert.deepEqual(wide, [], `${page.url()} is wider than the window`);
}

async function violations(page, options) {
  const found = await page.evaluate((given) => window.axe.run(document, given), options);
  return found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} (${node.any[0]?.message ?? ''})`).join('; ')}`);
}

// No serious violation of what axe knows, in light and in dark.
export async function accessible(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  await page.emulateMedia({ colorScheme: 'light' });
  assert.deepEqual(await violations(page, {}), [], `${page.url()} in light`);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.deepEqual(await violations(page, { runOnly: ['color-contrast'] }), [], `${page.url()} in dark`);
  await page.emulateMedia({ colorScheme: 'light' });
}

// Text that would show, run or hide something if a page let it.
export const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>',
  'javascript:alert(3)',
  '\u202Egnp.exe\u2066\u2069\u202C and on',
  '\u001b[31mred\u001b[0m \u0007\u0000\u009b',
  '{{7*7}} ${7*7}',
];
