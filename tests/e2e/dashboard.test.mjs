// The dashboard in a browser: signing in, and what can be done to channels, webhooks and keys.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HOSTILE, accessible, fits, noBrowser, openBrowser, openPage } from './browser.mjs';
import { Receiver, Server, eventually } from './harness.mjs';

const skip = noBrowser;
const server = await Server.start();
const receiver = await Receiver.open();
const browser = skip ? null : await openBrowser();
await server.channel('shop');
await server.channel('other');
const makeKey = async (role, channel, more = {}) =>
  (await server.must('POST', '/v1/keys', { body: { role, channel, ...more } })).key;
const keys = {
  manage: await makeKey('manage', 'shop'),
  read: await makeKey('read', 'shop'),
  ingest: await makeKey('ingest', 'shop'),
  expired: await makeKey('read', 'shop', { expiresAt: new Date(Date.now() + 1500).toISOString() }),
};

// A test with a page of its own; at its end nothing that must not happen has happened.
function inBrowser(name, options, run) {
  test(name, { skip }, async () => {
    const opened = await openPage(browser, server, options);
    await run(opened.page, opened);
    await opened.close();
  });
}

const button = (page, name) => page.getByRole('button', { name, exact: true });
const dialogOf = (page) => page.getByRole('dialog');

// ---- signing in ----

const tryKey = async (page, key) => {
  await page.getByLabel('Key', { exact: true }).fill(key);
  await button(page, 'Sign in').click();
};

inBrowser('a key that opens nothing is told why', { key: null }, async (page) => {
  await eventually('the key has expired', async () =>
    (await server.call('GET', '/v1/me', { key: keys.expired })).status === 401);
  for (const [key, text] of [
    ['pw_admin_nobody', 'This key is not known here'],
    ['an ordinary password', 'This is no key'],
    [keys.expired, 'This key has expired'],
    [keys.ingest, 'This key may only send events'],
  ]) {
    await tryKey(page, key);
    await page.getByRole('alert').filter({ hasText: text }).waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.getItem('pushwire.key')), null, key);
  }
  await accessible(page);
});

inBrowser('a key that is right stays for the tab, in no address, until it is signed out', { key: null }, async (page, { settled }) => {
  await tryKey(page, `  ${server.key}\n`);
  await settled('Overview');
  assert.equal(page.url(), `${server.url}/`);
  await page.reload();
  await settled('Overview');
  await button(page, 'Sign out').click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie]));
  assert.ok(!kept.includes('pw_'), kept);
  await page.reload();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

inBrowser('a key that is deleted while it is used signs its user out', { key: null }, async (page, { settled, go }) => {
  const made = await server.must('POST', '/v1/keys', { body: { role: 'admin' } });
  await tryKey(page, made.key);
  await settled('Overview');
  await server.must('DELETE', `/v1/keys/${made._id}`);
  await go('#/channels');
  await page.getByText('You were signed out: unknown key.').waitFor();
});

inBrowser('a key for one channel sees that channel alone', { key: null }, async (page, { settled, go }) => {
  await tryKey(page, keys.manage);
  await settled('shop');
  assert.ok(page.url().endsWith('#/c/shop'), page.url());
  assert.equal(await page.getByRole('navigation', { name: 'Server' }).count(), 0);
  for (const elsewhere of ['#/', '#/channels', '#/keys', '#/c/other', '#/c/other/webhooks']) {
    await go(elsewhere);
    await page.waitForFunction(() => location.hash === '#/c/shop');
    await settled('shop');
  }
});

inBrowser('a key that may only read is offered nothing that would be refused', { key: keys.read }, async (page, { settled, go }) => {
  const { _id } = await server.webhook('shop', receiver.url);
  await go('#/c/shop/webhooks');
  await settled('Webhooks');
  const create = page.getByRole('button', { name: 'Create webhook (this key may only read)' });
  assert.equal(await create.first().getAttribute('aria-disabled'), 'true');
  await go(`#/c/shop/webhooks/${_id}`);
  await settled(receiver.url);
  for (const name of ['Send test event', 'Edit', 'Disable', 'Show secret', 'Rotate secret', 'Delete']) {
    const off = page.getByRole('button', { name: `${name} (this key may only read)` });
    assert.equal(await off.getAttribute('aria-disabled'), 'true', name);
    await off.click({ force: true });
  }
  assert.equal(await dialogOf(page).count(), 0);
  await server.must('DELETE', `/v1/channels/shop/webhooks/${_id}`);
});

