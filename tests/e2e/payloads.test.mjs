// What comes in goes out: the same bytes, signed so that the published library agrees.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Receiver, Server, TYPES, click, payload } from './harness.mjs';

const server = await Server.start();

// A channel with one receiver; `send` gives the calls that the body led to, by event id.
async function route(t, channel, more = {}) {
  await server.channel(channel);
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  const webhook = await server.webhook(channel, receiver.url, more);
  return {
    receiver,
    webhook,
    async send(body, options) {
      const ids = await server.send(channel, body, options);
      return Promise.all(ids.map((id) => receiver.of(id)));
    },
  };
}

for (const type of TYPES) {
  test(`the product page's ${type} payload arrives byte for byte`, async (t) => {
    const { send } = await route(t, `page-${type}`);
    const body = payload(type, `page-${type}`);
    const [call] = await send(body);
    assert.equal(call.body.toString(), body);
    assert.equal(call.method, 'POST');
    assert.equal(call.headers['content-type'], 'application/json');
    assert.match(call.headers['user-agent'], /^Pushwire\/\d+\.\d+\.\d+$/);
    assert.match(call.id, /^evt_[0-9a-z]+$/);
  });
}

test('all seven of one array with odd white space arrive as their own bytes', async (t) => {
  const { send } = await route(t, 'array');
  const bodies = TYPES.map((type) => payload(type, 'array'));
  const calls = await send(`\r\n\t [ \n${bodies.join(' \t\r\n,\n\n ')}\n ] \n\n`);
  assert.deepEqual(calls.map((call) => call.body.toString()), bodies);
});

test('all seven as NDJSON arrive as their own bytes', async (t) => {
  const { send } = await route(t, 'ndjson');
  const bodies = TYPES.map((type) => JSON.stringify(JSON.parse(payload(type, 'ndjson'))));
  const calls = await send(`${bodies.join('\n')}\n\n`, { type: 'application/x-ndjson' });
  assert.deepEqual(calls.map((call) => call.body.toString()), bodies);
});

test('numbers, escapes, key order and unknown members are not rewritten', async (t) => {
  const { send } = await route(t, 'exact');
  const bodies = [
    '{"channel" : { "_id":"exact" },"extra":[1e400,-0,-0.0,12345678901234567890,0.10,1E+2]' +
      ',"subscription":{"x":"\\u00e9 é \\/ / \\ud83d\\ude00 \\u0000","_id":"s1"},' +
      '"notification":{"_id":"n"},"date":"2024-03-04T10:10:40.136Z","type":"click"}',
    '{"type":"click","date":"2024-03-04T10:10:40Z","subscription":{"_id":"s2"},"notification":' +
      '{"_id":"n","feedGuid":[]},"channel":{"_id":"exact"},"__proto__":{},"constructor":null,"":""}',
  ];
  const calls = await send(`[${bodies.join(',')}]`);
  assert.deepEqual(calls.map((call) => call.body.toString()), bodies);
});

test('white space around a single event is not part of it', async (t) => {
  const { send } = await route(t, 'space');
  const body = JSON.stringify(click('space', 's'), null, 3);
  const [call] = await send(` \r\n\t${body}\n\n`);
  assert.equal(call.body.toString(), body);
});

test('an event of almost 256 KiB arrives whole', async (t) => {
  const { send } = await route(t, 'large');
  const body = JSON.stringify(click('large', 's', { pad: 'ü'.repeat(130_000) }));
  const [call] = await send(body);
  assert.equal(call.body.toString(), body);
});

test('the published library verifies real calls with a made secret', async (t) => {
  const { send, webhook } = await route(t, 'signed');
  const verifier = new Webhook(webhook.secret);
  const bodies = TYPES.map((type) => payload(type, 'signed'));
  for (const call of await send(`[${bodies}]`)) {
    verifier.verify(call.body.toString(), call.headers); // throws when it does not agree
    assert.throws(() => verifier.verify(`${call.body} `, call.headers));
  }
});

test('the published library verifies real calls with a secret of the owner', async (t) => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const { send, webhook } = await route(t, 'own-secret', { secret });
  assert.equal(webhook.secret, secret);
  const [call] = await send(payload('click', 'own-secret'));
  new Webhook(secret).verify(call.body.toString(), call.headers);
});

test('the signature is that of the attempt: a repeat has the same id and a new time', async (t) => {
  await server.channel('repeat');
  const receiver = await Receiver.open((res, call, n) => res.writeHead(n === 1 ? 500 : 200).end());
  t.after(() => receiver.close());
  const retry = { maxRetries: 1, initialDelay: 1, factor: 1, maxDelay: 1 };
  const webhook = await server.webhook('repeat', receiver.url, { retry });
  await server.send('repeat', payload('click', 'repeat'));
  const [first, second] = await receiver.count(2);
  assert.equal(second.id, first.id);
  assert.deepEqual(second.body, first.body);
  const at = (call) => Number(call.headers['webhook-timestamp']);
  assert.ok(at(second) > at(first), `${at(second)} comes after ${at(first)}`);
  for (const call of [first, second]) {
    new Webhook(webhook.secret).verify(call.body.toString(), call.headers);
  }
});

test('an event is shown with exactly its bytes', async () => {
  await server.channel('shown');
  const body = '{"type":"click","date":"2024-03-04T10:10:40.136Z","n":1e400,"subscription":' +
    '{"_id":"s"},"notification":{"_id":"n"},  "channel":{"_id":"shown"}}';
  const [id] = await server.send('shown', body);
  const answer = await server.call('GET', `/v1/channels/shown/events/${id}`);
  assert.ok(answer.text.includes(body), answer.text);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
