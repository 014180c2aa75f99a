// The dashboard in a browser: finding a call, reading why it failed, mending it, replaying a time,
// and watching what happens.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HOSTILE, accessible, fits, noBrowser, openBrowser, openPage } from './browser.mjs';
import { Receiver, Server, click, eventually } from './harness.mjs';

const skip = noBrowser;
const server = await Server.start();
const good = await Receiver.open((res) => res.writeHead(200).end('thanks'));
const bad = await Receiver.open((res) => res.writeHead(500, { 'content-type': 'text/plain' }).end('no such table: <b>orders</b>'));
const browser = skip ? null : await openBrowser();

const ONCE = { maxRetries: 0 };
const at = (channel, ...rest) => `/v1/channels/${[channel, ...rest].join('/')}`;
const callsIn = (channel, query = '') => server.list(`${at(channel, 'calls')}${query}`);

function inBrowser(name, options, run) {
  test(name, { skip }, async (t) => {
    const opened = await openPage(browser, server, options);
    await run(opened.page, opened, t);
    await opened.close();
  });
}

const button = (page, name) => page.getByRole('button', { name, exact: true });
const dialogOf = (page) => page.getByRole('dialog');
const badge = (page, text) => page.locator('.note .badge').filter({ hasText: text });

// A channel with a webhook whose calls have failed for good.
async function failed(channel, n = 1) {
  await server.channel(channel);
  const webhook = await server.webhook(channel, bad.url, { retry: ONCE });
  const events = await server.send(channel, Array.from({ length: n }, (_, i) => click(channel, `s${i}`)));
  await eventually('all have failed', async () => (await callsIn(channel, '?state=failed')).length === n);
  return { webhook, events };
}

// ---- found, understood, mended ----

inBrowser('a call that failed is found, says why, and arrives once the URL is mended', {}, async (page, { settled, go }) => {
  const { events: [event] } = await failed('mend');
  await go('#/c/mend/calls?state=failed');
  await settled('Calls');
  await page.getByText('status 500').waitFor();
  await page.getByRole('link', { name: /^click call/ }).click();
  await settled('Call: click');
  await page.getByText('Its only attempt failed with status 500.').waitFor();
  await page.getByRole('heading', { name: 'Attempt 1' }).waitFor();
  await page.getByText('no such table: <b>orders</b>').waitFor();
  const steps = await page.locator('.steps-text').innerText();
  assert.match(steps, /Connect .* ms/);
  assert.match(steps, /First byte .* ms/);
  assert.match(steps, /Total .* ms/);
  const call = page.url();

  await page.getByRole('link', { name: 'Edit the webhook' }).click();
  await settled('Edit the webhook');
  await page.getByLabel('URL').fill(good.url);
  await button(page, 'Save').click();
  await settled(good.url);
  await page.goto(call);
  await settled('Call: click');
  await button(page, 'Retry now').click();
  await badge(page, 'Succeeded').waitFor();
  await page.getByText(/^Attempt 2 was answered with status 200/).waitFor();
  assert.equal((await good.of(event)).id, event);
});

inBrowser('a call that is under way is watched without a hand', {}, async (page, { settled, go }, t) => {
  let answer;
  const slow = await Receiver.open((res) => { answer = () => res.writeHead(204).end(); });
  t.after(() => slow.close());
  await server.channel('watch');
  await server.webhook('watch', slow.url);
  await server.send('watch', click('watch', 's'));
  await slow.count(1);
  const [{ _id }] = await callsIn('watch');
  await go(`#/c/watch/calls/${_id}`);
  await settled('Call: click');
  await badge(page, 'Being sent').waitFor();
  answer();
  await badge(page, 'Succeeded').waitFor();
});