// ---- a webhook's life ----

inBrowser('a webhook is made, tried, changed, given a new secret, stopped and deleted', { key: keys.manage }, async (page, { settled, go }) => {
  const list = () => server.list('/v1/channels/shop/webhooks');
  await go('#/c/shop/webhooks');
  await settled('Webhooks');
  await page.getByRole('link', { name: 'Create webhook' }).first().click();
  await settled('Create a webhook');
  await page.getByLabel('URL').fill('ftp://nowhere');
  await button(page, 'Create webhook').click();
  await page.locator('.field-error').waitFor();
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-invalid') === 'true');
  await page.getByLabel('URL').fill(receiver.url);
  await page.getByLabel('Description').fill('Orders to the warehouse');
  await page.getByRole('radio', { name: 'Some' }).check();
  await page.getByLabel('click').check();
  await page.getByLabel('optIn').check();
  await button(page, 'Add header').click();
  await page.getByLabel('Name 1').fill('X-Token');
  await page.getByLabel('Value 1').fill('for the receiver');
  await page.getByRole('radio', { name: 'Own' }).check();
  await page.getByLabel('Retries', { exact: true }).fill('3');
  await button(page, 'Create webhook').click();
  await settled('The webhook is made');
  const [made] = await list();
  const { secret } = await server.must('GET', `/v1/channels/shop/webhooks/${made._id}/secret`);
  await page.getByText(secret).waitFor();
  assert.deepEqual([made.url, made.events, made.headers, made.retry.maxRetries, made.description],
    [receiver.url, ['optIn', 'click'], { 'X-Token': 'for the receiver' }, 3, 'Orders to the warehouse']);

  await page.getByRole('link', { name: 'Go to the webhook' }).click();
  await settled(receiver.url);
  await button(page, 'Send test event').click();
  await dialogOf(page).getByLabel('Type').selectOption('click');
  await button(dialogOf(page), 'Send').click();
  await dialogOf(page).getByText('Succeeded').waitFor();
  await dialogOf(page).getByText('Status 204').waitFor();
  const open = dialogOf(page).getByRole('link', { name: 'Open the call' });
  const [call] = await server.list('/v1/channels/shop/calls');
  assert.equal(await open.getAttribute('href'), `#/c/shop/calls/${call._id}`);
  await button(dialogOf(page), 'Close').last().click();

  await page.getByRole('link', { name: 'Edit' }).click();
  await settled('Edit the webhook');
  await page.getByLabel('Description').fill('Orders');
  await button(page, 'Remove header 1').click();
  await button(page, 'Save').click();
  await settled(receiver.url);
  const [changed] = await list();
  assert.deepEqual([changed.description, changed.headers, changed.retry], ['Orders', {}, made.retry]);

  await button(page, 'Rotate secret').click();
  await button(dialogOf(page), 'Make a new secret').click();
  await dialogOf(page).getByText('An older secret signs as well').waitFor();
  await button(dialogOf(page), 'Show').click();
  const rotated = await server.must('GET', `/v1/channels/shop/webhooks/${made._id}/secret`);
  assert.notEqual(rotated.secret, secret);
  await dialogOf(page).getByText(rotated.secret).waitFor();
  await button(page, 'Done').click();

  await button(page, 'Disable').click();
  await button(dialogOf(page), 'Disable').click();
  await page.getByText('Disabled: by request').waitFor();
  assert.equal((await list())[0].enabled, false);
  await button(page, 'Enable').click();
  await button(page, 'Disable').waitFor();

  await button(page, 'Delete').click();
  const remove = dialogOf(page).getByRole('button', { name: /^Delete webhook/ });
  assert.equal(await remove.getAttribute('aria-disabled'), 'true');
  await page.getByLabel('Confirmation').fill(made._id);
  await remove.click();
  await settled('Webhooks');
  assert.deepEqual(await list(), []);
});

// ---- channels and keys ----

