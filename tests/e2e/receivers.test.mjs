// Receivers that misbehave harm nobody but themselves.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { RawReceiver, Receiver, Server, click, closedPort } from './harness.mjs';

const server = await Server.start({ args: ['--deadline', '3s'] });
const ONCE = { maxRetries: 0 };
let made = 0;

// How one call to this receiver ended.
async function outcome(t, behave, more = { retry: ONCE }) {
  const channel = await server.channel(`r${++made}`);
  const receiver = await RawReceiver.open(behave);
  t.after(() => receiver.close());
  await server.webhook(channel, receiver.url, more);
  const [id] = await server.send(channel, click(channel, 's'));
  const [call] = await server.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
  const shown = await server.must('GET', `/v1/channels/${channel}/calls/${call._id}`);
  return { ...shown, attempt: shown.attemptLog[0], receiver };
}

const memory = () =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) * 1024;

// Writes `part` for ever, as fast as it is taken; resolves with the bytes taken when cut off.
function endlessly(socket, head, part) {
  let written = 0;
  socket.write(head);
  return new Promise((resolve) => {
    const more = () => {
      while (!socket.destroyed && socket.write(part)) written += part.length;
      written += part.length;
    };
    socket.on('drain', more);
    socket.on('close', () => resolve(written));
    more();
  });
}

test('an endless answer is cut off, and its head decides', async (t) => {
  const block = Buffer.alloc(65536, 'x');
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), block, Buffer.from('\r\n')]);
  const trailer = Buffer.from(`X: ${'t'.repeat(1000)}\r\n`.repeat(60));
  const ok = 'HTTP/1.1 200 OK\r\n';
  const rows = [
    ['body', `${ok}Transfer-Encoding: chunked\r\n\r\n`, chunk, 'succeeded'],
    ['refusal', 'HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n', chunk, 'failed'],
    ['body until the end', `${ok}\r\n`, block, 'succeeded'],
    ['trailers', `${ok}Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n`, trailer, 'succeeded'],
    ['headers', ok, trailer, 'failed'],
    ['header', `${ok}X: `, block, 'failed'],
    ['status', 'HTTP/1.1 200 ', block, 'failed'],
    ['100s', '', Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000)), 'failed'],
    ['103s', '', Buffer.from('HTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\n'.repeat(1000)), 'failed'],
  ];
  const before = memory();
  for (const [name, head, part, state] of rows) {
    let cut;
    const call = await outcome(t, (socket) => (cut = endlessly(socket, head, part)));
    assert.equal(call.state, state, `${name}: ${call.attempt.reason}`);
    // What the kernel's buffers hold counts too.
    assert.ok((await cut) < 32 * 1024 * 1024, name);
    assert.ok(call.attempt.response.length <= 4096, name);
  }
  assert.ok(memory() - before < 64 * 1024 * 1024, 'nothing of it was kept');
});

