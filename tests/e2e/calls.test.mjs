// What becomes of a call: verdicts, the times of its next attempts, retries by hand, lists.
import assert from 'node:assert/strict';
import test from 'node:test';
import { RawReceiver, Receiver, Server, click, closedPort, eventually, pause } from './harness.mjs';

const server = await Server.start();
const ONCE = { maxRetries: 0 };
const SOON = { maxRetries: 8, initialDelay: 1, factor: 1, maxDelay: 1 };
let made = 0;

async function setting(t, answer, more = {}) {
  const channel = await server.channel(`c${++made}`);
  const receiver = await Receiver.open(answer);
  t.after(() => receiver.close());
  const webhook = await server.webhook(channel, receiver.url, more);
  return { channel, receiver, webhook };
}

// The one call of a new event, once it has been tried this often.
async function tried(channel, attempts = 1) {
  const [id] = await server.send(channel, click(channel, 's'));
  const [call] = await server.callsOf(channel, id, 'tried', (each) => each.attempts >= attempts);
  return server.must('GET', `/v1/channels/${channel}/calls/${call._id}`);
}

const seconds = (from, to) => (Date.parse(to) - Date.parse(from)) / 1000;

// How long after the last attempt's end the next one comes. Times are shown in whole milliseconds,
// so that what was cut off at both ends is forgiven.
function waits(call) {
  const last = call.attemptLog.at(-1);
  return seconds(last.at, call.nextAttemptAt) - last.durationMs / 1000 + 0.002;
}

test('a refused call shows its attempt and comes again two minutes later', async (t) => {
  const { channel, webhook } = await setting(t, (res) => res.writeHead(503).end('try later'));
  const call = await tried(channel);
  assert.equal(call.state, 'waiting');
  assert.equal(call.webhook, webhook._id);
  assert.equal(call.attempts, 1);
  assert.equal(call.attemptLog.length, 1);
  const [attempt] = call.attemptLog;
  assert.equal(attempt.n, 1);
  assert.equal(attempt.status, 503);
  assert.equal(attempt.verdict, 'temporary');
  assert.match(attempt.reason, /503/);
  assert.equal(attempt.response, 'try later');
  const wait = waits(call);
  assert.ok(wait >= 120 && wait <= 132.1, `${wait} s`);
});

test('Retry-After lengthens the wait and never shortens it', async (t) => {
  const date = new Date(Date.now() + 7200_000).toUTCString();
  const rows = [['600', 600, 661], [date, 7100, 7201], ['1', 120, 132.1], ['-1', 120, 132.1],
    ['0', 120, 132.1], ['soon', 120, 132.1], ['x'.repeat(60_000), 120, 132.1], ['Fri, 31 Dec 1999 23:59:59 GMT', 120, 132.1],
    ['99999999', 86400, 95041], ['99999999999999999999999', 120, 95041]];
  for (const [value, least, most] of rows) {
    const { channel } = await setting(t, (res) => res.writeHead(429, { 'Retry-After': value }).end());
    const wait = waits(await tried(channel));
    assert.ok(wait >= least && wait <= most, `${value.slice(0, 30)}: ${wait} s`);
  }
});

test('only 2xx is success', async (t) => {
  const status = (code) => setting(t, (res) => res.writeHead(code, { Location: 'http://127.0.0.1:1/' }).end(), { retry: ONCE });
  for (const code of [200, 201, 202, 204, 299]) {
    const { channel } = await status(code);
    assert.equal((await tried(channel)).state, 'succeeded', `${code}`);
  }
  for (const code of [301, 302, 304, 307, 400, 401, 403, 404, 429, 500, 502, 599]) {
    const { channel } = await status(code);
    const call = await tried(channel);
    assert.equal(call.state, 'failed', `${code}`);
    assert.equal(call.attemptLog[0].status, code);
  }
});