inBrowser('any id finds its page', {}, async (page, { settled, go }) => {
  await server.channel('find');
  const webhook = await server.webhook('find', good.url);
  const subscription = await server.must('POST', at('find', 'subscriptions'), { body: { platformName: 'iOS', topics: ['news'] } });
  await server.must('PUT', at('find', 'notifications', 'n7'), { body: { title: 'Seventh' } });
  const [event] = await server.send('find', click('find', 'only-in-events'));
  await server.callsOf('find', event, 'there', ({ state }) => state === 'succeeded');
  const [call] = await callsIn('find', '?subscription=only-in-events');
  const job = await server.must('POST', at('find', 'calls', 'retry'), { body: { webhook: webhook._id, dryRun: true } });
  for (const [id, title] of [
    [event, 'Event: click'],
    [` ${call._id} `, 'Call: click'],
    [webhook._id, good.url],
    [job._id, 'Retry: count'],
    [subscription._id, subscription._id],
    ['n7', 'Seventh'],
    ['only-in-events', 'Events'],
  ]) {
    await go('#/c/find/calls');
    await settled('Calls');
    await page.getByLabel('Where is my event?').fill(id);
    await button(page, 'Find').click();
    await settled(title);
  }
  assert.ok(page.url().endsWith('#/c/find/events?subscription=only-in-events'), page.url());
  await page.getByRole('link', { name: event }).waitFor();

  await page.getByLabel('Where is my event?').fill(event.replace('evt_', 'evt_zz'));
  await button(page, 'Find').click();
  await page.getByText('This channel has no such event.').waitFor();
  await page.getByLabel('Where is my event?').fill('connection <refused>');
  await button(page, 'Find').click();
  await page.getByRole('link', { name: 'Search the errors for it' }).click();
  await settled('Calls');
  assert.equal(await page.getByLabel('Last error contains').inputValue(), 'connection <refused>');
  await page.getByText('No call matches').waitFor();
});

inBrowser('an event shows each of its calls with the reason, and who did not get it and why', {}, async (page, { settled, go }) => {
  await server.channel('why');
  await server.webhook('why', `${good.url}wants`);
  await server.webhook('why', `${good.url}other`, { events: ['optIn'] });
  await server.webhook('why', `${good.url}off`, { enabled: false });
  const body = '{ "type":"click",  "date":"2024-03-04T10:10:40.136Z","subscription":{"_id":"s"},"notification":{"_id":"n1"},"channel":{"_id":"why"},"big":12345678901234567890.10}';
  const [event] = await server.send('why', body);
  await server.callsOf('why', event, 'settled', ({ state }) => state === 'succeeded' || state === 'held');
  await go(`#/c/why/events/${event}`);
  await settled('Event: click');
  await page.getByText(/^Attempt 1 was answered with status 200/).waitFor();
  await page.getByText(/^Its webhook is disabled/).waitFor();
  await page.getByText('The webhook does not want events of type click, only optIn.').waitFor();
  await page.getByText('"big": 12345678901234567890.10').waitFor();
  await page.getByRole('radio', { name: 'As it was sent' }).check();
  await page.waitForFunction((text) => document.querySelector('pre.code').textContent === text, body);

  await page.getByRole('link', { name: 'Send it there' }).click();
  await settled('Replay');
  await button(page, 'Count what matches').click();
  await button(page, 'Replay 1 call').click();
  await page.locator('.badge').filter({ hasText: 'Done' }).waitFor();
  await good.arrivals.until('the event to arrive there', (all) => all.some(({ id, path }) => id === event && path === '/other'));
});

// ---- many at once ----

