// Operators are told: at their URL, signed; in the list; in the log; through a kill -9.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Receiver, Server, click, eventually, run } from './harness.mjs';

const gone = await Receiver.open((res) => res.writeHead(410).end());
let ready = true;
const operators = await Receiver.open((res) => res.writeHead(ready ? 200 : 503).end());
let server = await Server.start({ args: ['--notify-url', operators.url] });
await server.channel('shop');
await server.channel('other');

async function disableOne() {
  const webhook = await server.webhook('shop', gone.url);
  await server.send('shop', click('shop', 's'));
  return webhook;
}

const noticesOf = async (target) => (await server.must('GET', target)).data;

test('a webhook that the server disables is told at the operators\' URL, signed', async () => {
  const webhook = await disableOne();
  const [call] = await operators.count(1);
  const secret = path.join(server.data, 'notify.secret');
  assert.equal(statSync(secret).mode & 0o777, 0o600);
  const told = new Webhook(readFileSync(secret, 'utf8').trim()).verify(call.body.toString(), call.headers);
  assert.equal(told.type, 'webhookDisabled');
  assert.equal(told.data.channel, 'shop');
  assert.equal(told.data.webhook, webhook._id);
  assert.equal(told.data.reason, 'the receiver answered 410 Gone');
  assert.equal(call.headers['webhook-id'], told.data._id);
  assert.ok(Math.abs(Date.parse(told.timestamp) - Date.now()) < 60_000);
});

test('notices are listed, all for admins and a channel\'s own for its keys', async () => {
  const [notice] = await noticesOf('/v1/notices');
  assert.equal(notice.kind, 'webhookDisabled');
  assert.match(notice.text, /^wh_\w+ was disabled: the receiver answered 410 Gone; its calls are held$/);
  assert.deepEqual(notice.data, { reason: 'the receiver answered 410 Gone' });
  assert.deepEqual(await noticesOf('/v1/channels/shop/notices'), [notice]);
  assert.deepEqual(await noticesOf('/v1/channels/other/notices'), []);
  const { key } = await server.must('POST', '/v1/keys', { body: { role: 'read', channel: 'shop' } });
  assert.equal((await server.call('GET', '/v1/notices', { key })).status, 403);
  assert.equal((await server.call('GET', '/v1/channels/shop/notices', { key })).status, 200);
  assert.equal((await server.call('GET', '/v1/notices?cursor=evt_1', {})).status, 400);
  const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key };
  assert.match((await run(['notice', 'list'], { env })).stdout, /webhookDisabled\s+shop\s+wh_/);
  const listed = await run(['notice', 'list', '--channel', 'other', '--json'], { env });
  assert.equal(listed.code, 0, listed.stderr);
});

test('what the operators\' URL does not take is kept through a kill -9 and told after', async () => {
  ready = false;
  const before = operators.calls.length;
  const webhook = await disableOne();
  await operators.count(before + 1);
  await eventually('the failed attempt is recorded', async () =>
    /pushwire_notice_attempts_total\{verdict="temporary"\} 1/.test((await server.call('GET', '/metrics')).text));
  await server.stop('SIGKILL');
  ready = true;
  server = await server.again({ args: ['--notify-url', operators.url] });
  const notices = await noticesOf('/v1/notices');
  assert.equal(notices[0].webhook, webhook._id);
  // Its next attempt is minutes away; a new notice does not wait for it.
  const next = await disableOne();
  const calls = await operators.count(before + 2);
  assert.equal(JSON.parse(calls.at(-1).body).data.webhook, next._id);
});

test('an operators\' URL where no call may go, and a secret that is none, stop the start', async () => {
  const { run: serve } = { run: (args) => run(['serve', '--data', path.join(server.dir, 'x'), '--listen', '127.0.0.1:0', ...args]) };
  const forbidden = await serve(['--notify-url', 'http://10.0.0.1/']);
  assert.equal(forbidden.code, 1);
  assert.match(forbidden.stderr, /--notify-url: /);
  const bad = await serve(['--dev', '--notify-url', operators.url, '--notify-secret-file', path.join(server.data, 'admin.key')]);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /--notify-secret-file: .*admin\.key: /);
  assert.doesNotMatch(bad.stderr, /pw_admin/);
});

test('the server ends cleanly', async () => {
  await gone.close();
  await operators.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
