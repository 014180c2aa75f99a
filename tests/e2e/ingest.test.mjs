// Input that is refused: the status, and a problem that names the event, the place and the reason.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { Server, click, eventually, payload, rawRequest, within } from './harness.mjs';

const server = await Server.start();
const C = 'ingest';
await server.channel(C);
const events = `/v1/channels/${C}/events`;
const post = (body, options) => server.call('POST', events, { body, ...options });
const good = (subscription = 's', more) => JSON.stringify(click(C, subscription, more));

async function stored() {
  return (await server.list(events)).length;
}

// Sends what must be refused, and looks that nothing of it was stored.
async function refused(body, status, want = {}, options) {
  const before = await stored();
  const answer = await post(body, options);
  const about = `${String(body).slice(0, 100)} -> ${answer.status} ${answer.text}`;
  assert.equal(answer.status, status, about);
  assert.equal(answer.headers['content-type'], 'application/problem+json', about);
  const problem = answer.json;
  assert.equal(problem.status, status);
  assert.equal(problem.type, 'about:blank');
  assert.ok(problem.title.length > 0 && problem.detail.length > 0, about);
  for (const [name, value] of Object.entries(want)) assert.equal(problem[name], value, about);
  assert.equal(await stored(), before);
  return problem;
}

test('what is not an event or a list of events is refused', async () => {
  for (const body of ['', 'null', '"x"', '42', '{}', '[]', '[[]]', '[null]', ' ', 'true']) {
    await refused(body, 400);
  }
});

test('a body that ends early is refused at every byte', async () => {
  const body = good();
  for (let n = 0; n < body.length; n++) {
    const answer = await post(body.slice(0, n));
    assert.equal(answer.status, 400, body.slice(0, n));
  }
});

test('nesting of 64 is taken and 65 is refused, as are 100,000', async () => {
  const nested = (depth) => good('deep', { x: 0 }).replace(':0', `:${'['.repeat(depth)}${']'.repeat(depth)}`);
  assert.equal((await post(nested(63))).status, 202);
  await refused(nested(64), 400, { index: 0 });
  await refused('['.repeat(100_000), 400);
  await refused('{"a":'.repeat(100_000), 400);
});

test('times, types and channels may be written with escapes, and stay as they are', async () => {
  const body = good('escaped').replace(/"date":"[^"]*"/, '"date":"2024-03-04T10:10:40\\u002B02:00"')
    .replace('"click"', '"cl\\u0069ck"').replace(`"${C}"`, `"${C.replace('i', '\\u0069')}"`);
  const answer = await post(body);
  assert.equal(answer.status, 202, answer.text);
  const shown = await server.call('GET', `${events}/${answer.json.data[0]._id}`);
  assert.ok(shown.text.includes(body), shown.text);
  assert.equal(shown.json.type, 'click');
  const { detail } = await refused(good('S').replace('"S"', '"\\u0053"'), 400, { path: '/subscription/_id' });
  assert.match(detail, /without escapes/);
});

test('many members are taken and equal ones are refused', async () => {
  const members = (name) => `{${Array.from({ length: 10_000 }, (_, i) => `"${name(i)}":${i}`)}}`;
  const body = (inner) => good('keys', { x: 0 }).replace(':0', `:${inner}`);
  assert.equal((await post(body(members((i) => `k${i}`)))).status, 202);
  await refused(body(members(() => 'k')), 400, { index: 0 });
});

test('a duplicate member is refused with its place, also when it is escaped', async () => {
  const twice = good().replace('{"type"', '{"type":"click","type"');
  assert.match((await refused(twice, 400, { index: 0 })).detail, /duplicate/);
  const escaped = good().replace('{"type"', '{"ty\\u0070e":"click","type"');
  assert.match((await refused(escaped, 400, { index: 0 })).detail, /duplicate/);
});

test('text that is not UTF-8 is refused', async () => {
  const body = (bytes) => Buffer.concat([
    Buffer.from(good('s', { x: '' }).slice(0, -2)), Buffer.from(bytes), Buffer.from('"}'),
  ]);
  assert.equal((await post(body([0xc3, 0xa9]))).status, 202);
  for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3]]) {
    await refused(body(bytes), 400);
  }
  await refused(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(good())]), 400);
  await refused(Buffer.from(good(), 'utf16le'), 400);
  await refused(good('s', { x: 0 }).replace(':0', ':"\\ud800"'), 400);
});

test('what is almost JSON is refused', async () => {
  const body = good();
  for (const bad of [
    `${body}${body}`, `${body} x`, `//c\n${body}`, body.replace('{', '{,'), body.replace(/}$/, ',}'),
    `[${body},]`, `[${body} ${body}]`, body.replaceAll('"', "'"), good('s', { x: 0 }).replace(':0', ':NaN'),
    good('s', { x: 0 }).replace(':0', ':01'), good('s', { x: 0 }).replace(':0', ':.5'),
    good('s', { x: 0 }).replace(':0', ':+1'), good('s', { x: 0 }).replace(':0', ':"\t"'),
  ]) {
    await refused(bad, 400);
  }
});