inBrowser('calls that are selected are cancelled, and all that match are counted before they are retried', {}, async (page, { settled, go }) => {
  const { webhook } = await failed('bulk', 5);
  const held = await server.webhook('bulk', `${good.url}held`, { enabled: false });
  await server.send('bulk', [click('bulk', 'a'), click('bulk', 'b'), click('bulk', 'c')]);
  await go('#/c/bulk/calls?state=held');
  await settled('Calls');
  await page.getByLabel('Select click of a').check();
  await page.getByLabel('Select click of c').check();
  await button(page, 'Cancel selected').click();
  await page.getByText('2 calls are cancelled.').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  assert.deepEqual((await callsIn('bulk', `?webhook=${held._id}&state=cancelled`)).map(({ subscription }) => subscription), ['c', 'a']);

  await page.getByLabel('State').selectOption('failed');
  const off = page.getByRole('button', { name: /^Retry all that match/ });
  assert.equal(await off.getAttribute('title'), 'choose a webhook or a time first');
  await page.getByLabel('Webhook').selectOption(webhook._id);
  await server.must('PATCH', at('bulk', 'webhooks', webhook._id), { body: { url: good.url } });
  await button(page, 'Retry all that match').click();
  const failures = (await callsIn('bulk', `?webhook=${webhook._id}&state=failed`)).length;
  await dialogOf(page).getByText(`${failures} calls match and will be retried.`).waitFor();
  await button(page, `Retry ${failures} calls`).click();
  await settled('Retry');
  await page.locator('.badge').filter({ hasText: 'Done' }).waitFor();
  await eventually('all have arrived', async () =>
    (await callsIn('bulk', `?webhook=${webhook._id}`)).every(({ state }) => state === 'succeeded'));

  const waits = await server.webhook('bulk', `${bad.url}waits`);
  const [late] = await server.send('bulk', click('bulk', 'late'));
  await server.callsOf('bulk', late, 'tried', ({ attempts, state }) => attempts > 0 || state === 'held');
  await go(`#/c/bulk/calls?webhook=${waits._id}`);
  await settled('Calls');
  await button(page, 'Retry all that failed or wait').click();
  await dialogOf(page).getByText('1 call matches and will be retried.').waitFor();
  await button(page, 'Back').click();

  await go(`#/c/bulk/calls?webhook=${held._id}&state=cancelled`);
  await settled('Calls');
  await button(page, 'Retry all that match').click();
  await dialogOf(page).getByText('2 calls match and will be retried.').waitFor(); // and none of those that failed
  await button(page, 'Back').click();
});

inBrowser('an hour is replayed: counted, started, paused, resumed, cancelled, and done', {}, async (page, { settled, go }) => {
  await server.channel('replay');
  await server.send('replay', Array.from({ length: 60 }, (_, i) => click('replay', `s${i}`)));
  const webhook = await server.webhook('replay', `${good.url}replayed`);
  await go(`#/c/replay/webhooks/${webhook._id}`);
  await settled(webhook.url);
  const start = async (pace) => {
    await page.getByRole('link', { name: 'Replay', exact: true }).click();
    await settled('Replay');
    await page.getByLabel('Time').selectOption('1h');
    await page.getByLabel('Pace').fill(pace);
    await button(page, 'Count what matches').click();
  };
  await start('1'); // slow enough to be paused in the middle
  await page.getByText('60 calls would be made or sent again.').waitFor();
  assert.equal((await callsIn('replay')).length, 0, 'a count makes no calls');
  await button(page, 'Replay 60 calls').click();
  await button(page, 'Pause').click();
  await button(page, 'Resume').waitFor();
  const job = page.url().split('/').at(-1);
  assert.equal((await server.must('GET', at('replay', 'jobs', job))).state, 'paused');
  await page.reload();
  await button(page, 'Resume').click();
  await button(page, 'Pause').waitFor();
  await page.locator('progress').waitFor();
  await button(page, 'Cancel the job').click();
  await page.locator('.badge').filter({ hasText: 'Cancelled' }).waitFor();

  await go(`#/c/replay/webhooks/${webhook._id}`);
  await settled(webhook.url);
  await start('1000');
  await page.getByRole('button', { name: /^Replay \d+ calls$/ }).click();
  await page.locator('.badge').filter({ hasText: 'Done' }).waitFor();
  for (const time of await page.locator('main time').allInnerTexts()) {
    assert.match(time, /^now$| ago$/, 'what has happened is not to come');
  }
  await eventually('each has arrived', async () =>
    (await callsIn('replay', '?state=succeeded')).length === 60);
  await go(`#/c/replay/replay?webhook=${webhook._id}&range=failing`); // it fails no more
  await settled('Replay');
  await button(page, 'Count what matches').click();
  await page.getByText('Nothing matches.').waitFor();
  assert.equal(await page.getByLabel('Time').inputValue(), '1h');
  await go('#/c/replay/jobs');
  await settled('Jobs');
  assert.deepEqual(await page.locator('tbody .badge').allInnerTexts(), ['Done', 'Done', 'Done', 'Cancelled', 'Done']);
});

