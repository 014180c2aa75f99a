// The API's reference at /docs: whole, without a dead link, and readable in a real browser.
import assert from 'node:assert/strict';
import test from 'node:test';
import { accessible, fits, noBrowser, openBrowser, openPage } from './browser.mjs';
import { Server, contract } from './harness.mjs';

const server = await Server.start();
const get = (target) => server.call('GET', target, { key: null });
const names = contract.document.tags.map(({ name }) => name.toLowerCase().replaceAll(' ', '-'));
const pages = ['/docs', '/docs/what-receivers-get', ...names.map((name) => `/docs/${name}`)];

test('each resource has its page, and each operation its place there', async () => {
  const shown = [];
  for (const target of pages) {
    const page = await get(target);
    assert.equal(page.status, 200, target);
    assert.match(page.headers['content-security-policy'], /default-src 'none'/);
    assert.doesNotMatch(page.text, /<script|style="|\son\w+=/);
    shown.push(...[...page.text.matchAll(/<section class="operation" id="(\w+)"/g)].map(([, id]) => id));
  }
  const operations = Object.values(contract.document.paths).flatMap((item) =>
    Object.values(item).map(({ operationId }) => operationId).filter(Boolean));
  const sent = Object.values(contract.document.webhooks).map(({ post }) => post.operationId);
  assert.deepEqual(shown.sort(), [...operations, ...sent].sort());
});

test('no link leads nowhere', async () => {
  const texts = new Map();
  const textOf = async (target) => {
    if (!texts.has(target)) texts.set(target, await get(target));
    return texts.get(target);
  };
  for (const from of pages) {
    for (const [, href] of (await textOf(from)).text.matchAll(/href="([^"]+)"/g)) {
      if (href.startsWith('https://')) continue;
      const { pathname, hash } = new URL(href, `http://any${from}`);
      const to = await textOf(pathname);
      assert.equal(to.status, 200, `${from}: ${href}`);
      if (hash) assert.ok(to.text.includes(` id="${hash.slice(1)}"`), `${from}: ${href}`);
    }
  }
});

test('the pages fit a desk and a phone, and axe finds nothing serious', { skip: noBrowser }, async () => {
  const browser = await openBrowser();
  const { page, close } = await openPage(browser, server, { key: null, at: 'docs' });
  for (const target of ['/docs', '/docs/webhooks']) {
    await page.goto(server.url + target);
    await fits(page);
    await accessible(page);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  for (const target of pages) {
    await page.goto(server.url + target);
    await fits(page);
  }
  await close();
  await browser.close();
});

test('the keyboard comes to the text at once, and to all that is cut off', { skip: noBrowser }, async () => {
  const browser = await openBrowser();
  const { page, close } = await openPage(browser, server, { key: null, at: 'docs/calls' });
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'To the text');
  await page.keyboard.press('Enter');
  assert.equal(new URL(page.url()).hash, '#main');
  const stuck = await page.evaluate(() => [...document.querySelectorAll('pre, .scroll')]
    .filter((each) => each.tabIndex < 0).length);
  assert.equal(stuck, 0);
  await close();
  await browser.close();
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