test('odd names and numbers are data', async () => {
  const more = ['"__proto__":{"a":1}', '"constructor":1', '"x":1e400', '"x":-0', '"":""'];
  for (const one of more) {
    assert.equal((await post(good().replace('{', `{${one},`))).status, 202, one);
  }
});

test('the event, the place and the reason are named', async () => {
  const row = (path, change) => {
    const event = click(C, 's');
    change(event);
    return [path, event];
  };
  const rows = [
    row('/type', (e) => delete e.type),
    row('/type', (e) => (e.type = 'clack')),
    row('/type', (e) => (e.type = 7)),
    row('/date', (e) => delete e.date),
    row('/date', (e) => (e.date = 'yesterday')),
    row('/date', (e) => (e.date = '2024-02-30T00:00:00Z')),
    row('/subscription', (e) => delete e.subscription),
    row('/subscription', (e) => (e.subscription = [])),
    row('/subscription/_id', (e) => (e.subscription = {})),
    row('/subscription/_id', (e) => (e.subscription._id = 'a b')),
    row('/subscription/_id', (e) => (e.subscription._id = 'x'.repeat(65))),
    row('/subscription/_id', (e) => (e.subscription._id = '')),
    row('/notification', (e) => delete e.notification),
    row('/notification/_id', (e) => (e.notification._id = null)),
    row('/notification/feedGuid', (e) => (e.notification.feedGuid = 'x')),
    row('/notification/feedGuid/1', (e) => (e.notification.feedGuid = ['x', 1])),
    row('/channel', (e) => delete e.channel),
    row('/channel/_id', (e) => (e.channel._id = 'another')),
  ];
  for (const [path, event] of rows) {
    const batch = [click(C, 'a'), click(C, 'b'), event, click(C, 'c')];
    await refused(JSON.stringify(batch), 400, { index: 2, path });
    const lines = batch.map((each) => JSON.stringify(each)).join('\n');
    await refused(lines, 400, { index: 2, path }, { type: 'application/x-ndjson' });
  }
});

test('every type asks for its own members', async () => {
  const without = [
    ['updateTopics', 'subscription', 'topics'], ['attributeUpdate', 'subscription', 'customAttributes'],
    ['topicAdded', null, 'newTopicsIds'], ['delivery', null, 'date'], ['click', null, 'notification'],
  ];
  for (const [type, part, member] of without) {
    const event = JSON.parse(payload(type, C));
    delete (part ? event[part] : event)[member];
    const path = part ? `/${part}/${member}` : `/${member}`;
    await refused(JSON.stringify(event), 400, { index: 0, path });
  }
});

test('a bad line of NDJSON is named and nothing of the others is kept', async () => {
  const lines = `${good('1')}\n\n${good('2')}\n{"type":\n${good('3')}`;
  await refused(lines, 400, { index: 2 }, { type: 'application/x-ndjson' });
});

test('1,000 events are taken and 1,001 are refused', async () => {
  const batch = (n) => JSON.stringify(Array.from({ length: n }, (_, i) => click(C, `m${i}`)));
  const answer = await post(batch(1000));
  assert.equal(answer.status, 202);
  assert.equal(new Set(answer.json.data.map((event) => event._id)).size, 1000);
  await refused(batch(1001), 413);
});

test('an event of more than 256 KiB is refused', async () => {
  const padded = (bytes) => {
    const bare = good('s', { x: '' }).length;
    return good('s', { x: 'y'.repeat(bytes - bare) });
  };
  assert.equal((await post(padded(256 * 1024))).status, 202);
  await refused(padded(256 * 1024 + 1), 413);
});

test('a request of more than 1 MiB is refused, with and without its length', async () => {
  const pad = (bytes) => `${good('1 MiB'.replace(' ', '-'))}${' '.repeat(bytes)}`;
  const size = pad(0).length;
  assert.equal((await post(pad(1024 * 1024 - size))).status, 202);
  await refused(pad(1024 * 1024 - size + 1), 413);
  const long = pad(1024 * 1024);
  const chunked = `POST ${events} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n` +
    'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
    `${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`;
  assert.match(await rawRequest(server.url, chunked), /^HTTP\/1\.1 413 /);
});