inBrowser('a search that failed is tried again, and goes on over pages without a match until it is stopped', {}, async (page, { go }) => {
  await server.channel('long');
  let waiting = null;
  const asked = [];
  await page.route('**/v1/channels/long/calls?*', (route) => {
    asked.push(new URL(route.request().url()).searchParams.get('cursor'));
    waiting = () => route.fulfill({ json: { data: [], nextCursor: `c${asked.length}`, searchedTo: `2026-01-0${asked.length}T10:00:00.000Z` } });
  });
  const fails = (route) => route.fulfill({ status: 500, json: { title: 'Error', detail: 'the store failed' } });
  await page.route('**/v1/channels/long/calls?*', fails, { times: 1 });
  await go('#/c/long/calls?error=x');
  await page.getByRole('alert').filter({ hasText: 'The store failed.' }).waitFor();
  await button(page, 'Try again').click();
  for (let n = 1; n <= 3; n++) {
    await eventually(`page ${n} is asked for`, () => asked.length === n && waiting);
    const answer = waiting;
    waiting = null;
    await answer();
    await page.getByText(new RegExp(`searched back to ${n} Jan 2026`)).waitFor();
  }
  await eventually('it goes on', () => asked.length === 4);
  await button(page, 'Stop').click();
  await button(page, 'Search on').click();
  await eventually('it goes on from there', () => asked.length === 5);
  assert.deepEqual(asked, [null, 'c1', 'c2', 'c3', 'c3']);
});

// ---- live ----

const rows = (page) => page.locator('.live-row');

inBrowser('what happens is shown as it happens; a pause misses nothing', {}, async (page, { settled, go }) => {
  await server.channel('live');
  await server.webhook('live', `${bad.url}live`);
  await go('#/c/live/live');
  await settled('Live');
  await page.locator('.live-state .badge').filter({ hasText: 'Live' }).waitFor();
  const [first] = await server.send('live', click('live', 's1'));
  const row = rows(page).filter({ hasText: first });
  await row.getByText('Failed for now').waitFor();
  await row.getByText('status 500').waitFor();
  assert.equal(await rows(page).count(), 1, 'an attempt stands with its event');

  await button(page, 'Pause').click();
  const [second] = await server.send('live', click('live', 's2'));
  await server.callsOf('live', second, 'tried', ({ attempts }) => attempts > 0);
  assert.equal(await rows(page).count(), 1);
  await button(page, 'Go on').click();
  await rows(page).filter({ hasText: second }).getByText('attempt 1').waitFor();
  await page.getByLabel('Type').selectOption('optIn');
  await page.getByText('Nothing has happened yet').waitFor();
});

test('the live page finds its way back to a server that was away, and misses nothing', { skip }, async () => {
  const own = await Server.start();
  await own.channel('c');
  const { page, settled, close } = await openPage(browser, own, { at: '#/c/c/live' });
  await settled('Live');
  const state = (text) => page.locator('.live-state .badge').filter({ hasText: text }).waitFor();
  await state('Live');
  const [before] = await own.send('c', click('c', 'before'));
  await rows(page).filter({ hasText: before }).waitFor();
  await own.stop();
  await state('Reconnecting');
  const again = await own.again({ listen: new URL(own.url).host });
  const [after] = await again.send('c', click('c', 'after'));
  await rows(page).filter({ hasText: after }).waitFor();
  assert.equal(await rows(page).filter({ hasText: before }).count(), 1);
  await close();
  assert.deepEqual(await again.stop(), { code: 0, signal: null });
});