test('a broken answer has the verdict that its head gives', async (t) => {
  const ok = 'HTTP/1.1 200 OK\r\n';
  const rows = [
    ['short', `${ok}Content-Length: 500\r\n\r\nhello`, 'succeeded'],
    ['two lengths', `${ok}Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello`, 'succeeded'],
    ['bad chunk', `${ok}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nhello`, 'succeeded'],
    ['chunks and a length', `${ok}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 'succeeded'],
    ['204 with a body', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello', 'succeeded'],
    ['folded', `${ok}X: a\r\n b\r\nContent-Length: 2\r\n\r\nok`, 'succeeded'],
    ['head cut', 'HTTP/1.1 200 OK\r\nContent-Le', 'failed'],
    ['negative length', `${ok}Content-Length: -1\r\n\r\nhello`, 'failed'],
    ['NUL', `${ok}X: a\0b\r\nContent-Length: 2\r\n\r\nok`, 'failed'],
    ['999', 'HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n', 'failed'],
    ['000', 'HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n', 'failed'],
    ['20', 'HTTP/1.1 20 X\r\nContent-Length: 0\r\n\r\n', 'failed'],
    ['101', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'failed'],
    ['not HTTP', 'hello there, I am not HTTP\n', 'failed'],
    ['nothing', '', 'failed'],
  ];
  for (const [name, bytes, state] of rows) {
    const call = await outcome(t, (socket) => socket.end(bytes, 'latin1'));
    assert.equal(call.state, state, `${name}: ${call.attempt.reason}`);
  }
});

test('a reset is a failed attempt', async (t) => {
  const call = await outcome(t, (socket) => socket.resetAndDestroy());
  assert.equal(call.state, 'failed');
  assert.equal(call.attempt.status, null);
});

test('a 2xx counts at once though the connection stays open', async (t) => {
  const call = await outcome(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  assert.equal(call.state, 'succeeded');
  assert.equal(call.receiver.connections.size, 1);
});

test('a receiver that says nothing, or a byte now and then, ends at the deadline', async (t) => {
  const silent = outcome(t, () => {});
  const drip = outcome(t, (socket) => {
    const bytes = [...'HTTP/1.1 200 OK\r\nX-Slow: yes, indeed\r\nContent-Length: 0\r\n\r\n'];
    const timer = setInterval(() => (bytes.length > 1 ? socket.write(bytes.shift()) : null), 200);
    socket.on('close', () => clearInterval(timer));
  });
  for (const call of [await silent, await drip]) {
    assert.equal(call.state, 'failed');
    assert.match(call.attempt.reason, /timeout/);
    assert.ok(call.attempt.durationMs >= 2990, `${call.attempt.durationMs} ms`);
  }
});

test('a redirect is not followed', async (t) => {
  const canary = await Receiver.open();
  t.after(() => canary.close());
  for (const code of [301, 302, 303, 307, 308]) {
    const call = await outcome(t, (socket) =>
      socket.end(`HTTP/1.1 ${code} Elsewhere\r\nLocation: ${canary.url}\r\nContent-Length: 0\r\n\r\n`));
    assert.equal(call.state, 'failed');
    assert.equal(call.attempt.status, code);
    assert.equal(call.receiver.arrivals.all.length, 1);
  }
  assert.equal(canary.calls.length, 0);
});

test('cookies of an answer are not sent back', async (t) => {
  const channel = await server.channel(`r${++made}`);
  const receiver = await Receiver.open((res) => res.writeHead(200, { 'Set-Cookie': 'a=b', 'Alt-Svc': 'h2=":1"' }).end());
  t.after(() => receiver.close());
  await server.webhook(channel, receiver.url);
  for (const subscription of ['1', '2']) {
    const [id] = await server.send(channel, click(channel, subscription));
    assert.equal((await receiver.of(id)).headers.cookie, undefined);
  }
});

test('connections are kept and used again', async (t) => {
  const channel = await server.channel(`r${++made}`);
  let connections = 0;
  const receiver = await Receiver.open();
  receiver.server.on('connection', () => connections++);
  t.after(() => receiver.close());
  await server.webhook(channel, receiver.url);
  for (let i = 0; i < 5; i++) {
    const [id] = await server.send(channel, click(channel, `${i}`));
    await server.callOf(channel, id, 'succeeded');
  }
  assert.equal(connections, 1);
});

test('a dead and a slow receiver do not delay a healthy one', async (t) => {
  const channel = await server.channel(`r${++made}`);
  const unanswered = new Set();
  let released = false;
  let most = 0;
  const slow = await Receiver.open((res) => {
    if (released) return res.end();
    unanswered.add(res);
    most = Math.max(most, unanswered.size);
    return res.on('close', () => unanswered.delete(res));
  });
  const healthy = await Receiver.open();
  t.after(() => Promise.all([slow.close(), healthy.close()]));
  await server.webhook(channel, slow.url);
  await server.webhook(channel, `http://127.0.0.1:${await closedPort()}/`);
  await server.webhook(channel, healthy.url);
  const events = Array.from({ length: 500 }, (_, i) => click(channel, `s${i}`));
  await server.send(channel, events);
  await healthy.count(500);
  // The slow one had its window and no more, however long the healthy one took.
  assert.ok(most >= 1 && most <= 32, `${most} at once`);
  released = true;
  for (const res of unanswered) res.end();
  await slow.count(500);
});

test('no more than a window is in flight at one webhook', async (t) => {
  const small = await Server.start({ args: ['--window', '5'] });
  t.after(() => small.stop());
  await small.channel('c');
  let now = 0;
  let most = 0;
  const receiver = await Receiver.open((res) => {
    most = Math.max(most, ++now);
    setImmediate(() => {
      now--;
      res.end();
    });
  });
  t.after(() => receiver.close());
  await small.webhook('c', receiver.url);
  await small.send('c', Array.from({ length: 300 }, (_, i) => click('c', `s${i}`)));
  await receiver.count(300);
  assert.ok(most >= 2 && most <= 5, `${most} at once`);
});

test('proxies, netrc and other settings of the environment are ignored', async (t) => {
  const canary = await Receiver.open();
  const receiver = await Receiver.open();
  t.after(() => Promise.all([canary.close(), receiver.close()]));
  const env = Object.fromEntries(
    ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].map((name) => [name, canary.url]));
  const other = await Server.start({ env: { ...env, no_proxy: '' } });
  t.after(() => other.stop());
  await other.channel('c');
  await other.webhook('c', receiver.url);
  await other.webhook('c', receiver.url.replace('127.0.0.1', 'localhost'));
  const [id] = await other.send('c', click('c', 's'));
  await other.callsOf('c', id, 'done', (call) => call.state === 'succeeded');
  assert.equal(canary.calls.length, 0);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
