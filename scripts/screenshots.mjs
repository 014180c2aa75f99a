// Screenshots of every page of the dashboard, in light and dark, for docs/dashboard.md: of the real
// server, with data that real calls to real, partly failing receivers have made.
//   node scripts/screenshots.mjs [FOLDER [PAGE …]]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { noBrowser, openBrowser, openPage } from '../tests/e2e/browser.mjs';
import { Program, ROOT, Server, closedPort, eventually } from '../tests/e2e/harness.mjs';
import { smaller } from './png.mjs';

const OUT = path.resolve(process.argv[2] ?? path.join(ROOT, 'docs/screenshots'));
const ONLY = process.argv.slice(3); // these pages; none = all
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 800 };
const MOST_BYTES = 150 * 1024;

// ---- what there is to see ----

const listen = (address, ...args) => new Program(['listen', '--listen', address, '--quiet', ...args]).listening();

// Without it there is no yesterday, and the charts show the last minute alone.
const machine = spawnSync('cc', ['-dumpmachine'], { encoding: 'utf8' }).stdout?.trim().replace('-pc-', '-');
const library = [`/usr/lib/${machine}/faketime/libfaketimeMT.so.1`, '/usr/lib/faketime/libfaketimeMT.so.1']
  .find((file) => existsSync(file));

// Small, the same numbers in every run.
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

const TOPICS = ['orders', 'news', 'offers', 'deliveries', 'account'];
const PLATFORMS = ['iOS', 'Android', 'Chrome', 'Firefox'];
const PLACES = [['de', 'DE'], ['en', 'GB'], ['fr', 'FR'], ['es', 'ES'], ['it', 'IT']];

async function registry(server, pick) {
  const ids = [];
  for (let i = 0; i < 24; i++) {
    const [language, country] = PLACES[pick(PLACES.length)];
    const made = await server.must('POST', '/v1/channels/shop/subscriptions', {
      body: {
        platformName: PLATFORMS[pick(PLATFORMS.length)], language, country, timezone: 'Europe/Berlin',
        topics: TOPICS.filter(() => pick(2) === 0), tags: pick(3) === 0 ? ['premium'] : [],
        customAttributes: { user_id: `u-${1000 + i}`, cart: pick(5) },
      },
    });
    ids.push(made._id);
  }
  const notes = [['spring', 'Spring sale: 20 % off everything'], ['order', 'Your order is on its way'], ['back', 'Back in stock']];
  for (const [id, title] of notes) {
    await server.must('PUT', `/v1/channels/shop/notifications/${id}`, {
      body: { title, text: `${title}. Open the app to see more.`, url: `https://shop.example/${id}` },
    });
  }
  return { ids, notes: notes.map(([id]) => id) };
}

function events({ ids, notes }, pick, n) {
  return Array.from({ length: n }, () => {
    const type = ['click', 'delivery', 'delivery'][pick(3)];
    const subscription = { _id: ids[pick(ids.length)] };
    return { type, date: new Date().toISOString(), subscription, notification: { _id: notes[pick(notes.length)] }, channel: { _id: 'shop' } };
  });
}

const send = (server, all) =>
  server.send('shop', all.map((each) => JSON.stringify(each)).join('\n'), { type: 'application/x-ndjson' });

async function setUp(server) {
  for (const [_id, name, more] of [['shop', 'Shop'], ['magazine', 'Magazine'], ['bakery', 'Bakery', { trial: true }]]) {
    await server.must('POST', '/v1/channels', { body: { _id, name, ...more } });
  }
  const good = await listen('127.0.0.1:0', '--delay', '12');
  const crm = await listen('127.0.0.1:0', '--delay', '25');
  const broken = await listen('127.0.0.1:0', '--delay', '8');
  const hook = (url, description, more = {}) => server.webhook('shop', url, { description, ...more });
  await hook(`${good.url}/orders`, 'Orders to the warehouse');
  await hook(`${crm.url}/crm`, 'Customer relations');
  const failing = await hook(`${broken.url}/analytics`, 'Analytics', { events: ['click'], retry: { maxRetries: 1, initialDelay: 1 } });
  await hook(`http://127.0.0.1:${await closedPort()}/legacy`, 'The old system', { events: ['optIn'] });
  await hook(`${good.url}/paused`, 'Not yet in use', { enabled: false, events: ['optOut'] });
  return { good, crm, broken, failing };
}

// What the apps themselves tell of pushes.
async function report(server, { ids, notes }, pick) {
  for (let i = 0; i < 4; i++) {
    const body = { channelId: 'shop', notificationId: notes[pick(notes.length)], subscriptionId: ids[pick(ids.length)] };
    await server.must('POST', '/notification/delivered', { key: null, body });
    if (pick(3) === 0) await server.must('POST', '/notification/clicked', { key: null, body });
  }
}

// A day as the charts show it: the server is started again and again, half an hour later each time.
const HALF_HOURS = 48;
// Half hours ago: one receiver was down for a while, another one still is.
const DOWN = { from: 30, to: 26 };
const BROKEN = 5;

const load = (ago) => Math.round(45 + 35 * Math.sin((ago / HALF_HOURS) * 2 * Math.PI + 2));

async function swap(receiver, ...args) {
  const { host } = new URL(receiver.url);
  await receiver.stop();
  return listen(host, ...args);
}

const allTried = (server) => eventually('each call has been tried', async () => {
  const { data } = await server.must('GET', '/v1/channels/shop/calls?state=waiting&limit=200');
  return data.every(({ attempts, type }) => attempts > 0 || type === 'optIn');
});