inBrowser('of very much that happens the page keeps the newest 500 rows', {}, async (page, { settled, go }) => {
  await server.channel('much');
  await go('#/c/much/live');
  await settled('Live');
  await page.locator('.live-state .badge').filter({ hasText: 'Live' }).waitFor();
  const ids = await server.send('much', Array.from({ length: 620 }, (_, i) => click('much', `s${i}`)));
  await rows(page).filter({ hasText: ids.at(-1) }).waitFor();
  await page.getByText('620 events').waitFor();
  assert.equal(await rows(page).count(), 500);
});

// ---- for everybody ----

inBrowser('with the keyboard alone a call is found, read and retried', { at: '#/c/keys/calls' }, async (page, { settled }) => {
  const { webhook } = await failed('keys');
  const focused = () => page.evaluate(() => {
    const { ariaLabel, textContent, id } = document.activeElement;
    return (ariaLabel ?? (document.querySelector(`label[for="${id}"]`) ?? { textContent }).textContent).trim();
  });
  const tabTo = async (pattern) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if (pattern.test(await focused())) return;
    }
    assert.fail(`no way to ${pattern}, but to ${await focused()}`);
  };
  await page.reload();
  await settled('Calls');
  await tabTo(/^State/);
  await page.keyboard.type('Failed');
  await page.waitForFunction(() => location.hash.endsWith('state=failed'));
  await tabTo(/^Select click of s0/);
  await tabTo(/^click/);
  await page.keyboard.press('Enter');
  await settled('Call: click');
  await tabTo(/^The answer to attempt 1/);
  await server.must('PATCH', at('keys', 'webhooks', webhook._id), { body: { url: good.url } });
  for (let i = 0; !/^Retry now/.test(await focused()); i++) {
    assert.ok(i < 60, 'no way back to Retry now');
    await page.keyboard.press('Shift+Tab');
  }
  await page.keyboard.press('Enter');
  await badge(page, 'Succeeded').waitFor();
});

test('a key that may only read sees all of it and is offered no change', { skip }, async () => {
  const { events: [event] } = await failed('read');
  const [{ _id }] = await callsIn('read');
  const { key } = await server.must('POST', '/v1/keys', { body: { role: 'read', channel: 'read' } });
  const { page, settled, go, close } = await openPage(browser, server, { key });
  await settled('read'); // its home, where such a key goes first
  const offered = /Retry|Cancel|Select|replay|Send it|Edit/i;
  for (const [hash, title] of [
    ['#/c/read/calls?range=1h', 'Calls'], [`#/c/read/calls/${_id}`, 'Call: click'], [`#/c/read/events/${event}`, 'Event: click'],
    ['#/c/read/jobs', 'Jobs'],
  ]) {
    await go(hash);
    await settled(title);
    for (const role of ['button', 'link', 'checkbox']) {
      assert.equal(await page.locator('main').getByRole(role, { name: offered }).count(), 0, `${hash}: ${role}`);
    }
  }
  await go('#/c/read/replay');
  await page.getByText('A replay is not for this key').waitFor();
  await close();
});

