// More that a hostile receiver may do: bombs, answers that come too soon, requests that are never
// read, bytes that are no text, handshakes that stall, certificates of a megabyte, networks that
// break in the middle. What receivers.test.mjs has is not repeated here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { RawReceiver, Receiver, Server, click, temporaryFolder } from './harness.mjs';

const folder = temporaryFolder();
const file = (name) => path.join(folder, name);
const ONCE = { retry: { maxRetries: 0 } };
const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

openssl('req', '-x509', ...NEW_KEY, '-subj', '/CN=test CA', '-keyout', 'ca.key', '-out', 'ca.pem');

const server = await Server.start({ args: ['--ca-file', file('ca.pem'), '--deadline', '2s', '--log', 'json'] });
let made = 0;

async function callTo(url, more = ONCE, event = {}) {
  const channel = await server.channel(`h${++made}`);
  await server.webhook(channel, url, more);
  const [id] = await server.send(channel, click(channel, 's', event));
  const [call] = await server.callsOf(channel, id, 'tried', (each) => each.attempts >= 1);
  const shown = await server.must('GET', `/v1/channels/${channel}/calls/${call._id}`);
  return { ...shown, channel, attempt: shown.attemptLog[0] };
}

async function outcome(t, behave, more) {
  const receiver = await RawReceiver.open(behave);
  t.after(() => receiver.close());
  return { ...await callTo(receiver.url, more), receiver };
}

const memory = () =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) * 1024;

test('a bomb is not unpacked', async (t) => {
  const bomb = zlib.gzipSync(Buffer.alloc(200 << 20), { level: 9 });
  const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`;
  await outcome(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')); // all is warm
  const before = memory();
  const call = await outcome(t, (socket) => {
    socket.write(head);
    socket.write(bomb);
  });
  assert.equal(call.state, 'succeeded');
  assert.ok(memory() - before < 32 << 20, `${memory() - before} bytes more`);
});

test('lengths that no program can hold are taken as they are meant', async (t) => {
  for (const length of ['99999999999999999999999', '18446744073709551616', '9223372036854775808']) {
    const call = await outcome(t, (socket) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\nhello`));
    assert.equal(call.state, 'succeeded', length);
  }
});

