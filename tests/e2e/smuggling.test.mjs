// Requests that a proxy in front could read in another way than the server does: each gets one
// refusal and the end of the connection, and nothing of it is carried out.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { Server, click, rawRequest, within } from './harness.mjs';

const server = await Server.start();
const C = 'smuggling';
await server.channel(C);
const events = `/v1/channels/${C}/events`;
const body = JSON.stringify(click(C, 's'));
const key = `Authorization: Bearer ${server.key}\r\n`;
const json = 'Content-Type: application/json\r\n';
const inner = `GET /v1/channels HTTP/1.1\r\nHost: x\r\n${key}\r\n`;

async function stored() {
  return (await server.list(events)).length;
}

// A POST of events with more header lines, and what comes behind its header block.
const post = (lines, rest, common = `Host: x\r\n${key}${json}`) =>
  `POST ${events} HTTP/1.1\r\n${common}${lines}\r\n${rest}`;
const length = `Content-Length: ${body.length}\r\n`;

// The statuses of all answers until the server closes; our own side stays open.
async function statuses(bytes) {
  const { hostname, port } = new URL(server.url);
  const socket = net.connect({ host: hostname, port });
  const parts = [];
  socket.on('error', () => {}); // a reset is an end too
  socket.on('data', (part) => parts.push(part));
  socket.write(bytes, 'latin1');
  await within(new Promise((resolve) => socket.once('close', resolve)), 'the connection to close');
  const answers = Buffer.concat(parts).toString('latin1');
  return [...answers.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => Number(match[1]));
}

const rows = {
  'a folded Content-Length': post(`Content-Length:\r\n ${inner.length}\r\n`, inner),
  'a Content-Length with one more digit in a folded line': post(
    `Content-Length: ${Math.floor(inner.length / 10)}\r\n ${inner.length % 10}\r\n`, inner),
  'a folded Transfer-Encoding': post(
    'Transfer-Encoding:\r\n chunked\r\n', `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
  'a folded line before the length': post(`X-A: b\r\n c\r\nContent-Length: ${inner.length}\r\n`, inner),
  'a folded key': `GET /v1/channels HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\r\n ${server.key}\r\n\r\n`,
  'an empty name before another request':
    'GET /healthz HTTP/1.1\r\nHost: x\r\n: x\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n',
  'an empty name before the length': post(`: b\r\nContent-Length: ${inner.length}\r\n`, inner),
  'a Content-Length with NUL': post(`Content-Length: 5\0${inner.length}\r\n`, `12345${inner}`),
  'a Transfer-Encoding with NUL': post(
    'Transfer-Encoding: chunked\0, x\r\n', `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
  'a key with NUL': `GET /v1/channels HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\0junk\r\n\r\n`,
  'a Content-Type with NUL': post(
    length, body, `Host: x\r\n${key}Content-Type: application/json\0; charset=utf-16\r\n`),
  'a path with NUL': 'GET /readyz\0/../v1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'a path that NUL ends': 'GET /readyz\0 HTTP/1.1\r\nHost: x\r\n\r\n',
  'lines that end with LF alone': post(length, '').replaceAll('\r\n', '\n') + body,
  'one line that ends with LF alone': post(`X-A: b\n${length}`, body),
  'a target with a host': 'GET http://evil/healthz HTTP/1.1\r\nHost: x\r\n\r\n',
  'a Host with a space': 'GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n',
  'a Host with a path': 'GET /healthz HTTP/1.1\r\nHost: x/y\r\n\r\n',
  'a Host with a user': 'GET /healthz HTTP/1.1\r\nHost: a@b\r\n\r\n',
  'an empty Host': 'GET /healthz HTTP/1.1\r\nHost:\r\n\r\n',
};
for (const [what, bytes] of Object.entries(rows)) {
  test(`${what} gets one refusal and the end`, async () => {
    const before = await stored();
    assert.deepEqual(await statuses(bytes + inner), [400]);
    assert.equal(await stored(), before);
  });
}

test('the same without tricks is taken, and so is what follows it', async () => {
  const before = await stored();
  const last = inner.replace('Host', 'Connection: close\r\nHost');
  assert.deepEqual(await statuses(post(length, body) + inner + last), [202, 200, 200]);
  assert.equal(await stored(), before + 1);
});

test('a request that a proxy passed on is not one from this machine', async (t) => {
  const open = ['/healthz', '/readyz', '/metrics'];
  const marks = [
    { forwarded: 'for=192.0.2.1' }, { 'x-forwarded-for': '127.0.0.1' }, { 'X-Real-IP': '192.0.2.1' }];
  const shared = await Server.start({ args: ['--public-metrics'] });
  t.after(() => shared.stop());
  for (const path of open) {
    assert.equal((await server.call('GET', path, { key: null })).status, 200, path);
    for (const headers of marks) {
      const answer = await server.call('GET', path, { key: null, headers });
      assert.equal(answer.status, 403, `${path} ${JSON.stringify(headers)}`);
      assert.match(answer.json.detail, /--public-metrics/);
      assert.equal((await shared.call('GET', path, { key: null, headers })).status, 200, path);
    }
  }
  assert.equal((await server.call('GET', '/v1/channels', { headers: marks[0] })).status, 200);
});

test('a name that was made to lead here does not open what is for this machine', async (t) => {
  const shared = await Server.start({ args: ['--public-metrics'] });
  t.after(() => shared.stop());
  const status = async (at, target, host) =>
    Number((await rawRequest(at.url, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${key}\r\n`))
      .slice(9, 12));
  for (const host of ['127.0.0.1', 'localhost:8420', '[::1]:8420', 'LOCALHOST', '192.0.2.7']) {
    assert.equal(await status(server, '/metrics', host), 200, host);
  }
  for (const host of ['evil.example', 'evil.example:8420', 'localhost.evil.example', '127.0.0.1.evil.example',
    '[::1', '[evil.example]', '127.0.0.1evil', 'localhos']) {
    for (const target of ['/healthz', '/readyz', '/metrics']) {
      assert.equal(await status(server, target, host), 421, `${host} ${target}`);
    }
    assert.equal(await status(server, '/v1/channels', host), 200, host); // a key is asked for there
    assert.equal(await status(shared, '/metrics', host), 200, host);
  }
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