async function lately(server, { _id }) {
  const since = new Date(Date.now() - 600_000).toISOString();
  return (await server.must('GET', `/v1/channels/shop/calls?state=failed&webhook=${_id}&since=${since}&limit=200`)).data;
}

async function aDay() {
  const pick = numbers(7);
  const past = (ago) => (library ? { LD_PRELOAD: library, FAKETIME: `-${ago * 30}m`, FAKETIME_DONT_FAKE_MONOTONIC: '1' } : {});
  let server = await Server.start({ env: past(HALF_HOURS) });
  const receivers = await setUp(server);
  const known = await registry(server, pick);
  for (let ago = HALF_HOURS; ; ago--) {
    if (ago === DOWN.from) receivers.crm = await swap(receivers.crm, '--status', '503');
    if (ago === DOWN.to) receivers.crm = await swap(receivers.crm, '--delay', '25');
    if (ago === BROKEN) receivers.broken = await swap(receivers.broken, '--status', '500', '--delay', '8');
    await send(server, events(known, pick, load(ago) + pick(12)));
    await report(server, known, pick);
    await allTried(server);
    if (ago === 0) break;
    await server.stop();
    server = await server.again({ env: past(ago - 1) });
  }
  await eventually('calls have failed', async () => (await lately(server, receivers.failing)).length >= 5);
  return { server, data: { receivers: [receivers.good, receivers.crm, receivers.broken], failing: receivers.failing, known, pick } };
}

// ---- the pages ----

async function steps(server, data) {
  const get = (target) => server.must('GET', `/v1/channels/shop/${target}`);
  // The first one over a connection of its own, so that there is a step of each kind to see.
  const failed = (await lately(server, data.failing)).at(-1);
  const since = new Date(Date.now() - 10_000_000).toISOString();
  const job = await server.must('POST', `/v1/channels/shop/webhooks/${data.failing._id}/replay`, { body: { since, pace: 60, types: ['click', 'delivery'] } });
  await eventually('the replay is on its way', async () => (await get(`jobs/${job._id}`)).done > 120);
  await server.must('POST', `/v1/channels/shop/jobs/${job._id}/pause`);
  const c = (...rest) => `#/c/shop/${rest.join('/')}`;
  return [
    ['overview', '#/', 'Overview'],
    ['channels', '#/channels', 'Channels'],
    ['keys', '#/keys', 'Keys'],
    ['notices', '#/notices', 'Notices'],
    ['channel', '#/c/shop', 'Shop'],
    ['webhooks', c('webhooks'), 'Webhooks'],
    ['webhook-new', c('webhooks/new'), 'Create a webhook'],
    ['webhook', c('webhooks', data.failing._id), data.failing.url],
    ['events', c('events'), 'Events'],
    ['event', c('events', failed.event), `Event: ${failed.type}`],
    ['calls', `${c('calls')}?state=failed&range=1h`, 'Calls'],
    ['call', c('calls', failed._id), `Call: ${failed.type}`],
    ['live', c('live'), 'Live'],
    ['jobs', c('jobs'), 'Jobs'],
    ['job', c('jobs', job._id), 'Replay'],
    ['replay', `${c('replay')}?webhook=${data.failing._id}&range=1h`, 'Replay'],
    ['subscriptions', c('subscriptions'), 'Subscriptions'],
    ['subscription', c('subscriptions', data.known.ids[3]), data.known.ids[3]],
    ['notifications', c('notifications'), 'Notifications'],
    ['notification', c('notifications/spring'), 'Spring sale: 20 % off everything'],
    ['channel-settings', c('settings'), 'Settings'],
  ];
}

const ON_PHONES = ['overview', 'calls', 'call'];

async function shoot(page, name) {
  const file = path.join(OUT, `${name}.png`);
  const bytes = smaller(await page.screenshot({ animations: 'disabled', caret: 'hide' }));
  if (bytes.length > MOST_BYTES) throw new Error(`${name}.png has ${bytes.length} bytes: more than ${MOST_BYTES}`);
  writeFileSync(file, bytes);
  process.stdout.write(`${name}.png ${Math.ceil(bytes.length / 1024)} KiB\n`);
}

async function visit({ page, go, settled }, server, data, hash, title) {
  await go(hash);
  await settled(title);
  if (!hash.endsWith('/live')) return;
  await page.getByText('Live', { exact: true }).last().waitFor();
  await send(server, events(data.known, data.pick, 8));
  await page.locator('.live-row').nth(7).waitFor();
  await page.getByText('attempt 1').nth(7).waitFor();
}

async function main() {
  if (noBrowser) throw new Error(noBrowser);
  if (ONLY.length === 0) rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const { server, data } = await aDay();
  const pages = (await steps(server, data)).filter(([name]) => ONLY.length === 0 || ONLY.includes(name));
  const browser = await openBrowser('--disable-lcd-text'); // fewer colours: smaller files

  if (ONLY.length === 0) {
    const sign = await openPage(browser, server, { key: null, ...WIDE });
    await sign.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await shoot(sign.page, 'sign-in-light');
    await sign.close();
  }

  for (const theme of ['light', 'dark']) {
    const opened = await openPage(browser, server, { dark: theme === 'dark', ...WIDE });
    for (const [name, hash, title] of pages) {
      await visit(opened, server, data, hash, title);
      await shoot(opened.page, `${name}-${theme}`);
    }
    await opened.close();
  }
  const phone = await openPage(browser, server, PHONE);
  for (const [name, hash, title] of pages.filter(([each]) => ON_PHONES.includes(each))) {
    await visit(phone, server, data, hash, title);
    await shoot(phone.page, `${name}-phone`);
  }
  await phone.close();
  await browser.close();
  await Promise.all([server, ...data.receivers].map((each) => each.stop()));
}

await main();
