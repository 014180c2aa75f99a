// The same request twice is one event: at once, fifty times over, and across a crash.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Server, click } from './harness.mjs';

let server = await Server.start();
const C = 'again';
await server.channel(C);
const events = `/v1/channels/${C}/events`;
const post = (key, body, channel = C) =>
  server.call('POST', `/v1/channels/${channel}/events`, { body, headers: { 'idempotency-key': key } });
const batch = (name) => JSON.stringify([click(C, `${name}-1`), click(C, `${name}-2`)]);

async function storedOf(name) {
  const rows = await server.list(events);
  return rows.filter((event) => event.subscription.startsWith(`${name}-`)).length;
}

test('the same key and body give the same ids and no second event', async () => {
  const first = await post('one', batch('one'));
  const again = await post('one', batch('one'));
  assert.deepEqual([first.status, again.status], [202, 202]);
  assert.deepEqual(again.json.data, first.json.data);
  assert.equal(await storedOf('one'), 2);
});

test('another body with a used key is a conflict', async () => {
  assert.equal((await post('two', batch('two'))).status, 202);
  const other = await post('two', batch('other'));
  assert.equal(other.status, 409);
  assert.equal(other.headers['content-type'], 'application/problem+json');
  assert.equal(await storedOf('other'), 0);
});

test('fifty repeats at once give one answer and one call', async (t) => {
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  await server.channel('fifty');
  await server.webhook('fifty', receiver.url);
  const body = JSON.stringify(click('fifty', 's'));
  const answers = await Promise.all(Array.from({ length: 50 }, () => post('k', body, 'fifty')));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([202]));
  const ids = new Set(answers.map((answer) => answer.json.data[0]._id));
  assert.equal(ids.size, 1);
  // What is sent after them arrives after them, or none of them would be a repeat.
  const [last] = await server.send('fifty', click('fifty', 'last'));
  await receiver.of(last);
  const [id] = ids;
  await server.callOf('fifty', id, 'succeeded');
  assert.equal(receiver.calls.filter((call) => call.id === id).length, 1);
  assert.equal((await server.list('/v1/channels/fifty/events')).length, 2);
});

test('a key belongs to its channel', async () => {
  await server.channel('one-more');
  const body = (channel) => JSON.stringify(click(channel, 's'));
  assert.equal((await post('shared', body(C))).status, 202);
  assert.equal((await post('shared', body('one-more'), 'one-more')).status, 202);
});

test('a key is 1 to 255 visible characters', async () => {
  const statuses = [];
  for (const key of ['k'.repeat(255), 'k'.repeat(256), '', 'a b', 'é']) {
    statuses.push((await post(Buffer.from(key).toString('latin1'), batch('key'))).status);
  }
  assert.deepEqual(statuses, [202, 400, 400, 400, 400]);
});

for (const signal of ['SIGTERM', 'SIGKILL']) {
  test(`a key is still known after ${signal}`, async () => {
    const first = await post(signal, batch(signal));
    assert.equal(first.status, 202);
    await server.stop(signal);
    server = await server.again();
    const again = await post(signal, batch(signal));
    assert.equal(again.status, 202);
    assert.deepEqual(again.json.data, first.json.data);
    assert.equal(await storedOf(signal), 2);
    assert.equal((await post(signal, batch('other'))).status, 409);
  });
}

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
