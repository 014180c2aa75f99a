// A channel on trial: after its end it takes nothing, sends nothing, loses nothing.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Server, click, run } from './harness.mjs';

const server = await Server.start();
const receiver = await Receiver.open((res) => res.writeHead(open ? 204 : 503).end());
let open = true;
await server.channel('shop');
await server.webhook('shop', receiver.url);
const end = (trialEndsAt) => server.must('PATCH', '/v1/channels/shop', { body: { trialEndsAt } });
const now = () => new Date().toISOString();

test('ingest answers 403 with the reason, and what opts out is taken all the same', async () => {
  const sync = (body) => server.call('POST', '/subscription/sync/shop', { key: null, body });
  const first = await sync({ platform: 'web' });
  assert.equal(first.status, 200);
  const { id } = first.json;
  await end(now());
  for (const path of ['events', `webhooks/${(await server.list('/v1/channels/shop/webhooks'))[0]._id}/test`]) {
    const answer = await server.call('POST', `/v1/channels/shop/${path}`, { body: path === 'events' ? click('shop', 's') : {} });
    assert.equal(answer.status, 403);
    assert.match(answer.json.detail, /the channel's trial ended at \d{4}-\d\d-\d\dT/);
  }
  const again = await sync({ subscriptionId: id, platform: 'web' });
  assert.equal(again.status, 403);
  assert.match(JSON.stringify(again.json), /trial has ended/);
  const out = await server.call('POST', '/subscription/unsubscribe', { key: null, body: { channelId: 'shop', subscriptionId: id } });
  assert.equal(out.status, 200);
});

test('its calls are held until the end is lifted, then they go out', async () => {
  await end(null);
  open = false;
  const [event] = await server.send('shop', click('shop', 's'));
  await server.callsOf('shop', event, 'a failed attempt', (call) => call.attempts === 1);
  await end(now());
  const held = async () => {
    const call = await server.callOf('shop', event, 'held');
    assert.match(call.heldReason, /^the channel's trial ended at /);
    const answer = await server.call('POST', `/v1/channels/shop/calls/${call._id}/retry`);
    assert.equal(answer.status, 409);
    assert.match(answer.json.detail, /trial ended/);
    return call;
  };
  const call = await held();
  open = true;
  await server.must('PATCH', '/v1/channels/shop', { body: { trialEndsAt: null } });
  await server.must('POST', `/v1/channels/shop/calls/${call._id}/retry`);
  await server.callOf('shop', event, 'succeeded');
});

test('the command line makes a trial and lifts it', async () => {
  const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key };
  const made = await run(['channel', 'create', 'Try', '--id', 'try', '--trial', '30d', '--json'], { env });
  assert.equal(made.code, 0, made.stderr);
  const days = (Date.parse(JSON.parse(made.stdout).trialEndsAt) - Date.now()) / 86_400_000;
  assert.ok(days > 29.9 && days <= 30, `${days} days`);
  const lifted = await run(['channel', 'change', 'try', '--no-trial', '--json'], { env });
  assert.equal(JSON.parse(lifted.stdout).trialEndsAt, null);
  assert.match((await run(['channel', 'list'], { env })).stdout, /TRIAL ENDS/);
});

test('the command line does not ask for another key when a trial has ended', async () => {
  const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key };
  assert.equal((await run(['channel', 'change', 'try', '--trial', '0s'], { env })).code, 0);
  const sent = await run(['send', 'click', '--channel', 'try'], { env });
  assert.equal(sent.code, 1);
  assert.match(sent.stderr, /the channel's trial ended at /);
  assert.doesNotMatch(sent.stderr, /another role/);
});

test('the server ends cleanly', async () => {
  await receiver.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
