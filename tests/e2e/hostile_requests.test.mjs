// Requests that try to harm the server, as bytes over a socket: each gets one answer, or none, and
// the end of its connection, and nothing of it is stored. What is left out here is in smuggling
// (lines, NULs, hosts), ingest (bodies), listeners (TLS) and test_httpd_parse (byte by byte).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import zlib from 'node:zlib';
import { Receiver, Server, click, eventually, within } from './harness.mjs';

const server = await Server.start();
const C = 'hostile';
await server.channel(C);
const events = `/v1/channels/${C}/events`;
const key = `Authorization: Bearer ${server.key}\r\n`;
const event = JSON.stringify(click(C, 's'));
const next = `GET /v1/channels HTTP/1.1\r\nHost: x\r\n${key}\r\n`;
const bye = next.replace('Host', 'Connection: close\r\nHost');
const stored = async (at = server) => (await at.list(events)).length;

function dial(at = server) {
  const { hostname, port } = new URL(at.url);
  const socket = net.connect({ host: hostname, port });
  socket.setNoDelay(true);
  socket.on('error', () => {}); // a reset is an end too
  const parts = [];
  socket.on('data', (part) => parts.push(part));
  socket.said = () => Buffer.concat(parts).toString('latin1');
  socket.gone = new Promise((resolve) => socket.once('close', resolve));
  return socket;
}

// All that is said until the server closes; our own side stays open.
async function answer(bytes, at = server) {
  const socket = dial(at);
  socket.write(bytes, 'latin1');
  await within(socket.gone, `the end of ${bytes.slice(0, 80)}`);
  return socket.said();
}

const statusesIn = (text) => [...text.matchAll(/HTTP\/1\.[01] (\d+) /g)].map((match) => Number(match[1]));
const statuses = async (bytes, at) => statusesIn(await answer(bytes, at));

// A POST of events: its lines beside Host, key and type, and what comes behind its head.
const post = (lines, rest = '', common = `Host: x\r\n${key}Content-Type: application/json\r\n`) =>
  `POST ${events} HTTP/1.1\r\n${common}${lines}\r\n${rest}`;
const length = (n = event.length) => `Content-Length: ${n}\r\n`;
const chunked = (body, lines = '') => post(`Transfer-Encoding: chunked\r\n${lines}`, body);
const get = (line, lines = `Host: x\r\n${key}`) => `${line}\r\n${lines}\r\n`;
const whole = `${event.length.toString(16)}\r\n${event}\r\n`;