// What others may write at its nastiest: in events, in what receivers answer, in the registry.
async function hostileChannel(t) {
  const nasty = HOSTILE.join(' ');
  const long = 'x'.repeat(4096);
  const answers = [Buffer.from(`${nasty}\u0000\u009b2J\r\n${long}`), Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28])];
  const nastyOne = await Receiver.open((res, call, n) => res.writeHead(500, { 'content-type': 'text/html' }).end(answers[n % 2]));
  t.after(() => nastyOne.close());
  await server.must('POST', '/v1/channels', { body: { _id: 'nasty', name: `${nasty.replaceAll('\u0000', '')} ${long}`.slice(0, 190) } });
  const webhook = await server.webhook('nasty', `${nastyOne.url}${'p'.repeat(1500)}?q=%3Cscript%3E`, { retry: { ...ONCE } });
  await server.webhook('nasty', `${nastyOne.url}${'o'.repeat(1500)}`, { events: ['optIn'] });
  const subscription = 's'.repeat(64);
  await server.must('PUT', at('nasty', 'subscriptions', subscription), {
    body: {
      platformName: 'iOS', topics: ['t'.repeat(64)], tags: ['g'.repeat(64)],
      customAttributes: { nasty: nasty.replaceAll('\u0000', ''), long: long.slice(0, 900) },
    },
  });
  await server.must('PUT', at('nasty', 'notifications', 'n'.repeat(64)), {
    body: { title: nasty.replaceAll('\u0000', '').slice(0, 900), text: long, url: `javascript:alert(9)//${long.slice(0, 1900)}` },
  });
  const event = { ...click('nasty', subscription), notification: { _id: 'n'.repeat(64) }, nasty: `${nasty}\u0000`, long, [`<b>${long}`]: 1 };
  const events = await server.send('nasty', [event, event]);
  await eventually('all have failed', async () => (await callsIn('nasty', '?type=click&state=failed')).length === 2);
  const job = await server.must('POST', at('nasty', 'calls', 'retry'), {
    body: { since: '2020-01-01T00:00:00.000Z', error: `${nasty.replaceAll('\u0000', '')}`.slice(0, 150), dryRun: true },
  });
  const calls = await callsIn('nasty', `?type=click&webhook=${webhook._id}`);
  return { event: events[0], calls, subscription, job: job._id, webhook: webhook._id };
}

inBrowser('no page breaks or runs what others wrote, on a phone or a desk, and axe finds nothing serious', {}, async (page, { settled, go }, t) => {
  const { event, calls, subscription, job, webhook } = await hostileChannel(t);
  const long = await server.send('nasty', click('nasty', subscription));
  await server.callsOf('nasty', long[0], 'over', ({ state }) => state === 'failed');
  for (const [hash, title] of [
    [`calls?state=failed&error=${encodeURIComponent('<script>')}`, 'Calls'],
    [`calls/${calls[0]._id}`, 'Call: click'],
    ['events', 'Events'],
    [`events/${event}`, 'Event: click'],
    ['live', 'Live'],
    ['jobs', 'Jobs'],
    [`jobs/${job}`, 'Retry: count'],
    [`replay?webhook=${webhook}`, 'Replay'],
    ['subscriptions', 'Subscriptions'],
    [`subscriptions/${subscription}`, subscription],
    ['notifications', 'Notifications'],
    [`notifications/${'n'.repeat(64)}`, /script/],
  ]) {
    await go(`#/c/nasty/${hash}`);
    await settled(title);
    if (hash === 'live') {
      await page.locator('.live-state .badge').filter({ hasText: 'Live' }).waitFor();
      await server.send('nasty', click('nasty', subscription));
      await rows(page).getByText('attempt 1').waitFor();
    }
    await fits(page);
    await accessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await page.setViewportSize({ width: 1280, height: 900 });
  }
  const shown = [];
  for (const { _id } of calls.slice(-2)) {
    await go(`#/c/nasty/calls/${_id}`);
    await page.waitForFunction((id) => location.hash.endsWith(id), _id);
    await settled('Call: click');
    shown.push(await page.getByRole('region', { name: 'The answer to attempt 1' }).innerText());
    await page.getByText('"nasty": ').waitFor();
    assert.match(await page.getByRole('region', { name: 'the event\'s body' }).innerText(), /⟨U\+202E⟩/);
  }
  const answer = shown.find((text) => text.includes('<script>alert(1)</script>'));
  assert.ok(answer, 'the answer is there as text');
  assert.match(answer, /⟨U\+202E⟩gnp\.exe/);
  assert.doesNotMatch(shown.join(''), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  assert.equal(await page.locator('main img, main script, main b').count(), 0);
});

test('the server ends cleanly', async () => {
  await browser?.close();
  await good.close();
  await bad.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