test('410 disables the webhook and holds the call', async (t) => {
  const { channel, receiver, webhook } = await setting(t, (res, call, n) => res.writeHead(n === 1 ? 410 : 200).end());
  const [id] = await server.send(channel, click(channel, 's'));
  await receiver.of(id);
  await server.callOf(channel, id, 'held');
  const target = `/v1/channels/${channel}/webhooks/${webhook._id}`;
  const shown = await eventually('the webhook is disabled', async () => {
    const now = await server.must('GET', target);
    return !now.enabled && now;
  });
  assert.match(shown.disabledReason, /410/);
  const [later] = await server.send(channel, click(channel, 'later'));
  await server.callOf(channel, later, 'held');
  assert.equal(receiver.calls.length, 1);
  await server.must('PATCH', target, { body: { enabled: true } });
  await server.callOf(channel, later, 'succeeded');
});

test('a webhook with its own schedule gets its second attempt on it', async (t) => {
  const { channel, receiver } = await setting(t,
    (res, call, n) => res.writeHead(n < 3 ? 500 : 200).end(`answer ${n}`), { retry: SOON });
  const [id] = await server.send(channel, click(channel, 's'));
  await receiver.count(3);
  const call = await server.callOf(channel, id, 'succeeded');
  assert.deepEqual(call.attemptLog.map((attempt) => attempt.status), [500, 500, 200]);
  assert.deepEqual(call.attemptLog.map((attempt) => attempt.response), ['answer 1', 'answer 2', 'answer 3']);
  assert.deepEqual(call.attemptLog.map((attempt) => attempt.n), [1, 2, 3]);
  assert.equal(call.nextAttemptAt, null);
  for (const [i, attempt] of call.attemptLog.slice(1).entries()) {
    const before = call.attemptLog[i];
    // Times are shown in whole milliseconds.
    const wait = seconds(before.at, attempt.at) - before.durationMs / 1000;
    assert.ok(wait >= 0.997, `${wait} s`);
  }
});

test('a call that has used its attempts is failed, visible, and retried by hand', async (t) => {
  let status = 500;
  const { channel, receiver } = await setting(t, (res) => res.writeHead(status).end(), { retry: ONCE });
  const call = await tried(channel);
  assert.equal(call.state, 'failed');
  assert.equal(call.nextAttemptAt, null);
  const failed = await server.list(`/v1/channels/${channel}/calls?state=failed`);
  assert.deepEqual(failed.map((each) => each._id), [call._id]);

  const retry = `/v1/channels/${channel}/calls/${call._id}/retry`;
  assert.equal((await server.call('POST', retry)).status, 202);
  await receiver.count(2);
  await server.callsOf(channel, call.event, 'failed again', (each) => each.attempts === 2 && each.state === 'failed');

  status = 200;
  assert.equal((await server.call('POST', retry)).status, 202);
  const done = await server.callOf(channel, call.event, 'succeeded');
  assert.deepEqual(done.attemptLog.map((attempt) => attempt.status), [500, 500, 200]);
  assert.equal(new Set(receiver.calls.map((each) => each.id)).size, 1);
});

test('a waiting call is retried by hand at once, a succeeded one again', async (t) => {
  const { channel, receiver } = await setting(t, (res, call, n) => res.writeHead(n === 1 ? 500 : 200).end());
  const call = await tried(channel);
  assert.equal(call.state, 'waiting');
  const retry = `/v1/channels/${channel}/calls/${call._id}/retry`;
  assert.equal((await server.call('POST', retry)).status, 202);
  await server.callOf(channel, call.event, 'succeeded');
  assert.equal((await server.call('POST', retry)).status, 202);
  await receiver.count(3);
  await server.callsOf(channel, call.event, 'done', (each) => each.attempts === 3 && each.state === 'succeeded');
  assert.equal((await server.call('POST', `${retry}x`)).status, 404);
});

test('the reason says what went wrong', async (t) => {
  const silent = await RawReceiver.open((socket) => socket.destroy());
  const nonsense = await RawReceiver.open((socket) => socket.end('hello, this is not HTTP\n'));
  t.after(() => Promise.all([silent.close(), nonsense.close()]));
  const rows = [`http://127.0.0.1:${await closedPort()}/`, silent.url, nonsense.url, 'http://does-not-exist.invalid/'];
  for (const url of rows) {
    const channel = await server.channel(`c${++made}`);
    await server.webhook(channel, url, { retry: ONCE });
    const call = await tried(channel);
    assert.equal(call.state, 'failed');
    assert.equal(call.attemptLog[0].status, null, url);
    assert.ok(call.attemptLog[0].reason.length > 0, url);
  }
});

