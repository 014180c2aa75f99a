// Webhooks: made, changed, held, released, deleted; what they are sent and what they are not.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Server, TYPES, click, eventually, payload } from './harness.mjs';

const server = await Server.start();
let made = 0;

// A channel of its own for each test, with a receiver.
async function setting(t, answer) {
  const channel = await server.channel(`w${++made}`);
  const receiver = await Receiver.open(answer);
  t.after(() => receiver.close());
  return { channel, receiver, webhooks: `/v1/channels/${channel}/webhooks` };
}

async function refused(answer, status, path) {
  const got = await answer;
  assert.equal(got.status, status, got.text);
  assert.equal(got.headers['content-type'], 'application/problem+json');
  if (path !== undefined) assert.equal(got.json.path, path, got.text);
  return got.json;
}

test('a new webhook is shown with what it was given and what it was not', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  const webhook = await server.webhook(channel, receiver.url, { description: 'Ümläut' });
  assert.match(webhook._id, /^wh_/);
  assert.match(webhook.secret, /^whsec_[A-Za-z0-9+/]+=*$/);
  const { secret, ...rest } = webhook;
  const shown = await server.must('GET', `${webhooks}/${webhook._id}`);
  assert.deepEqual(shown, rest);
  assert.equal(shown.channel, channel);
  assert.equal(shown.enabled, true);
  assert.equal(shown.disabledReason, null);
  assert.deepEqual([...shown.events].sort(), TYPES);
  assert.deepEqual(shown.headers, {});
  assert.deepEqual(shown.retry, { maxRetries: 8, initialDelay: 120, factor: 2, maxDelay: 86400 });
  assert.match(shown.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(await server.must('GET', `${webhooks}/${webhook._id}/secret`), { secret });
  assert.deepEqual(await server.list(webhooks), [shown]);
});

test('a filter lets only its types through', async (t) => {
  const { channel, receiver } = await setting(t);
  await server.webhook(channel, receiver.url, { events: ['optOut', 'click'] });
  const ids = {};
  for (const type of TYPES) [ids[type]] = await server.send(channel, payload(type, channel));
  await receiver.count(2);
  for (const type of TYPES) {
    const { calls } = await server.must('GET', `/v1/channels/${channel}/events/${ids[type]}`);
    assert.equal(calls.length, type === 'optOut' || type === 'click' ? 1 : 0, type);
  }
  assert.deepEqual(new Set(receiver.calls.map((call) => call.id)), new Set([ids.optOut, ids.click]));
});

test('a changed filter holds for the next event', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  const webhook = await server.webhook(channel, receiver.url, { events: ['optIn'] });
  await server.send(channel, payload('click', channel));
  await server.must('PATCH', `${webhooks}/${webhook._id}`, { body: { events: ['click'] } });
  const [id] = await server.send(channel, payload('click', channel));
  const [call] = await receiver.count(1);
  assert.equal(call.id, id);
});

test('each of several webhooks gets its own call', async (t) => {
  const { channel, receiver } = await setting(t);
  const second = await Receiver.open();
  t.after(() => second.close());
  await server.webhook(channel, receiver.url);
  await server.webhook(channel, second.url);
  const [id] = await server.send(channel, payload('click', channel));
  await Promise.all([receiver.of(id), second.of(id)]);
  const calls = await server.callsOf(channel, id, 'done', (call) => call.state === 'succeeded');
  assert.equal(calls.length, 2);
});

test('custom headers arrive as they are', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  const headers = { 'X-Api-Key': 'a b\tc', authorization: 'Basic eA==', 'x-empty': '' };
  const webhook = await server.webhook(channel, receiver.url, { headers });
  assert.deepEqual((await server.must('GET', `${webhooks}/${webhook._id}`)).headers, headers);
  await server.send(channel, payload('click', channel));
  const [first] = await receiver.count(1);
  const sent = (call) => Object.fromEntries(
    call.rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name, call.rawHeaders[i + 1]]] : [])));
  for (const [name, value] of Object.entries(headers)) assert.equal(sent(first)[name], value, name);

  await server.must('PATCH', `${webhooks}/${webhook._id}`, { body: { headers: { 'X-Other': '1' } } });
  await server.send(channel, payload('click', channel));
  const [, second] = await receiver.count(2);
  assert.equal(sent(second)['X-Other'], '1');
  assert.equal(sent(second)['X-Api-Key'], undefined);
});

