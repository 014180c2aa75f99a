// Finding an event and its calls, and being told why each is where it is: by the API and in a terminal.
import assert from 'node:assert/strict';
import test from 'node:test';
import { RawReceiver, Receiver, Server, click, run, runAtTerminal } from './harness.mjs';

const server = await Server.start();
test.after(() => server.stop());
const ONCE = { maxRetries: 0 };
let made = 0;

// What steers a terminal, is no UTF-8, and is longer than what is kept.
const HOSTILE = Buffer.concat([
  Buffer.from('\u001b]0;owned\u0007\u001b[2J<script>alert(1)</script>\u0000\u0085\r\n', 'utf8'),
  Buffer.from([0xff, 0xc3]),
  Buffer.from('x'.repeat(6000)),
]);

async function setting(t, answer, more = {}) {
  const channel = await server.channel(`h${++made}`);
  const receiver = await Receiver.open(answer);
  t.after(() => receiver.close());
  const webhook = await server.webhook(channel, receiver.url, more);
  return { channel, webhook };
}

const about = (channel, subscription, notification) => {
  const event = click(channel, subscription);
  return { ...event, notification: { ...event.notification, _id: notification } };
};

async function tried(channel, event) {
  const [id] = await server.send(channel, event);
  await server.callsOf(channel, id, 'tried', (call) => call.attempts > 0);
  return id;
}

const cli = async (...args) => {
  const done = await run([...args, '--url', server.url, '--key', server.key]);
  assert.equal(done.code, 0, done.stderr);
  return done.stdout;
};

test('calls are found by notification, by subscription and by the text of their error', async (t) => {
  const { channel } = await setting(t, (res) => res.writeHead(503).end(), { retry: ONCE });
  const first = await tried(channel, about(channel, 'anna', 'push-1'));
  const second = await tried(channel, about(channel, 'bert', 'push-1'));
  await tried(channel, about(channel, 'anna', 'push-2'));
  const calls = (query) => server.must('GET', `/v1/channels/${channel}/calls?${query}`);
  const events = (query) => server.must('GET', `/v1/channels/${channel}/events?${query}`);

  let page = await calls('notification=push-1');
  assert.deepEqual(page.data.map((call) => call.event), [second, first]);
  assert.deepEqual(page.data.map((call) => call.notification), ['push-1', 'push-1']);
  assert.equal(page.searchedTo, null);
  page = await calls('notification=push-1&subscription=anna&error=Status%20503&state=failed');
  assert.deepEqual(page.data.map((call) => call.event), [first]);
  assert.deepEqual((await calls('error=timeout')).data, []);
  page = await events('subscription=anna&limit=1');
  assert.equal(page.searchedTo, page.data[0].createdAt);
  assert.deepEqual((await events('notification=push-1')).data.map((event) => event._id), [second, first]);

  const listed = JSON.parse(await cli('call', 'list', '--channel', channel, '--notification', 'push-1', '--error', '503', '--json'));
  assert.equal(listed.data.length, 2);
  const found = JSON.parse(await cli('event', 'list', '--channel', channel, '--notification', 'push-2', '--json'));
  assert.equal(found.data.length, 1);
});

test('a call says how long each step took, and why it is where it is', async (t) => {
  const { channel } = await setting(t, (res) => res.writeHead(503).end('no'));
  const id = await tried(channel, click(channel, 's'));
  const [{ _id }] = (await server.must('GET', `/v1/channels/${channel}/calls`)).data;
  const call = await server.must('GET', `/v1/channels/${channel}/calls/${_id}`);
  assert.equal(call.explain.code, 'retryScheduled');
  assert.equal(call.explain.at, call.nextAttemptAt);
  assert.equal(call.explain.text, `Attempt 1 of 9 failed with status 503; the next comes at ${call.nextAttemptAt}.`);
  const { timings } = call.attemptLog[0];
  assert.equal(timings.dnsMs, null); // an address needs no lookup
  assert.equal(timings.tlsMs, null);
  assert.equal(timings.reused, false);
  assert.ok(timings.connectMs > 0 && timings.firstByteMs > 0);
  assert.ok(timings.totalMs >= timings.connectMs + timings.firstByteMs);

  const shown = await cli('call', 'show', _id, '--channel', channel);
  assert.match(shown, /^explain: +Attempt 1 of 9 failed with status 503; the next comes at \S+\.$/m);
  assert.match(shown, /^timings:\ndnsMs +connectMs +tlsMs +firstByteMs +totalMs +reused$/m);
  const event = await cli('event', 'show', id, '--channel', channel);
  assert.match(event, /^ {4}wh_\w+: Attempt 1 of 9 failed with status 503/m);
});

test('an event says of each webhook why it has no call', async (t) => {
  const { channel } = await setting(t, (res) => res.end());
  const other = await server.webhook(channel, 'http://127.0.0.1:1/other', { events: ['optIn'] });
  const id = await tried(channel, click(channel, 's'));
  const later = await server.webhook(channel, 'http://127.0.0.1:1/later');
  const event = await server.must('GET', `/v1/channels/${channel}/events/${id}`);
  assert.equal(event.calls.length, 1);
  assert.ok(['succeeded', 'inFlight'].includes(event.calls[0].explain.code));
  const codes = new Map(event.webhooks.map((webhook) => [webhook._id, webhook.code]));
  assert.deepEqual([codes.get(other._id), codes.get(later._id), codes.size], ['filteredOut', 'webhookNewer', 2]);
  const shown = await cli('event', 'show', id, '--channel', channel);
  assert.match(shown, /^ {4}http:\/\/127\.0\.0\.1:1\/other: The webhook does not want events of type click, only optIn\.$/m);
});

test('what a receiver answers is JSON and harmless on a terminal, and cut to 4 KiB', async (t) => {
  const receiver = await RawReceiver.open((socket) => {
    socket.end(Buffer.concat([
      Buffer.from(`HTTP/1.1 500 \u001b[31mOops\r\nContent-Length: ${HOSTILE.length}\r\n\r\n`), HOSTILE]));
  });
  t.after(() => receiver.close());
  const channel = await server.channel(`h${++made}`);
  await server.webhook(channel, receiver.url, { retry: ONCE });
  await tried(channel, click(channel, 's'));
  const [{ _id }] = (await server.must('GET', `/v1/channels/${channel}/calls`)).data;
  const call = await server.must('GET', `/v1/channels/${channel}/calls/${_id}`);
  const [attempt] = call.attemptLog;
  assert.ok(attempt.response.startsWith('\u001b]0;owned\u0007\u001b[2J<script>'));
  assert.ok(attempt.response.includes('\ufffd'));
  assert.equal(attempt.responseTruncated, true);
  assert.equal(call.explain.code, 'failed');
  const raw = await server.call('GET', `/v1/channels/${channel}/calls/${_id}`);
  assert.ok(!/[\u0000-\u001f\u007f]/.test(raw.text));

  const args = ['call', 'show', _id, '--channel', channel, '--url', server.url, '--key', server.key];
  const { text } = await runAtTerminal(80, args, { env: { NO_COLOR: '1' } });
  for (const shown of [(await run(args)).stdout, text]) {
    assert.ok(shown.includes('\\x1b]0;owned'));
    assert.ok(!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(shown));
  }
});
