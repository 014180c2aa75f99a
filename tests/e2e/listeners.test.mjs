// Where the server listens: TLS for the API, and a listener of their own for those that watch it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { Program, Server, eventually, rawRequest, run, temporaryFolder, within } from './harness.mjs';

const folder = temporaryFolder();
const file = (name) => path.join(folder, name);
const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

openssl('req', '-x509', ...NEW_KEY, '-subj', '/CN=test CA', '-keyout', 'ca.key', '-out', 'ca.pem');
const ca = readFileSync(file('ca.pem'));

function issue(name) {
  openssl('req', '-x509', ...NEW_KEY, '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1',
    '-addext', 'basicConstraints=critical,CA:FALSE', '-CA', 'ca.pem', '-CAkey', 'ca.key',
    '-keyout', `${name}.key`, '-out', `${name}.pem`);
}
for (const name of ['one', 'two']) issue(name);
openssl('ec', '-in', 'two.key', '-aes128', '-passout', 'pass:x', '-out', 'locked.key');

function use(name, key = name) {
  copyFileSync(file(`${name}.pem`), file('server.pem'));
  copyFileSync(file(`${key}.key`), file('server.key'));
}
use('one');
const PAIR = ['--tls-certificate', file('server.pem'), '--tls-key', file('server.key')];
const server = await Server.start({ args: [...PAIR, '--metrics-listen', '127.0.0.1:0'] });
const { port } = new URL(server.url);
const metrics = server.output.match(/metrics on (\S+)/)[1];

// One request; which certificate answered, and over which TLS.
function ask(agent, target = '/v1/channels') {
  return new Promise((resolve, reject) => {
    const req = https.get(server.url + target,
      { ca, agent, headers: { authorization: `Bearer ${server.key}` } }, (res) => {
        const { subject } = res.socket.getPeerCertificate();
        const said = { status: res.statusCode, name: subject?.CN, protocol: res.socket.getProtocol(), socket: res.socket };
        res.resume().on('end', () => resolve(said));
      });
    req.on('error', reject);
  });
}

async function reload(line) {
  const before = server.lines.all.length;
  server.signal('SIGHUP');
  return server.lines.until(`a line like ${line}`, (all) => all.slice(before).find((each) => line.test(each)));
}

test('the API is served over TLS 1.2 and 1.3, and over nothing older', async () => {
  assert.match(server.url, /^https:/);
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const agent = new https.Agent({ minVersion: version, maxVersion: version });
    const { status, protocol } = await ask(agent);
    assert.deepEqual({ status, protocol }, { status: 200, protocol: version });
    assert.equal((await ask(agent, '/')).status, 200, 'the dashboard');
    agent.destroy();
  }
  const old = new https.Agent({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' });
  await assert.rejects(ask(old));
});

test('bodies and answers of any size pass through TLS whole', async () => {
  const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key, PUSHWIRE_CA_FILE: file('ca.pem') };
  const made = await run(['channel', 'create', 'Large', '--id', 'large'], { env });
  assert.equal(made.code, 0, made.stderr);
  const event = (i) => JSON.stringify({
    type: 'optIn', date: '2024-03-04T09:50:51Z', channel: { _id: 'large' }, subscription: { _id: `s${i}` },
    pad: 'y'.repeat(9000) });
  const lines = Array.from({ length: 100 }, (_, i) => event(i));
  const sent = await run(['send', '--channel', 'large', '--data', '-'], { env, input: lines.join('\n') });
  assert.equal(sent.code, 0, sent.stderr);
  const listed = await run(['event', 'list', '--channel', 'large', '--limit', '100', '--json'], { env });
  assert.equal(listed.code, 0, listed.stderr);
  assert.equal(JSON.parse(listed.stdout).data.length, 100);
});

test('a client trusts a private CA when it is named, and only then', async () => {
  const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key };
  assert.equal((await run(['channel', 'list', '--ca-file', file('ca.pem')], { env })).code, 0);
  const strict = await run(['channel', 'list'], { env });
  assert.equal(strict.code, 1);
  assert.match(strict.stderr, /certificate/i);
});

test('a pair that is read again serves those that come, and those that are there stay', async (t) => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const before = await ask(agent);
  assert.equal(before.name, 'one');
  use('two');
  await reload(/SIGHUP: the certificate has been read again/);
  assert.equal((await ask(new https.Agent())).name, 'two');
  const after = await ask(agent);
  assert.equal(after.status, 200);
  assert.equal(after.socket, before.socket);
  use('one');
  await reload(/SIGHUP: the certificate has been read again/);
  assert.equal((await ask(new https.Agent())).name, 'one');
});

test('a pair that does not fit leaves the old one in use, and the log says why', async (t) => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const first = await ask(agent);
  const cut = (name, n) => readFileSync(file(name)).subarray(0, n);
  const rows = [
    ['no certificate', () => rmSync(file('server.pem')), /server\.pem: No such file/],
    ['no key', () => rmSync(file('server.key')), /server\.key: No such file/],
    ['an empty certificate', () => writeFileSync(file('server.pem'), ''), /server\.pem is not a certificate in PEM/],
    ['an empty key', () => writeFileSync(file('server.key'), ''), /server\.key is not a private key in PEM/],
    ['text', () => writeFileSync(file('server.pem'), 'hello\n'), /server\.pem is not a certificate in PEM/],
    ['zeros', () => writeFileSync(file('server.key'), Buffer.alloc(4096)), /server\.key is not a private key/],
    ['half a certificate', () => writeFileSync(file('server.pem'), cut('one.pem', 300)), /server\.pem is not a cert/],
    ['half a key', () => writeFileSync(file('server.key'), cut('one.key', 100)), /server\.key is not a private key/],
    ['the key of another', () => use('one', 'two'), /the key in \S+server\.key is not that of \S+server\.pem/],
    ['the certificate of another', () => use('two', 'one'), /the key in \S+ is not that of /],
    ['a key with a password', () => use('two', 'locked'), /server\.key is not a private key in PEM/],
    ['the two exchanged', () => {
      copyFileSync(file('one.key'), file('server.pem'));
      copyFileSync(file('one.pem'), file('server.key'));
    }, /server\.pem is not a certificate in PEM/],
  ];
  for (const [what, spoil, why] of rows) {
    use('one');
    spoil();
    const line = await reload(/SIGHUP: the certificate stays as it was: /);
    assert.match(line, why, what);
    assert.equal((await ask(new https.Agent())).name, 'one', what);
    const same = await ask(agent);
    assert.equal(same.socket, first.socket, what);
  }
  use('one');
});

