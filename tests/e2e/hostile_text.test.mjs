// Text that strangers choose stays text: a log line is one line of its form whatever stands in it,
// a statement of SQL never changes, and a browser is given nothing to run and nothing to read.
import assert from 'node:assert/strict';
import test from 'node:test';
import { RawReceiver, Server, TYPES, click, payload, rawRequest } from './harness.mjs';

const LINE_BREAK = 'x\n{"level":"error","what":"forged"}\r\n';
const hostile = [
  LINE_BREAK,
  '\u001b[31mred\u001b[0m\u0007',
  'quote" and \\ and =',
  "'; DROP TABLE event; --",
  '\u0000\u0001\u007f\u0085\u2028',
  '<script>alert(1)</script>',
  '\ud800',
  '../../etc/passwd',
  'ä😀'.repeat(40),
];

const answer = Buffer.concat([
  Buffer.from('HTTP/1.1 500 \u001b[31mOops\r\nContent-Type: text/html\r\nContent-Length: 64\r\n\r\n'),
  Buffer.from('<script>\u001b[2J\n{"level":"error"}\0\xff'.padEnd(64, 'x'), 'latin1').subarray(0, 64),
]);

// Everything that ends up in a log line or near one.
async function provoke(t, server) {
  const receiver = await RawReceiver.open((socket) => socket.end(answer));
  t.after(() => receiver.close());
  t.after(() => server.stop());
  await server.channel('c');
  for (const text of hostile) {
    await server.call('POST', '/v1/channels', { body: { name: text, _id: text } });
    await server.call('POST', '/v1/channels', { body: { name: text } });
    await server.call('POST', '/v1/channels/c/webhooks', { body: { url: text } });
    await server.call('POST', '/v1/channels/c/webhooks', {
      body: { url: `${receiver.url}${encodeURIComponent(JSON.stringify(text))}`, description: text },
    });
    await server.call('POST', '/v1/channels/c/events', { body: click('c', text) });
    await server.call('POST', '/v1/channels/c/events', { body: { ...click('c', 's'), type: text } });
    await server.call('PUT', `/v1/channels/c/subscriptions/${encodeURIComponent(text.replace('\ud800', 'x'))}`, { body: {} });
    await server.call('POST', '/subscription/sync/c', { key: null, body: { subscriptionId: text, deviceToken: text } });
    await server.call('GET', `/v1/channels/c/calls?subscription=${encodeURIComponent(text.replace('\ud800', 'x'))}`);
    await server.call('POST', '/v1/keys', { body: { role: text } });
  }
  for (const type of TYPES) await server.call('POST', '/v1/channels/c/events', { body: payload(type, 'c') });
  const texts = JSON.parse(payload('attributeUpdate', 'c'));
  const events = await server.send('c', { ...texts, notes: hostile.slice(0, -3) });
  await receiver.count(1);
  await server.callsOf('c', events[0], 'tried', (call) => call.attempts > 0);
  await rawRequest(server.url, 'GET /\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n');
  await rawRequest(server.url, 'GET / HTTP/1.1\r\nHost: \x1b[31m\r\nX\x01: y\r\n\r\n');
  return events;
}

const control = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;

test('every line of a JSON log is one object, whatever strangers wrote', async (t) => {
  const server = await Server.start({ args: ['--log', 'json', '--log-level', 'debug'] });
  await provoke(t, server);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  const lines = server.lines.all.filter((line) => !/^listening on |^\(ended/.test(line));
  assert.ok(lines.some((line) => line.includes('attempt')));
  for (const line of lines) {
    assert.doesNotMatch(line, control);
    const fact = JSON.parse(line);
    assert.ok(!Array.isArray(fact) && typeof fact === 'object');
    assert.ok(['debug', 'info', 'warn', 'error'].includes(fact.level), line);
    assert.notEqual(fact.what, 'forged');
  }
});

test('every line of a text log begins as one and holds no control characters', async (t) => {
  const server = await Server.start({ args: ['--log-level', 'debug'] });
  await provoke(t, server);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  for (const line of server.lines.all.filter((each) => !/^listening on |^\(ended/.test(each))) {
    assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warn|error) /);
    assert.doesNotMatch(line, control);
  }
});

test('what strangers wrote comes back as JSON that is whole, and changed no table', async (t) => {
  const server = await Server.start();
  const events = await provoke(t, server);
  for (const target of ['/v1/channels', '/v1/channels/c/webhooks', '/v1/channels/c/events', '/v1/channels/c/calls',
    '/v1/channels/c/subscriptions', '/v1/keys']) {
    const rows = await server.list(target);
    assert.ok(rows.length > 0, target);
  }
  const { calls } = await server.must('GET', `/v1/channels/c/events/${events[0]}`);
  const call = await server.must('GET', `/v1/channels/c/calls/${calls[0]._id}`);
  assert.equal(call.attemptLog?.[0]?.status ?? call.lastAttempt.status, 500);
  const event = await server.must('GET', `/v1/channels/c/events/${events[0]}`);
  assert.deepEqual(event.payload.notes, hostile.slice(0, -3), 'the bytes that were sent in');
});

// ---- browsers ----

test('pages of other origins get no leave to read, and nothing to guess a type from', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  await server.channel('c');
  await server.webhook('c', 'http://127.0.0.1:9/', { description: '<script>alert(1)</script>' });
  const origin = { origin: 'https://evil.example' };
  for (const target of ['/v1/channels', '/v1/channels/c', '/v1/channels/c/webhooks', '/v1/keys', '/nowhere',
    '/healthz', '/readyz', '/metrics', '/channels', '/channel/c/config']) {
    for (const key of [server.key, null]) {
      const answered = await server.call('GET', target, { key, headers: origin });
      for (const name of Object.keys(answered.headers)) assert.doesNotMatch(name, /^access-control-/, target);
      assert.equal(answered.headers['set-cookie'], undefined, target);
      assert.doesNotMatch(answered.headers['content-type'] ?? '', /html|javascript|svg/, target);
      assert.equal(answered.headers['x-content-type-options'], 'nosniff', target);
    }
    const preflight = await server.call('OPTIONS', target, {
      key: null,
      headers: { ...origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
    });
    for (const name of Object.keys(preflight.headers)) assert.doesNotMatch(name, /^access-control-/, target);
  }
});

test('a key opens in the Authorization header alone', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  for (const [target, headers] of [
    [`/v1/channels?key=${server.key}`, {}], [`/v1/channels?access_token=${server.key}`, {}],
    ['/v1/channels', { cookie: `key=${server.key}` }], ['/v1/channels', { 'x-api-key': server.key }],
  ]) {
    const answered = await server.call('GET', target, { key: null, headers });
    assert.equal(answered.status, 401, target);
  }
});