test('only JSON and NDJSON in UTF-8 are content', async () => {
  for (const type of ['application/json', 'application/json; charset=utf-8',
    'application/json;charset=UTF-8', 'application/x-ndjson', 'Application/JSON']) {
    assert.equal((await post(good(), { type })).status, 202, type);
  }
  for (const type of ['text/plain', 'application/json; charset=utf-16', 'application/xml',
    'application/jsonx', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    await refused(good(), 415, {}, { type });
  }
  await refused(good(), 415, {}, { type: null });
  await refused(good(), 415, {}, { headers: { 'content-encoding': 'gzip' } });
});

test('a body that stops before its length stores nothing', async () => {
  const before = await stored();
  await rawRequest(server.url, `POST ${events} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ` +
    `${server.key}\r\nContent-Type: application/json\r\nContent-Length: ${good().length + 1}\r\n\r\n${good()}`);
  assert.equal(await stored(), before);
});

test('a request with two lengths, or a length and chunks, gets no second answer', async () => {
  const before = await stored();
  const smuggled = `POST ${events} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${good().length}\r\n\r\n${good()}`;
  for (const fields of ['Content-Length: 5\r\nTransfer-Encoding: chunked', 'Content-Length: 0\r\nContent-Length: 5']) {
    const answer = await rawRequest(server.url,
      `POST ${events} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n${fields}\r\n\r\n${smuggled}`);
    assert.doesNotMatch(answer, / 202 /, fields);
  }
  assert.equal(await stored(), before);
});

test('a header block without an end is cut off', async () => {
  const answer = await rawRequest(server.url,
    `GET /healthz HTTP/1.1\r\nHost: x\r\n${`X-A: ${'a'.repeat(1000)}\r\n`.repeat(1000)}\r\n`);
  assert.match(answer, /^(HTTP\/1\.1 431 |$)/);
  assert.equal((await server.call('GET', '/healthz')).status, 200);
});

test('over its memory budget the server says 503 and when to come again', async (t) => {
  const small = await Server.start({ args: ['--ingest-memory', '2MiB', '--max-request', '2MiB'] });
  t.after(() => small.stop());
  await small.channel(C);
  const large = `[${Array.from({ length: 16 }, () => good('s', { x: 'y'.repeat(95_000) }))}]`;
  const postLarge = () => small.call('POST', events, { body: large });

  // Somebody who was told to go on, and whose body never ends, holds most of it.
  const { hostname, port } = new URL(small.url);
  const holder = net.connect({ host: hostname, port });
  holder.write(`POST ${events} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${small.key}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${large.length}\r\nExpect: 100-continue\r\n\r\n`);
  const [told] = await within(once(holder, 'data'), '100 Continue');
  assert.match(told.toString(), /^HTTP\/1\.1 100 /);
  const refusal = await postLarge();
  assert.equal(refusal.status, 503, refusal.text);
  assert.ok(Number(refusal.headers['retry-after']) >= 1);
  assert.equal((await small.call('POST', events, { body: good() })).status, 202);
  holder.destroy();
  await eventually('there is room again', async () => (await postLarge()).status === 202);
});

test('the limits are options', async (t) => {
  const small = await Server.start({ args: ['--max-events', '2', '--max-request', '2KiB'] });
  t.after(() => small.stop());
  await small.channel(C);
  const answers = [];
  for (const body of [`[${good()},${good()}]`, `[${good()},${good()},${good()}]`, good('s', { x: 'y'.repeat(2048) })]) {
    answers.push((await small.call('POST', events, { body })).status);
  }
  assert.deepEqual(answers, [202, 413, 413]);
});

test('unknown paths and methods are told apart', async () => {
  const missing = await server.call('GET', '/v1/nothing');
  assert.equal(missing.status, 404);
  assert.equal(missing.headers['content-type'], 'application/problem+json');
  const wrong = await server.call('PUT', events, { body: '{}' });
  assert.equal(wrong.status, 405);
  assert.deepEqual(wrong.headers.allow.split(/, */).sort().filter((m) => m !== 'HEAD'), ['GET', 'POST']);
  assert.equal((await post(good().replaceAll(C, 'unknown'), {})).status, 400);
  const unknown = await server.call('POST', '/v1/channels/unknown/events', { body: good() });
  assert.equal(unknown.status, 404);
});

test('a channel beyond its rate is told to wait, another is not', async (t) => {
  const limited = await Server.start({ args: ['--channel-rate', '1', '--max-events', '20'] });
  t.after(() => limited.stop());
  await limited.channel('greedy');
  await limited.channel('other');
  const send = (channel, n) =>
    limited.call('POST', `/v1/channels/${channel}/events`, {
      body: Array.from({ length: n }, (_, i) => click(channel, `s${i}`)),
    });
  assert.equal((await send('greedy', 20)).status, 202);
  const refused = await send('greedy', 20);
  assert.equal(refused.status, 429, refused.text);
  assert.match(refused.json.detail, /too many events for this channel/);
  const seconds = Number(refused.headers['retry-after']);
  assert.ok(seconds >= 1 && seconds <= 20, `${seconds} s`);
  assert.equal((await send('other', 20)).status, 202);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