// The number is that of the row in the project's list of hostile requests.
const refused = {
  '1 a length and chunks': [400, post(`${length()}Transfer-Encoding: chunked\r\n`, `${whole}0\r\n\r\n`)],
  '1 chunks and a length': [400, post(`Transfer-Encoding: chunked\r\n${length()}`, event)],
  '2 two equal lengths': [400, post(length() + length(), event)],
  '2 two lengths': [400, post(length() + length(1), event)],
  '3 +5': [400, post(length('+5'), event)],
  '3 0x5': [400, post(length('0x5'), event)],
  '3 5,5': [400, post(length('5,5'), event)],
  '3 5 x': [400, post(length(' 5 x'), event)],
  '3 a huge length': [400, post(length('99999999999999999999'), event)],
  '3 a negative length': [400, post(length('-1'), event)],
  '4 chunked, identity': [400, post('Transfer-Encoding: chunked, identity\r\n', `${whole}0\r\n\r\n`)],
  '4 xchunked': [400, post('Transfer-Encoding: xchunked\r\n', `${whole}0\r\n\r\n`)],
  '4 \\x0bchunked': [400, post('Transfer-Encoding: \x0bchunked\r\n', `${whole}0\r\n\r\n`)],
  '4 chunked twice': [400, chunked(`${whole}0\r\n\r\n`, 'Transfer-Encoding: chunked\r\n')],
  '5 a space before the colon': [400, post('Transfer-Encoding : chunked\r\n', `${whole}0\r\n\r\n`)],
  '6 a bare CR in a value': [400, post(`X: a\rb\r\n${length()}`, event)],
  '6 NUL LF for a line end': [400, post(`X: a\0\n${length()}`, event)],
  '7 a folded line': [400, post(`${length()}X: a\r\n b\r\n`, event)],
  '8 -1': [400, chunked(`-1\r\n${event}`)],
  '8 +5': [400, chunked(`+5\r\n${event}`)],
  '8 0x5': [400, chunked(`0x5\r\n${event}`)],
  '8 17 hex digits': [400, chunked(`00000000000000005\r\n${event}`)],
  '8 a size that overflows': [400, chunked(`ffffffffffffffff\r\n${event}`)],
  '8 an extension of 64 KiB': [400, chunked(`5;ext=${'a'.repeat(65536)}\r\n${event}`)],
  '8 no CR LF after a chunk': [400, chunked(`${whole.slice(0, -2)}0\r\n\r\n`)],
  '8 bare LF after a size': [400, chunked(`${whole.replace('\r\n', '\n')}0\r\n\r\n`)],
  '8 bare LF at the end': [400, chunked(`${whole}0\r\n\n`)],
  '9 trailers of 1 MB': [431, chunked(`${whole}0\r\n${`X: ${'a'.repeat(1000)}\r\n`.repeat(1000)}\r\n`)],
  '9 a folded trailer': [400, chunked(`${whole}0\r\nX: a\r\n b\r\n\r\n`)],
  '10 a request line of 64 KiB': [414, get(`GET /${'a'.repeat(65536)} HTTP/1.1`)],
  '10 10,000 headers': [431, get('GET /v1/channels HTTP/1.1', `Host: x\r\n${'A: b\r\n'.repeat(10_000)}`)],
  '10 a header of 1 MB': [431, get('GET /v1/channels HTTP/1.1', `Host: x\r\nA: ${'b'.repeat(1_000_000)}\r\n`)],
  '11 an absolute target': [400, get('GET http://evil/ HTTP/1.1')],
  '11 OPTIONS *': [400, get('OPTIONS * HTTP/1.1')],
  '11 CONNECT': [400, get('CONNECT evil:443 HTTP/1.1')],
  '12 HTTP/0.9': [400, 'GET /v1/channels\r\n'],
  '12 HTTP/1.10': [400, get('GET /v1/channels HTTP/1.10')],
  '12 HTTP/3.0': [505, get('GET /v1/channels HTTP/3.0')],
  '12 http/1.1': [400, get('GET /v1/channels http/1.1')],
  '12 the preface of HTTP/2': [505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  '13 no Host': [400, get('GET /v1/channels HTTP/1.1', key)],
  '13 two Hosts': [400, get('GET /v1/channels HTTP/1.1', `Host: x\r\nHost: x\r\n${key}`)],
  '13 a Host with a space': [400, get('GET /v1/channels HTTP/1.1', `Host: a b\r\n${key}`)],
  '14 a path beyond ASCII': [400, get('GET /v1/\xc0\xaf HTTP/1.1')],
  '24 TLS to the plain port': [400, '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
};
for (const [what, [status, bytes]] of Object.entries(refused)) {
  test(`${what}: ${status} and the end`, async () => {
    const before = await stored();
    assert.deepEqual(await statuses(bytes + next), [status]);
    assert.equal(await stored(), before);
  });
}

test('9 a trailer is not a header', async () => {
  const body = `${whole}0\r\n${key}\r\n`;
  const bytes = post('Transfer-Encoding: chunked\r\n', body, 'Host: x\r\nContent-Type: application/json\r\n');
  const before = await stored();
  assert.deepEqual(await statuses(bytes + bye), [401, 200]);
  assert.equal(await stored(), before);
});

test('11 TRACE is no method of any path', async () => {
  assert.deepEqual(await statuses(get('TRACE /v1/channels HTTP/1.1') + bye), [405, 200]);
});

test('14 odd paths are as unknown as any other', async () => {
  const at = async (target) => {
    const said = await answer(get(`GET ${target} HTTP/1.1`, `Host: x\r\nConnection: close\r\n${key}`));
    return said.slice(0, 12) + said.slice(said.indexOf('\r\n\r\n'));
  };
  const unknown = await at('/v1/nothing');
  assert.match(unknown, /^HTTP\/1\.1 404/);
  for (const target of ['/v1/../v1/channels', '/v1/%2e%2e/v1/channels', '/v1//channels', '/v1/channels%00', '/v1/%c0%af',
    '/v1/./channels', '/v1/channels/', '/V1/channels', '/v1/%63hannels']) {
    const said = await at(target);
    assert.match(said, /^HTTP\/1\.1 404/, target);
    if (target.startsWith('/v1/')) assert.equal(said, unknown, target);
  }
  for (const target of ['/../', '/%2e%2e/', '//', '/%00', '/..%2f..%2fetc/passwd']) {
    assert.match(await at(target), /^HTTP\/1\.1 404/, target);
  }
});

test('15 a hundred pipelined requests are answered once each, in order', async () => {
  const before = await stored();
  const requests = Array.from({ length: 100 }, (_, i) =>
    i % 3 ? get(`GET /v1/nothing${i} HTTP/1.1`) : post(length(), event));
  assert.deepEqual(await statuses(requests.join('') + bye),
    [...requests.map((_, i) => (i % 3 ? 404 : 202)), 200]);
  assert.equal(await stored(), before + 34);
});

test('15 requests that come one byte at a time are the same requests', async () => {
  const before = await stored();
  const socket = dial();
  for (const byte of post(length(), event) + chunked(`${whole}0\r\n\r\n`) + bye) {
    await new Promise((resolve) => socket.write(byte, 'latin1', resolve));
  }
  await within(socket.gone, 'the end');
  assert.deepEqual(statusesIn(socket.said()), [202, 202, 200]);
  assert.equal(await stored(), before + 2);
});

test('16 who asks before a body is told to go on, or why not', async () => {
  const expects = 'Expect: 100-continue\r\n';
  assert.deepEqual(await statuses(post(`${expects}Connection: close\r\n`)), [400]); // no body: not an event
  assert.deepEqual(await statuses(post(expects + length(10_000_000))), [413]);
  assert.deepEqual(await statuses(post(expects + length(), event, 'Host: x\r\n')), [401]);
  const socket = dial();
  socket.write(post(`${expects}Connection: close\r\n${length()}`));
  await within(once(socket, 'data'), '100');
  assert.deepEqual(statusesIn(socket.said()), [100]);
  socket.write(event);
  await within(socket.gone, 'the end');
  assert.deepEqual(statusesIn(socket.said()), [100, 202]);
});

test('17 a body that stops before its end stores nothing, however it stops', async () => {
  const before = await stored();
  for (const bytes of [post(length(event.length + 1), event), chunked(whole), chunked(`${whole}0\r\n`), chunked(whole.slice(0, -9))]) {
    const half = dial();
    half.end(bytes); // FIN, and goes on reading
    await within(half.gone, 'the end');
    assert.deepEqual(statusesIn(half.said()), []);
    const reset = dial();
    await new Promise((resolve) => reset.write(bytes, resolve));
    reset.resetAndDestroy();
    await within(reset.gone, 'the end');
  }
  assert.equal(await stored(), before);
});

const ofProcess = (at, name) => readFileSync(`/proc/${at.child.pid}/${name}`, 'utf8');
// A sanitizer keeps what was freed.
const memoryKiB = (at) => (/lib[at]san/.test(ofProcess(at, 'maps')) ? 0
  : Number(/VmHWM:\s+(\d+)/.exec(ofProcess(at, 'status'))[1]));

test('18 a body beyond the maximum is refused without being kept', async (t) => {
  const fresh = await Server.start();
  t.after(() => fresh.stop());
  await fresh.channel(C);
  const own = (bytes) => bytes.replace(server.key, fresh.key);
  assert.deepEqual(await statuses(own(post(length() + 'Connection: close\r\n', event)), fresh), [202]);
  const before = memoryKiB(fresh);
  for (let i = 0; i < 20; i++) {
    const socket = dial(fresh);
    socket.write(own(chunked('')));
    const block = `10000\r\n${'y'.repeat(65536)}\r\n`;
    // Until the server has had enough: it answers in the middle of the body and stops reading.
    for (let n = 0; n < 160 && !socket.destroyed && !socket.said(); n++) {
      await Promise.race([new Promise((resolve) => socket.write(block, resolve)), socket.gone]);
    }
    await within(socket.gone, 'the end');
    assert.ok([0, 1].includes(statusesIn(socket.said()).length));
    if (socket.said()) assert.match(socket.said(), /^HTTP\/1\.1 413 /);
  }
  assert.ok(memoryKiB(fresh) - before < 8 * 1024, `${before} KiB became ${memoryKiB(fresh)}`);
  assert.equal(await stored(fresh), 1);
});

test('20 a compressed bomb is never opened', async () => {
  const bomb = zlib.gzipSync(Buffer.alloc(64 << 20)).toString('latin1');
  const before = memoryKiB(server);
  assert.deepEqual(await statuses(post(`Content-Encoding: gzip\r\n${length(bomb.length)}`, bomb) + bye), [415, 200]);
  assert.ok(memoryKiB(server) - before < 8 * 1024);
});

test('21 who closes before the answer finds the same event when it asks again', async () => {
  const before = await stored();
  const own = `Idempotency-Key: once\r\n${length()}`;
  const socket = dial();
  await new Promise((resolve) => socket.write(post(own, event), resolve));
  socket.destroy();
  await eventually('the event is there', async () => (await stored()) === before + 1);
  const again = await answer(post(`Connection: close\r\n${own}`, event));
  const { data: [{ _id }] } = JSON.parse(again.slice(again.indexOf('\r\n\r\n')));
  assert.equal((await server.list(events))[0]._id, _id);
  assert.equal(await stored(), before + 1);
});

async function manySockets(n, at, bytes) {
  const sockets = Array.from({ length: n }, () => dial(at));
  await within(Promise.all(sockets.map((each) => once(each, 'connect'))), `${n} connections`);
  if (bytes) for (const each of sockets) each.write(bytes);
  return sockets;
}

test('22 two thousand slow clients and as many idle ones shut nobody out', async (t) => {
  const idle = await manySockets(2000, server);
  const slow = await manySockets(2000, server, 'G');
  t.after(() => [...idle, ...slow].forEach((socket) => socket.destroy()));
  assert.equal((await server.call('POST', events, { body: event })).status, 202);
  // A byte now and then does not keep them: the head must end.
  await within(Promise.all(slow.map((each) => each.gone)), 'the slow ones to be closed');
  assert.equal((await server.call('GET', '/v1/channels')).status, 200);
});

test('22 with fewer connections than clients, the idle make room', async (t) => {
  const small = await Server.start({ args: ['--max-connections', '100'] });
  t.after(() => small.stop());
  await small.channel(C);
  const many = [...await manySockets(300, small), ...await manySockets(300, small, 'GET /v1')];
  t.after(() => many.forEach((socket) => socket.destroy()));
  for (let i = 0; i < 10; i++) {
    const said = await answer(get('GET /v1/nothing HTTP/1.1', 'Host: x\r\nConnection: close\r\n'), small);
    assert.deepEqual(statusesIn(said), [404]);
  }
});

test('22 clients never take the descriptors that calls need', async (t) => {
  const poor = await Server.start({ args: ['--max-connections', '4000'], wrap: ['prlimit', '--nofile=200:200'] });
  t.after(() => poor.stop());
  await poor.line(/--max-connections 4000 would take more than half of the 200 files that may be open: 100 it is/);
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  await poor.channel(C);
  await poor.webhook(C, receiver.url);
  const many = await manySockets(300, poor);
  t.after(() => many.forEach((socket) => socket.destroy()));
  await poor.send(C, event);
  await receiver.arrivals.count(1);
});

const cpuTicks = (at) => {
  const fields = ofProcess(at, 'stat').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

test('23 without descriptors the server neither spins nor ends, and comes back', async (t) => {
  const poor = await Server.start({ args: ['--log-level', 'warn'] });
  t.after(() => poor.stop());
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  await poor.channel(C);
  await poor.webhook(C, receiver.url);
  await poor.send(C, event);
  await receiver.arrivals.count(1);

  const limit = (n) => execFileSync('prlimit', ['--pid', String(poor.child.pid), `--nofile=${n}:`]);
  limit(64);
  const many = Array.from({ length: 400 }, () => dial(poor));
  t.after(() => many.forEach((socket) => socket.destroy()));
  await poor.line(/accept: Too many open files; clients are turned away/);
  // Most are turned away; in that time a thread that asks again and again would take all of a core.
  const [began, ticks] = [process.hrtime.bigint(), cpuTicks(poor)];
  await within(Promise.all(many.slice(-200).map((each) => each.gone)), 'those too many to be turned away');
  await eventually('a second has passed', () => process.hrtime.bigint() - began > 1_000_000_000n);
  const share = (cpuTicks(poor) - ticks) * 1e7 / Number(process.hrtime.bigint() - began);
  assert.ok(share < 0.5, `it took ${share} of a core`);

  limit(4096);
  await eventually('it takes requests again', async () =>
    (await poor.call('POST', events, { body: event }).catch(() => null))?.status === 202);
  await receiver.arrivals.count(2);
});

// ---- bodies (their other rows are in ingest, payloads, idempotency and test_json) ----

const within256K = (inner) => event.replace('{', `{"x":${inner},`);

test('JSON 4: very many keys are read in the time that few take, or are too much', async () => {
  const keys = (n, name) => `{${Array.from({ length: n }, (_, i) => `"${name(i)}":0`)}}`;
  for (const [inner, want] of [
    [keys(100_000, (i) => `k${i}`), 413], [keys(100_000, () => 'k'), 400],
    [keys(20_000, (i) => i.toString(36)), 202], [keys(20_000, (i) => (i % 19_999).toString(36)), 400],
  ]) {
    const answered = await server.call('POST', events, { body: within256K(inner) });
    assert.equal(answered.status, want, answered.text);
  }
});

test('JSON 11: known members of a wrong type are refused by their names', async () => {
  const hooks = `/v1/channels/${C}/webhooks`;
  for (const [member, value] of [
    ['url', {}], ['url', 1], ['url', null], ['url', ['https://a.example/']], ['events', -1], ['events', 'optIn'],
    ['events', [1]], ['events', [{}]], ['enabled', 'yes'], ['enabled', 1], ['headers', []], ['headers', { a: 1 }],
    ['retry', 1], ['retry', { maxRetries: '3' }], ['retry', { maxRetries: 1.5 }], ['retry', { factor: 1e99 }],
    ['description', 7], ['secret', 7],
  ]) {
    const body = { url: 'https://receiver.example/', [member]: value };
    const { status, text, json } = await server.call('POST', hooks, { body });
    assert.equal(status, 400, `${JSON.stringify(body)} -> ${text}`);
    assert.ok(`${json.path ?? ''} ${json.detail}`.includes(member), text);
  }
  for (const limit of ['1e99', '"10"', '-1', '0', '99999999999999999999', '1.0', ' 1', '0x10']) {
    const { status, json } = await server.call('GET', `${hooks}?limit=${encodeURIComponent(limit)}`);
    assert.equal(status, 400, limit);
    assert.match(json.detail, /limit/);
  }
  assert.deepEqual((await server.call('GET', hooks)).json.data, []);
});

test('JSON 12: names that mean something elsewhere are data, and a name of 1 MB is too much', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'y'.repeat(100_000)]) {
    assert.equal((await server.call('POST', events, { body: within256K(`{"${name}":1}`) })).status, 202, name);
  }
  const long = within256K(`{"${'y'.repeat(1_000_000)}":1}`);
  assert.equal((await server.call('POST', events, { body: long })).status, 413);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