test('nothing is sent that nobody asked for', async (t) => {
  const { channel, receiver } = await setting(t);
  await server.webhook(channel, receiver.url);
  await server.send(channel, payload('click', channel));
  const [call] = await receiver.count(1);
  assert.deepEqual(Object.keys(call.headers).filter((name) => name !== 'accept').sort(), [
    'content-length', 'content-type', 'host', 'user-agent',
    'webhook-id', 'webhook-signature', 'webhook-timestamp',
  ]);
});

test('reserved and malformed headers are refused', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  const reserved = ['Host', 'content-length', 'Content-Type', 'CONTENT-ENCODING', 'Transfer-Encoding',
    'Connection', 'webhook-id', 'Webhook-Signature', 'webhook-x', 'Proxy-Authorization', 'Expect', 'TE',
    'Trailer', 'Upgrade'];
  const malformed = ['', 'a b', 'a:', 'ä', 'a\n', 'x'.repeat(1000) + '\u0000'];
  for (const name of [...reserved, ...malformed]) {
    const body = { url: receiver.url, headers: { [name]: 'x' } };
    await refused(server.call('POST', webhooks, { body }), 400);
  }
  for (const value of ['a\r\nY: b', 'a\nb', 'a\u0000b', 'a\u000bb', 'ä', 'x'.repeat(4097)]) {
    const body = { url: receiver.url, headers: { 'X-A': value } };
    const problem = await refused(server.call('POST', webhooks, { body }), 400);
    assert.ok(problem.path.startsWith('/headers'), problem.path);
  }
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`X-${i}`, '1']));
  await refused(server.call('POST', webhooks, { body: { url: receiver.url, headers: many } }), 400);
  assert.deepEqual(await server.list(webhooks), []);
});

test('a wrong member is refused with its place', async (t) => {
  const { receiver, webhooks } = await setting(t);
  const { url } = receiver;
  const rows = [
    [{}, '/url'], [{ url: {} }, '/url'], [{ url: 'x' }, '/url'], [{ url: 'ftp://a/' }, '/url'],
    [{ url: 'http://u:p@127.0.0.1/' }, '/url'], [{ url: `http://127.0.0.1/${'x'.repeat(2048)}` }, '/url'],
    [{ url, events: -1 }, '/events'], [{ url, events: ['click', 'clack'] }, '/events/1'],
    [{ url, enabled: 1 }, '/enabled'], [{ url, description: 1 }, '/description'],
    [{ url, secret: 'x' }, '/secret'], [{ url, secret: 'whsec_' }, '/secret'],
    [{ url, retry: 1 }, '/retry'], [{ url, retry: { maxRetries: 21 } }, '/retry/maxRetries'],
    [{ url, retry: { maxRetries: '1' } }, '/retry/maxRetries'],
    [{ url, retry: { initialDelay: 0 } }, '/retry/initialDelay'],
    [{ url, retry: { factor: 0.5 } }, '/retry/factor'], [{ url, retry: { often: 1 } }, '/retry/often'],
    [{ url, hesders: {} }, '/hesders'], [{ url, _id: 'mine' }, '/_id'],
  ];
  for (const [body, path] of rows) {
    await refused(server.call('POST', webhooks, { body }), 400, path);
  }
  assert.deepEqual(await server.list(webhooks), []);
});

test('without --dev neither http nor a private target is taken', async (t) => {
  const strict = await Server.start({ dev: false });
  t.after(() => strict.stop());
  await strict.channel('c');
  for (const url of ['http://example.com/', 'https://127.0.0.1/', 'https://[::1]/', 'https://10.0.0.1/',
    'https://169.254.169.254/', 'https://[::ffff:127.0.0.1]/', 'https://localhost/', 'https://2130706433/']) {
    await refused(strict.call('POST', '/v1/channels/c/webhooks', { body: { url } }), 400, '/url');
  }
  const url = 'https://example.com/hook';
  assert.equal((await strict.webhook('c', url)).url, url);
});

