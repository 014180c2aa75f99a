// TLS is verified: chain and name, against the CA that was configured.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';
import { Server, click, temporaryFolder } from './harness.mjs';

const folder = temporaryFolder();
const file = (name) => path.join(folder, name);
const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

openssl('req', '-x509', ...NEW_KEY, '-subj', '/CN=test CA', '-keyout', 'ca.key', '-out', 'ca.pem');

// A certificate of the test's CA for a name or address ("IP:127.0.0.1").
function issue(name, subject) {
  openssl('req', '-x509', ...NEW_KEY, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${subject}`,
    '-addext', 'basicConstraints=critical,CA:FALSE', '-CA', 'ca.pem', '-CAkey', 'ca.key',
    '-keyout', `${name}.key`, '-out', `${name}.pem`);
}

// An HTTPS receiver that counts its requests.
async function receive(t, name, more = {}) {
  const seen = [];
  const server = https.createServer(
    { key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)), ...more },
    (req, res) => {
      seen.push(req.socket.getProtocol());
      req.resume();
      res.writeHead(204).end();
    });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, port: server.address().port };
}

issue('right', 'IP:127.0.0.1');
issue('wrong', 'DNS:other.example');

const server = await Server.start({ args: ['--ca-file', file('ca.pem')] });
let made = 0;

async function attempt(port, at = server) {
  const channel = await at.channel(`tls${++made}`);
  await at.webhook(channel, `https://127.0.0.1:${port}/hook`, { retry: { maxRetries: 0 } });
  const [id] = await at.send(channel, click(channel, 's'));
  const [call] = await at.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
  const shown = await at.must('GET', `/v1/channels/${channel}/calls/${call._id}`);
  return shown.attemptLog[0];
}

test('a receiver with a right certificate is called over TLS 1.2 or newer', async (t) => {
  const receiver = await receive(t, 'right');
  const { verdict, status } = await attempt(receiver.port);
  assert.deepEqual({ verdict, status }, { verdict: 'ok', status: 204 });
  assert.match(receiver.seen[0], /^TLSv1\.[23]$/);
});

test('a certificate for another name is not accepted', async (t) => {
  const receiver = await receive(t, 'wrong');
  const { verdict, status, reason } = await attempt(receiver.port);
  assert.deepEqual({ verdict, status }, { verdict: 'temporary', status: null });
  assert.match(reason, /^TLS failed/);
  assert.equal(receiver.seen.length, 0);
});

test('a certificate that is over, signs itself, or leans on SHA-1 is not accepted', async (t) => {
  const before = (name, ...more) => openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key',
    '-CAcreateserial', '-extfile', 'ext.cnf', '-out', `${name}.pem`, ...more);
  writeFileSync(file('ext.cnf'), 'basicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\n');
  for (const name of ['over', 'sha1']) {
    openssl('req', '-new', ...NEW_KEY.slice(0, -2), '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  }
  before('over', '-days', '-1');
  before('sha1', '-days', '2', '-sha1');
  openssl('req', '-x509', ...NEW_KEY, '-subj', '/CN=self', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', 'self.key',
    '-out', 'self.pem');
  for (const name of ['over', 'self', 'sha1']) {
    const receiver = await receive(t, name, { ciphers: 'DEFAULT:@SECLEVEL=0' });
    const { verdict, status, reason } = await attempt(receiver.port);
    assert.deepEqual({ verdict, status }, { verdict: 'temporary', status: null }, name);
    assert.match(reason, /^TLS failed/, name);
    assert.equal(receiver.seen.length, 0, name);
  }
});

test('a certificate of an unknown CA is not accepted', async (t) => {
  const receiver = await receive(t, 'right');
  const strict = await Server.start(); // the system's CAs
  t.after(() => strict.stop());
  const { verdict, reason } = await attempt(receiver.port, strict);
  assert.equal(verdict, 'temporary');
  assert.match(reason, /^TLS failed/);
  assert.equal(receiver.seen.length, 0);
});

test('a receiver that speaks nothing newer than TLS 1.1 is not called', async (t) => {
  const receiver = await receive(t, 'right', {
    minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0',
  });
  const { verdict, reason } = await attempt(receiver.port);
  assert.equal(verdict, 'temporary');
  assert.match(reason, /^TLS failed/);
  assert.equal(receiver.seen.length, 0);
});

test.after(() => server.stop());