test('a status that is none fails the call', async (t) => {
  for (const status of ['2000', '0200', '-200', '20x', '']) {
    const call = await outcome(t, (socket) => socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`));
    assert.equal(call.state, 'failed', status);
    assert.ok(call.attempt.status === null || (call.attempt.status >= 100 && call.attempt.status <= 999), status);
  }
});

test('an answer before the request was read counts, each of 100 times', async (t) => {
  // It answers as soon as there is a connection, and breaks it off when the call has ended.
  const early = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    socket.once('data', () => socket.resetAndDestroy());
  });
  early.listen(0, '127.0.0.1');
  await once(early, 'listening');
  t.after(() => early.close());
  const channel = await server.channel(`h${++made}`);
  await server.webhook(channel, `http://127.0.0.1:${early.address().port}/`, ONCE);
  const text = 'x'.repeat(200_000); // more than a socket takes at once
  const events = await server.send(channel, Array.from({ length: 4 }, (_, i) => click(channel, `${i}`, { extra: text })));
  for (let i = 0; i < 96; i++) events.push(...await server.send(channel, click(channel, `a${i}`)));
  const states = new Set();
  for (const id of events) {
    const [call] = await server.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
    states.add(call.state);
  }
  assert.deepEqual([...states], ['succeeded']);
  assert.equal((await server.call('GET', '/healthz')).status, 200); // and nobody died of SIGPIPE
});

test('a receiver that reads nothing ends at the deadline', async (t) => {
  const deaf = net.createServer({ pauseOnConnect: true }, (socket) => socket.on('error', () => {}));
  deaf.listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  t.after(() => deaf.close());
  const before = memory();
  const { attempt } = await callTo(`http://127.0.0.1:${deaf.address().port}/`, ONCE, { extra: 'x'.repeat(200_000) });
  assert.equal(attempt.reason, 'timeout');
  assert.ok(attempt.durationMs >= 1990);
  assert.ok(memory() - before < 32 << 20);
});

test('what is no text is shown as text, and the log stays JSON', async (t) => {
  const body = Buffer.concat([
    Buffer.from('\u001b[31mred\u001b[0m <script>alert(1)</script> "\\ \u2028 '),
    Buffer.from([0, 1, 0x7f, 0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
    Buffer.from('\n{"level":"error"}\n'),
  ]);
  const call = await outcome(t, (socket) => {
    socket.write(`HTTP/1.1 500 \u001b[2J"x"\r\nX-Bad: \u001b[31m\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.end(body);
  });
  assert.equal(call.state, 'failed');
  assert.match(call.attempt.response, /<script>alert\(1\)<\/script>/);
  // As it goes over the wire: JSON without a control character, nor a broken one.
  const raw = await server.call('GET', `/v1/channels/${call.channel}/calls/${call._id}`);
  JSON.parse(raw.text);
  assert.doesNotMatch(raw.text, /[\u0000-\u0008\u000b-\u001f\u007f\u2028\u2029]/);
  assert.equal(Buffer.from(raw.text).equals(raw.bytes), true);
  const lines = server.lines.all.filter((line) => !line.startsWith('listening on'));
  assert.ok(lines.some((line) => line.includes(call._id)));
  for (const line of lines) JSON.parse(line);
});

test('a network that breaks in the middle of an answer: tried again, same id', async (t) => {
  const ids = [];
  const receiver = await RawReceiver.open((socket, request, n) => {
    ids.push(/^webhook-id: (.*)$/im.exec(request.toString('latin1'))[1].trim());
    // Half a header block, then silence; the next time all of it.
    socket.write(n === 1 ? 'HTTP/1.1 200 OK\r\nContent-Le' : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  t.after(() => receiver.close());
  const call = await callTo(receiver.url, { retry: { maxRetries: 1, initialDelay: 1 } });
  assert.equal(call.attempt.verdict, 'temporary');
  assert.equal(call.attempt.status, null);
  assert.equal(call.attempt.reason, 'timeout');
  await receiver.count(2);
  assert.equal(ids[0], ids[1]);
  await server.callOf(call.channel, call.event ?? ids[0], 'succeeded');
});

// ---- TLS ----

test('a handshake that stalls ends at the deadline', async (t) => {
  const heard = [];
  const stalling = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => heard.push(bytes[0]));
  });
  stalling.listen(0, '127.0.0.1');
  await once(stalling, 'listening');
  t.after(() => stalling.close());
  const { attempt } = await callTo(`https://127.0.0.1:${stalling.address().port}/`);
  assert.equal(attempt.verdict, 'temporary');
  assert.equal(attempt.reason, 'timeout');
  assert.deepEqual(heard, [22]); // it was a ClientHello that stayed without an answer
});

// A certificate of the test's CA that carries `extra`.
function issue(name, extra) {
  writeFileSync(file(`${name}.cnf`),
    `[req]\ndistinguished_name=dn\n[dn]\n[ext]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=${extra}\n`);
  openssl('req', '-new', ...NEW_KEY.slice(0, -2), '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
    '-extfile', `${name}.cnf`, '-extensions', 'ext', '-out', `${name}.pem`);
}

test('a certificate with 10,000 names, and a chain of a megabyte, cost little', async (t) => {
  const names = Array.from({ length: 10_000 }, (_, i) => `DNS:n${i}.example.com`).join(',');
  issue('many', `${names},IP:127.0.0.1`);
  const chain = readFileSync(file('many.pem'), 'utf8').repeat(6);
  const cpu = () => readFileSync(`/proc/${server.child.pid}/stat`, 'utf8').split(') ')[1].split(' ')
    .slice(11, 13).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
  const before = { memory: memory(), cpu: cpu() };
  for (const cert of [readFileSync(file('many.pem')), chain]) {
    const seen = [];
    const receiver = tls.createServer({ key: readFileSync(file('many.key')), cert, ALPNProtocols: ['h2', 'http/1.1'] },
      (socket) => {
        seen.push(socket.alpnProtocol);
        socket.on('error', () => {});
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
      });
    receiver.on('tlsClientError', () => {});
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    t.after(() => receiver.close());
    const { attempt } = await callTo(`https://127.0.0.1:${receiver.address().port}/`);
    assert.ok(['ok', 'temporary'].includes(attempt.verdict));
    if (attempt.verdict === 'temporary') assert.match(attempt.reason, /^TLS failed/);
    // HTTP/2 is never offered: nothing of it can be abused.
    for (const protocol of seen) assert.equal(protocol, false);
  }
  assert.ok(cpu() - before.cpu < 1000, `${cpu() - before.cpu} ms of CPU`);
  assert.ok(memory() - before.memory < 32 << 20);
});

test('what an answer wants remembered is not', async (t) => {
  issue('plain', 'IP:127.0.0.1');
  const calls = [];
  const receiver = tls.createServer({ key: readFileSync(file('plain.key')), cert: readFileSync(file('plain.pem')) },
    (socket) => {
      socket.on('error', () => {});
      socket.once('data', (bytes) => {
        calls.push(bytes.toString('latin1'));
        socket.end('HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nStrict-Transport-Security: max-age=99999999\r\n' +
          'Alt-Svc: h2=":1"; ma=99999\r\nLink: </x>; rel=preload\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      });
    });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(() => receiver.close());
  const channel = await server.channel(`h${++made}`);
  const { port } = receiver.address();
  await server.webhook(channel, `https://127.0.0.1:${port}/`, ONCE);
  for (const subscription of ['1', '2', '3']) {
    const [id] = await server.send(channel, click(channel, subscription));
    await server.callOf(channel, id, 'succeeded');
  }
  assert.equal(calls.length, 3);
  for (const call of calls) assert.doesNotMatch(call, /^(cookie|upgrade|alt-used):/im);
  // The same host over http is still http.
  const plain = await Receiver.open();
  t.after(() => plain.close());
  const again = await callTo(plain.url);
  assert.equal(again.attempt.verdict, 'ok');
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