inBrowser('a channel is made, renamed and deleted once its id is typed', {}, async (page, { settled, go }) => {
  await go('#/channels');
  await settled('Channels');
  await button(page, 'Create channel').first().click();
  await dialogOf(page).getByLabel('Name').fill('News');
  await dialogOf(page).getByLabel('Id').fill('shop');
  await button(dialogOf(page), 'Create channel').click();
  await dialogOf(page).getByText('there is a channel "shop" already', { exact: false }).waitFor();
  await dialogOf(page).getByLabel('Id').fill('news');
  await button(dialogOf(page), 'Create channel').click();
  await settled('News');
  await go('#/c/news/settings');
  await settled('Settings');
  await page.getByLabel('Name').fill('The news');
  await button(page, 'Rename').click();
  await page.getByRole('navigation', { name: 'Channel' }).getByText('The news').waitFor();
  await button(page, 'Delete channel').click();
  await dialogOf(page).getByLabel('Confirmation').fill('news');
  await dialogOf(page).getByRole('button', { name: /^Delete channel/ }).click();
  await settled('Channels');
  assert.equal((await server.call('GET', '/v1/channels/news')).status, 404);
});

inBrowser('a trial is made with a channel, said on its pages, and lifted', {}, async (page, { settled, go }) => {
  const trialEnd = async () => (await server.must('GET', '/v1/channels/trial')).trialEndsAt;
  await go('#/channels');
  await settled('Channels');
  await button(page, 'Create channel').first().click();
  await dialogOf(page).getByLabel('Name').fill('On trial');
  await dialogOf(page).getByLabel('Id').fill('trial');
  await dialogOf(page).getByRole('radio', { name: '30 days' }).check();
  await button(dialogOf(page), 'Create channel').click();
  await settled('On trial');
  assert.ok(Date.parse(await trialEnd()) > Date.now());
  await server.must('PATCH', '/v1/channels/trial', { body: { trialEndsAt: new Date(Date.now() + 1000).toISOString() } });
  await eventually('the trial has ended', async () => (await server.must('GET', '/v1/channels/trial')).trialEnded);
  await page.reload();
  await page.getByText('The trial of this channel ended').waitFor();
  await go('#/c/trial/settings');
  await settled('Settings');
  await button(page, 'End the limit').click();
  await page.getByText('The channel is no trial any more.').waitFor();
  assert.equal(await trialEnd(), null);
});

inBrowser('a key is made, shown once, and deleted', {}, async (page, { settled, go }) => {
  await go('#/keys');
  await settled('Keys');
  await button(page, 'Create key').first().click();
  await dialogOf(page).getByLabel('Channel').fill('nowhere');
  await button(dialogOf(page), 'Create key').click();
  await dialogOf(page).getByText('No such channel.').waitFor();
  await dialogOf(page).getByLabel('Channel').fill('shop');
  await dialogOf(page).getByRole('radio', { name: '30 days' }).check();
  await button(dialogOf(page), 'Create key').click();
  const text = await dialogOf(page).getByText(/^pw_manage_/).innerText();
  const me = await server.must('GET', '/v1/me', { key: text });
  assert.deepEqual([me.role, me.channel], ['manage', 'shop']);
  await button(page, 'Done').click();
  await button(page, `Delete ${me.key}`).click();
  await button(dialogOf(page), 'Delete key').click();
  await dialogOf(page).waitFor({ state: 'detached' });
  assert.equal((await server.call('GET', '/v1/me', { key: text })).status, 401);
});

// ---- figures ----