// What comes back until the other side closes.
async function toTheEnd(socket) {
  const parts = [];
  socket.on('error', () => {});
  socket.on('data', (part) => parts.push(part));
  await within(new Promise((resolve) => socket.once('close', resolve)), 'the connection to close');
  return Buffer.concat(parts).toString('latin1');
}

test('plain HTTP to the TLS port, and TLS to a plain one, are closed without harm', async () => {
  const plain = net.connect(Number(port), '127.0.0.1');
  plain.write('GET /v1/channels HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.doesNotMatch(await toTheEnd(plain), /^HTTP\/1\.1 200/);
  for (const bytes of ['\x16\x03\x01\xff\xff', '\0'.repeat(100), '\x80\x2e\x01\0\x02']) {
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.end(bytes, 'latin1');
    assert.doesNotMatch(await toTheEnd(socket), /HTTP/);
  }
  const shy = tls.connect({ host: '127.0.0.1', port: new URL(metrics).port, ca });
  await assert.rejects(within(once(shy, 'secureConnect'), 'a refusal'));
  assert.equal((await ask(new https.Agent())).status, 200);
});

test('watchers have a listener of their own, and nothing else is there', async () => {
  const get = async (base, target, headers = {}) => {
    const answer = await fetch(base + target, { headers });
    return { status: answer.status, text: await answer.text() };
  };
  const authorization = `Bearer ${server.key}`;
  for (const target of ['/healthz', '/readyz', '/metrics']) {
    assert.equal((await get(metrics, target)).status, 200, target);
    // Also for a proxy's clients: whoever reaches it may ask.
    assert.equal((await get(metrics, target, { 'x-forwarded-for': '192.0.2.1' })).status, 200, target);
    assert.equal((await ask(new https.Agent(), target)).status, 404, target);
  }
  for (const target of ['/v1/channels', '/v1/channels/large/events', '/subscription/x', '/']) {
    assert.equal((await get(metrics, target, { authorization })).status, 404, target);
  }
  const { text } = await get(metrics, '/metrics');
  assert.match(text, /^pushwire_connections /m);
  for (const secret of ['large', server.key, 'Large']) assert.doesNotMatch(text, new RegExp(secret));
  assert.match(await rawRequest(metrics, 'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na'),
    /^HTTP\/1\.1 405 /);
});

test('while the server drains its watchers are told so', async (t) => {
  const draining = await Server.start({ args: ['--metrics-listen', '127.0.0.1:0', '--drain', '60s'] });
  t.after(() => draining.stop('SIGKILL'));
  const watch = draining.output.match(/metrics on (\S+)/)[1];
  // A receiver that never answers keeps the drain going.
  const silent = net.createServer(() => {});
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const C = await draining.channel('drains');
  await draining.webhook(C, `http://127.0.0.1:${silent.address().port}/`);
  const called = once(silent, 'connection');
  await draining.send(C, { type: 'optIn', date: '2024-03-04T09:50:51Z', channel: { _id: C }, subscription: { _id: 's' } });
  await within(called, 'a call');
  draining.signal('SIGTERM');
  await eventually('it is not ready', async () => (await fetch(`${watch}/readyz`)).status === 503);
  assert.equal((await fetch(`${watch}/healthz`)).status, 200);
});

test('half a pair, and a pair that does not fit, do not start', async () => {
  const start = (...args) => run(['serve', '--listen', '127.0.0.1:0', '--data', file('data'), ...args]);
  const half = await start('--tls-key', file('one.key'));
  assert.equal(half.code, 1);
  assert.match(half.stderr, /go together: --tls-certificate is missing/);
  const bad = await start('--tls-certificate', file('one.pem'), '--tls-key', file('two.key'));
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /the key in \S+two\.key is not that of \S+one\.pem/);
});

const outside = Object.values(os.networkInterfaces()).flat()
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

test('an address has its share of the connections, and loopback has them all',
  { skip: outside ? false : 'no address but loopback' }, async (t) => {
    const program = new Program(['serve', '--listen', '0.0.0.0:0', '--data', path.join(temporaryFolder(), 'data'),
      '--max-connections-per-address', '3']);
    await program.listening();
    t.after(() => program.stop());
    const to = Number(new URL(program.url).port);
    const open = [];
    const dial = async (localAddress) => {
      const socket = net.connect({ host: localAddress, port: to, localAddress });
      socket.on('error', () => {});
      open.push(socket);
      socket.write('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n');
      return within(new Promise((resolve) => {
        socket.once('data', () => resolve(true));
        socket.once('close', () => resolve(false));
      }), 'an answer or the end');
    };
    t.after(() => open.forEach((socket) => socket.destroy()));
    for (let i = 0; i < 3; i++) assert.ok(await dial(outside));
    assert.equal(await dial(outside), false);
    for (let i = 0; i < 5; i++) assert.ok(await dial('127.0.0.1'));
    open[0].destroy();
    await eventually('there is room for another', () => dial(outside));
  });

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