test('an answer is kept up to 4 KiB, whatever its bytes are', async (t) => {
  const bytes = Buffer.from('\x1b[31m<script>\x00\xff\xfe"\\', 'latin1');
  const odd = await setting(t, (res) => res.writeHead(500).end(bytes));
  const call = await tried(odd.channel); // its JSON was parsed
  assert.ok(call.attemptLog[0].response.includes('<script>'));
  const long = await setting(t, (res) => res.writeHead(200).end('x'.repeat(20_000)));
  const kept = (await tried(long.channel)).attemptLog[0].response;
  assert.equal(kept.length, 4096);
});

test('calls are listed newest first and by every filter', async (t) => {
  const { channel, webhook } = await setting(t, (res, call) =>
    res.writeHead(call.body.includes('bad') ? 500 : 200).end(), { retry: ONCE });
  const second = await server.webhook(channel, `http://127.0.0.1:${await closedPort()}/`, { enabled: false });
  const ids = [];
  for (const subscription of ['good-1', 'bad-1', 'good-2']) {
    ids.push(...(await server.send(channel, click(channel, subscription))));
  }
  const [optIn] = await server.send(channel, {
    type: 'optIn', subscription: { _id: 'good-1' }, channel: { _id: channel },
  });
  for (const id of [...ids, optIn]) {
    await server.callsOf(channel, id, 'settled', (call) => call.webhook === second._id || call.attempts === 1);
  }
  const calls = (query) => server.list(`/v1/channels/${channel}/calls?${query}`);
  const eventsOf = async (query) => (await calls(query)).map((call) => call.event);
  assert.deepEqual(await eventsOf(`webhook=${webhook._id}`), [optIn, ...[...ids].reverse()]);
  assert.deepEqual(await eventsOf('state=failed'), [ids[1]]);
  assert.deepEqual(await eventsOf(`state=failed,succeeded&type=click`), [...ids].reverse());
  assert.deepEqual(await eventsOf(`subscription=good-1&webhook=${webhook._id}`), [optIn, ids[0]]);
  assert.deepEqual(await eventsOf(`type=optIn,optOut&state=held`), [optIn]);
  assert.equal((await calls('')).length, 8);
  assert.deepEqual(await server.list(`/v1/channels/${channel}/calls`, 3), await calls(''));
  assert.deepEqual(await eventsOf('since=2100-01-01T00:00:00Z'), []);
  assert.deepEqual(await eventsOf('until=2024-06-01T00:00:00Z'), []);
  assert.equal((await calls('since=2024-06-01T00:00:00Z&until=2100-01-01T00:00:00Z')).length, 8);
  for (const query of ['state=done', 'type=x', 'since=x', 'limit=-1', 'sate=failed', 'cursor=%00']) {
    const answer = await server.call('GET', `/v1/channels/${channel}/calls?${query}`);
    assert.equal(answer.status, 400, query);
  }
});

test('events are listed newest first and by every filter', async () => {
  const channel = await server.channel(`c${++made}`);
  const first = await server.send(channel, [click(channel, 'a'), click(channel, 'b')]);
  const between = new Date((await server.must('GET', `/v1/channels/${channel}/events/${first[1]}`)).createdAt);
  // The next event is of a later millisecond.
  while (Date.now() <= between.getTime() + 1) await pause(1);
  const second = await server.send(channel, {
    type: 'optIn', subscription: { _id: 'a' }, channel: { _id: channel },
  });
  const all = [...first, ...second].reverse();
  const ids = async (query) =>
    (await server.list(`/v1/channels/${channel}/events?${query}`)).map((event) => event._id);
  assert.deepEqual(await ids(''), all);
  assert.deepEqual((await server.list(`/v1/channels/${channel}/events`, 1)).map((e) => e._id), all);
  assert.deepEqual(await ids('subscription=a'), [second[0], first[0]]);
  assert.deepEqual(await ids('type=optIn'), second);
  const later = new Date(between.getTime() + 1).toISOString();
  assert.deepEqual(await ids(`since=${later}`), second);
  assert.deepEqual(await ids(`until=${later}`), [...first].reverse());
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