inBrowser('figures are drawn, and are there as a table', {}, async (page, { settled, go }) => {
  const answering = await Receiver.open((res, _, n) => res.writeHead(n % 2 ? 204 : 503).end());
  await server.channel('counted');
  const good = await server.webhook('counted', answering.url, { retry: { maxRetries: 0 } });
  await server.webhook('counted', `${answering.url}stopped`, { enabled: false });
  for (let i = 0; i < 4; i++) await server.must('POST', `/v1/channels/counted/webhooks/${good._id}/test`, { body: {} });
  await eventually('they are counted', async () => {
    const { totals } = await server.must('GET', '/v1/channels/counted/stats?range=hour');
    return totals.attempts === 4 && totals;
  });
  await go('#/c/counted');
  await settled('counted');
  await page.getByRole('radio', { name: 'Hour' }).check();
  await page.getByText('in the last hour').first().waitFor();
  await page.getByText('2 succeeded, 2 failed.').waitFor();
  const drawn = await page.locator('.plot canvas').first().evaluate((canvas) =>
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0));
  assert.ok(drawn);
  const attempts = page.getByRole('figure', { name: /^Attempts/ });
  await attempts.getByText('As a table').click();
  const sums = await attempts.locator('details tbody tr').evaluateAll((rows) => rows.map((row) =>
    [...row.querySelectorAll('td.number')].map((cell) => Number(cell.textContent))).reduce(([a, b], [c, d]) => [a + c, b + d]));
  assert.deepEqual(sums, [2, 2]);
  const backlogIs = async (summary) => {
    const backlog = page.getByRole('figure', { name: /^Backlog/ });
    await backlog.getByText(summary).waitFor();
    assert.equal(await backlog.locator('.plot canvas').count(), 1);
    await backlog.getByText('As a table').click();
    assert.match(await backlog.locator('details tbody td.number').first().innerText(), /^\d/);
  };
  await backlogIs('0 not delivered yet.');
  const bad = page.getByRole('region', { name: 'Webhooks that need a look' });
  assert.deepEqual(await bad.locator('tbody .badge').allInnerTexts(), ['Failing', 'Disabled']);
  await go('#/');
  await settled('Overview');
  await backlogIs(/not delivered yet/);
  await bad.getByRole('link', { name: `${answering.url}stopped` }).waitFor();
  await page.getByText('Call given up').first().waitFor();
  await page.getByRole('link', { name: 'All notices' }).click();
  await settled('Notices');
  await page.getByRole('link', { name: good._id }).first().click();
  await settled(answering.url);
  await backlogIs('0 not delivered yet.');
  await answering.close();
});

// ---- for everybody ----

inBrowser('with the keyboard alone one signs in and makes a channel', { key: null }, async (page, { settled }) => {
  const press = (...names) => names.reduce((done, name) => done.then(() => page.keyboard.press(name)), Promise.resolve());
  const focus = () => page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.tagName);
  // Tab until something with this text is focused; it must come within a page's worth of stops.
  const tabTo = async (text) => {
    for (let i = 0; i < 40; i++) {
      if ((await focus()) === text) return;
      await press('Tab');
    }
    assert.fail(`no way to ${text}, but to ${await focus()}`);
  };
  await page.locator('input:focus').waitFor(); // without a click
  await page.keyboard.type(server.key);
  await press('Enter');
  await settled('Overview');
  await tabTo('Skip to the content');
  await tabTo('Channels');
  await press('Enter');
  await settled('Channels');
  await page.locator('h1:focus').waitFor(); // of the page that was opened
  await tabTo('Create channel');
  await press('Enter');
  await dialogOf(page).waitFor();
  await press('Escape');
  await dialogOf(page).waitFor({ state: 'detached' });
  await page.locator('button:focus', { hasText: 'Create channel' }).waitFor(); // where it was opened
  await press('Enter');
  await dialogOf(page).locator('input:focus').waitFor();
  await page.keyboard.type('By keyboard');
  await press('Enter');
  await settled('By keyboard');
  assert.ok((await server.list('/v1/channels')).some(({ name }) => name === 'By keyboard'));
});

// A channel whose texts are as nasty and as long as the API takes them.
async function hostileChannel() {
  const nasty = HOSTILE.join(' ').replaceAll('\u0000', '');
  const name = `${nasty} ${'n'.repeat(200)}`.slice(0, 190);
  await server.must('POST', '/v1/channels', { body: { _id: 'hostile', name } });
  await server.webhook('hostile', `${receiver.url}stopped`, { enabled: false });
  const url = `${receiver.url}${'p'.repeat(1500)}?q=%3Cscript%3Ealert(4)%3C/script%3E`;
  return server.webhook('hostile', url, {
    description: `${nasty} ${'x'.repeat(700)}`,
    headers: { 'X-Nasty': `<script>alert(5)</script> ${'v'.repeat(3000)}` },
  });
}