test('a disabled webhook holds its calls and an enabled one releases them in order', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  const webhook = await server.webhook(channel, receiver.url, { enabled: false });
  assert.equal(webhook.enabled, false);
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push(...(await server.send(channel, click(channel, `s${i}`))));
  for (const id of ids) {
    const [call] = await server.callsOf(channel, id, 'held', (each) => each.state === 'held');
    assert.ok(call.heldReason.length > 0);
    assert.equal(call.attempts, 0);
  }
  assert.equal((await server.list(`/v1/channels/${channel}/calls?state=held`)).length, 5);
  await server.must('PATCH', `${webhooks}/${webhook._id}`, { body: { enabled: true } });
  const calls = await receiver.count(5);
  assert.deepEqual(new Set(calls.map((call) => call.id)), new Set(ids));
  for (const id of ids) assert.equal((await server.callOf(channel, id, 'succeeded')).attempts, 1);
});

test('disabling holds what comes and keeps what succeeded', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  const webhook = await server.webhook(channel, receiver.url);
  const [before] = await server.send(channel, click(channel, 'before'));
  await server.callOf(channel, before, 'succeeded');
  await server.must('PATCH', `${webhooks}/${webhook._id}`, { body: { enabled: false } });
  assert.ok((await server.must('GET', `${webhooks}/${webhook._id}`)).disabledReason.length > 0);
  const [after] = await server.send(channel, click(channel, 'after'));
  await server.callOf(channel, after, 'held');
  await server.callOf(channel, before, 'succeeded');
  assert.equal(receiver.calls.length, 1);
});

test('what waits for a webhook goes to its new address', async (t) => {
  const { channel, receiver, webhooks } = await setting(t, (res) => res.writeHead(500).end());
  const second = await Receiver.open();
  t.after(() => second.close());
  const retry = { maxRetries: 3, initialDelay: 1, factor: 1, maxDelay: 1 };
  const webhook = await server.webhook(channel, receiver.url, { retry });
  const [id] = await server.send(channel, click(channel, 's'));
  await receiver.of(id);
  await server.must('PATCH', `${webhooks}/${webhook._id}`, { body: { url: second.url } });
  assert.equal((await second.of(id)).id, id);
  await server.callOf(channel, id, 'succeeded');
});

test('a changed secret signs the next call', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  const { Webhook } = await import('standardwebhooks');
  const webhook = await server.webhook(channel, receiver.url);
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  await server.must('PATCH', `${webhooks}/${webhook._id}`, { body: { secret } });
  await server.send(channel, click(channel, 's'));
  const [call] = await receiver.count(1);
  new Webhook(secret).verify(call.body.toString(), call.headers);
  assert.throws(() => new Webhook(webhook.secret).verify(call.body.toString(), call.headers));
});

test('a deleted webhook is gone, its waiting calls are cancelled, its past stays', async (t) => {
  const { channel, receiver, webhooks } = await setting(t, (res, call, n) => res.writeHead(n === 1 ? 200 : 500).end());
  const webhook = await server.webhook(channel, receiver.url);
  const [first] = await server.send(channel, click(channel, 'ok'));
  await server.callOf(channel, first, 'succeeded');
  const [second] = await server.send(channel, click(channel, 'waits'));
  await receiver.of(second);
  await server.callsOf(channel, second, 'tried', (call) => call.attempts === 1);
  assert.equal((await server.call('DELETE', `${webhooks}/${webhook._id}`)).status, 204);
  assert.equal((await server.call('GET', `${webhooks}/${webhook._id}`)).status, 404);
  await server.callOf(channel, second, 'cancelled');
  await server.callOf(channel, first, 'succeeded');
  const [third] = await server.send(channel, click(channel, 'late'));
  const { calls } = await server.must('GET', `/v1/channels/${channel}/events/${third}`);
  assert.deepEqual(calls, []);
  const call = (await server.must('GET', `/v1/channels/${channel}/events/${second}`)).calls[0];
  const retried = await server.call('POST', `/v1/channels/${channel}/calls/${call._id}/retry`);
  assert.equal(retried.status, 409, retried.text);
});