const pagesOf = (webhook) => [
  ['#/', 'Overview'],
  ['#/channels', 'Channels'],
  ['#/keys', 'Keys'],
  ['#/notices', 'Notices'],
  ['#/c/hostile', /script/],
  ['#/c/hostile/webhooks', 'Webhooks'],
  ['#/c/hostile/webhooks/new', 'Create a webhook'],
  [`#/c/hostile/webhooks/${webhook}`, /^http/],
  [`#/c/hostile/webhooks/${webhook}/edit`, 'Edit the webhook'],
  ['#/c/hostile/notices', 'Notices'],
  ['#/c/hostile/settings', 'Settings'],
  ['#/nowhere', 'No such page'],
];

inBrowser('no page breaks or runs what others wrote, on a phone or a desk, and axe finds nothing serious', {}, async (page, { settled, go }) => {
  const { _id } = await hostileChannel();
  for (const [hash, title] of pagesOf(_id)) {
    await go(hash);
    await settled(title);
    await fits(page);
    await accessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await page.setViewportSize({ width: 1280, height: 900 });
  }
  assert.equal(await page.locator('main img, main script').count(), 0);
});

inBrowser('on a phone the menu opens, leads on and closes', { width: 360, height: 740 }, async (page, { settled }) => {
  await settled('Overview');
  const menu = page.getByRole('navigation', { name: 'Server' });
  assert.equal(await menu.isVisible(), false);
  await button(page, 'Menu').click();
  await menu.waitFor();
  await page.keyboard.press('Escape');
  await menu.waitFor({ state: 'hidden' });
  await button(page, 'Menu').click();
  await menu.getByRole('link', { name: 'Channels' }).click();
  await settled('Channels');
  await menu.waitFor({ state: 'hidden' });
});

inBrowser('dark is chosen, and stays', {}, async (page, { settled }) => {
  await settled('Overview');
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByRole('radio', { name: 'Dark' }).check();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await settled('Overview');
  assert.equal(await ground(), dark);
});

// ---- states ----

inBrowser('what is slow, fails or is busy says so and goes on', {}, async (page, { settled, go }) => {
  const answers = [
    (route) => new Promise((resolve) => { release = () => resolve(route.continue()); }),
    (route) => route.fulfill({ status: 503, headers: { 'Retry-After': '1' }, json: { title: 'Service Unavailable', detail: 'busy' } }),
    (route) => route.fulfill({ status: 500, json: { title: 'Error', detail: 'the store failed' } }),
    (route) => route.abort(),
  ];
  let release;
  await page.route('**/v1/channels?limit=100', (route) => (answers.length > 0 ? answers.shift()(route) : route.continue()));
  await go('#/channels');
  await page.locator('.skeleton').waitFor();
  await eventually('the request is there', () => release);
  release();
  await settled('Channels');
  await page.getByRole('link', { name: 'shop', exact: true }).waitFor();
  await go('#/keys');
  await settled('Keys');
  await go('#/channels'); // busy once, then it fails
  await page.getByRole('alert').filter({ hasText: 'The store failed.' }).waitFor();
  await button(page, 'Try again').click();
  await page.getByRole('alert').filter({ hasText: 'The server cannot be reached.' }).waitFor();
  await button(page, 'Try again').click();
  await page.getByRole('link', { name: 'shop', exact: true }).waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
});

inBrowser('a long list comes page by page, and is searched as far as it is loaded', {}, async (page, { settled, go }) => {
  await server.channel('many');
  await Promise.all(Array.from({ length: 130 }, (_, i) => server.webhook('many', `${receiver.url}n${i}`)));
  await go('#/c/many/webhooks');
  await settled('Webhooks');
  const rows = page.locator('tbody tr');
  assert.equal(await rows.count(), 100);
  await page.getByLabel('Search').fill('no such url');
  await page.getByText('None of the loaded webhooks fits').waitFor();
  await button(page, 'Search on').click();
  await page.getByText('All of them are loaded.').waitFor();
  await page.getByLabel('Search').fill('n129');
  await page.getByRole('link', { name: `${receiver.url}n129` }).waitFor();
  assert.equal(await rows.count(), 1);
  await page.getByLabel('Search').fill('');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 130);
});

test('the server ends cleanly', async () => {
  await browser?.close();
  await receiver.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