test('a test event goes to its webhook alone', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  const other = await Receiver.open();
  t.after(() => other.close());
  const webhook = await server.webhook(channel, receiver.url);
  await server.webhook(channel, other.url);
  const answer = await server.call('POST', `${webhooks}/${webhook._id}/test`, { body: { type: 'optIn' } });
  assert.equal(answer.status, 202, answer.text);
  const [call] = await receiver.count(1);
  assert.equal(JSON.parse(call.body).type, 'optIn');
  assert.equal(JSON.parse(call.body).channel._id, channel);
  const [id] = await server.send(channel, click(channel, 's'));
  await other.of(id);
  assert.equal(other.calls.length, 1);
});

test('channels are made, named, listed and deleted with all they hold', async (t) => {
  const receiver = await Receiver.open((res) => res.writeHead(500).end());
  t.after(() => receiver.close());
  const named = await server.must('POST', '/v1/channels', { body: { name: 'My site' } });
  assert.match(named._id, /^[A-Za-z0-9]{17}$/);
  const target = `/v1/channels/${named._id}`;
  const changed = await server.must('PATCH', target, { body: { name: 'My app' } });
  assert.equal(changed.name, 'My app');
  assert.deepEqual(await server.must('GET', target), changed);
  assert.equal((await server.call('POST', '/v1/channels', { body: { name: 'x', _id: named._id } })).status, 409);
  await refused(server.call('POST', '/v1/channels', { body: { name: 'x', _id: 'a b' } }), 400, '/_id');
  await refused(server.call('POST', '/v1/channels', { body: {} }), 400, '/name');
  assert.ok((await server.list('/v1/channels', 1)).some((channel) => channel._id === named._id));

  await server.webhook(named._id, receiver.url);
  const [id] = await server.send(named._id, click(named._id, 's'));
  await receiver.of(id);
  assert.equal((await server.call('DELETE', target)).status, 204);
  for (const path of ['', '/webhooks', '/events', '/calls', `/events/${id}`]) {
    assert.equal((await server.call('GET', target + path)).status, 404, path);
  }
  await eventually('nothing of the channel waits', async () => {
    const metrics = (await server.call('GET', '/metrics')).text;
    return /pushwire_calls\{[^}]*state="cancelled"[^}]*\} [1-9]/.test(metrics);
  });
});

test('lists come in pages that hold everything once', async (t) => {
  const { channel, receiver, webhooks } = await setting(t);
  for (let i = 0; i < 7; i++) await server.webhook(channel, receiver.url, { enabled: false });
  const all = await server.list(webhooks);
  assert.equal(all.length, 7);
  assert.deepEqual(await server.list(webhooks, 2), all);
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=x', 'nothing=1']) {
    await refused(server.call('GET', `${webhooks}?${query}`), 400);
  }
});

test('webhooks and what waits for them are there after a crash', async (t) => {
  const crashed = await Server.start();
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  await crashed.channel('c');
  const headers = { 'X-A': 'b' };
  const webhook = await crashed.webhook('c', receiver.url, { headers, enabled: false });
  const [id] = await crashed.send('c', click('c', 's'));
  await crashed.stop('SIGKILL');
  const revived = await crashed.again();
  t.after(() => revived.stop());
  const { secret, ...rest } = webhook;
  const target = `/v1/channels/c/webhooks/${webhook._id}`;
  assert.deepEqual(await revived.must('GET', target), rest);
  assert.deepEqual(await revived.must('GET', `${target}/secret`), { secret });
  await revived.callOf('c', id, 'held');
  await revived.must('PATCH', target, { body: { enabled: true } });
  assert.equal((await receiver.of(id)).headers['x-a'], 'b');
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
