// Where calls go, and where never: by URL, by address, by name, whatever DNS says next.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { NameServer } from './dns.mjs';
import { Arrivals, ROOT, Receiver, Server, click, closedPort, run } from './harness.mjs';

const ONCE = { retry: { maxRetries: 0 } };

// A receiver on an address of loopback that may be called, and a canary on one that may not, with
// one port.
const { PORT, receiver, canary } = await places();

async function places() {
  for (;;) {
    const PORT = await closedPort();
    const receiver = new Receiver();
    receiver.server.listen(PORT, '127.0.0.9');
    const canary = net.createServer((socket) => {
      canary.hits += 1;
      socket.on('error', () => {});
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    canary.hits = 0;
    canary.listen(PORT, '127.0.0.1');
    try {
      await Promise.all([once(receiver.server, 'listening'), once(canary, 'listening')]);
      return { PORT, receiver, canary };
    } catch {
      receiver.server.close();
      canary.close();
    }
  }
}

const zone = new Map();
const names = await NameServer.open((name, n) => {
  const says = zone.get(name) ?? [...zone].find(([key]) => key.startsWith('*') && name.endsWith(key.slice(1)))?.[1];
  return typeof says === 'function' ? says(n) : says;
});
const NETWORK = ['--dns', names.address, '--allow-http', '--allow', `127.0.0.9/32:${PORT}`];
const server = await Server.start({ dev: false, args: [...NETWORK, '--deadline', '3s'] });
let made = 0;

async function webhook(url, more = ONCE, at = server) {
  const channel = await at.channel(`t${++made}`);
  return { channel, webhook: await at.webhook(channel, url, more) };
}

// The one attempt of a call to this URL.
async function attempt(url, at = server) {
  const { channel } = await webhook(url, ONCE, at);
  return attemptOf(channel, at);
}

async function attemptOf(channel, at = server) {
  const [id] = await at.send(channel, click(channel, 's'));
  const [call] = await at.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
  const shown = await at.must('GET', `/v1/channels/${channel}/calls/${call._id}`);
  return { ...shown.attemptLog[0], call: shown };
}

test('each hostile URL has its verdict when a webhook is created', async () => {
  const strict = await Server.start({ dev: false, args: ['--dns', names.address] });
  const channel = await strict.channel('urls');
  const rows = readFileSync(path.join(ROOT, 'tests/fixtures/urls.tsv'), 'utf8').split('\n')
    .filter((line) => line.includes('\t') && !line.startsWith('#'))
    .map((line) => line.split('\t'))
    .filter(([, url]) => url);
  assert.ok(rows.length > 150);
  for (const [verdict, url, says] of rows) {
    const answer = await strict.call('POST', `/v1/channels/${channel}/webhooks`, {
      body: { url, enabled: false },
    });
    if (verdict === 'refused') {
      assert.equal(answer.status, 400, url);
      assert.ok(answer.text.includes(JSON.stringify(says).slice(1, -1)), `${url}: ${answer.text}`);
    } else {
      assert.equal(answer.status, 201, `${url}: ${answer.text}`);
      assert.equal(answer.json.url, says, url);
    }
  }
  await strict.stop();
});

test('a name that leads inside is called nowhere', async () => {
  const inside = {
    'loop.example.com': ['127.0.0.1'],
    'meta.example.com': ['169.254.169.254'],
    'six.example.com': ['::ffff:127.0.0.1'],
    'nat64.example.com': ['64:ff9b::7f00:1'],
    'metadata.google.internal': ['169.254.169.254'],
    'many.example.com': ['10.0.0.1', '::1', '192.168.0.1', 'fd00::1', 'fe80::1', '127.0.0.1'],
  };
  for (const [name, addresses] of Object.entries(inside)) {
    zone.set(name, addresses);
    const { reason, status, durationMs } = await attempt(`http://${name}:${PORT}/`);
    assert.deepEqual({ reason, status, durationMs },
      { reason: 'target not allowed', status: null, durationMs: 0 }, name);
  }
  assert.equal(canary.hits, 0);
});

test('of a mixed answer only what is allowed is called', async () => {
  zone.set('mixed.example.com', ['127.0.0.1', '127.0.0.9', '::1']);
  const { channel } = await webhook(`http://mixed.example.com:${PORT}/mixed`);
  for (let i = 0; i < 20; i++) {
    assert.equal((await attemptOf(channel)).verdict, 'ok');
  }
  assert.equal(canary.hits, 0);
});

test('DNS that answers otherwise the next time never leads inside', async () => {
  zone.set('rebind.example.com', (n) => [n % 2 ? '127.0.0.9' : '127.0.0.1']);
  zone.set('rebind5.example.com', (n) => [n <= 5 ? '127.0.0.9' : '127.0.0.1']);
  for (const name of ['rebind.example.com', 'rebind5.example.com']) {
    const { channel } = await webhook(`http://${name}:${PORT}/${name}`);
    const before = receiver.calls.length;
    const ids = [];
    for (let i = 0; i < 20; i++) {
      ids.push(...await server.send(channel, Array.from({ length: 10 }, (_, k) => click(channel, `${i}-${k}`))));
      await server.callsOf(channel, ids.at(-1), 'tried', (each) => each.attempts === 1);
    }
    let refused = 0;
    for (const id of ids) {
      const [call] = await server.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
      assert.ok(['succeeded', 'failed'].includes(call.state));
      refused += call.state === 'failed';
    }
    assert.ok(refused > 0 && refused < 200, `${refused} of 200 refused`);
    assert.equal(receiver.calls.length - before, 200 - refused);
  }
  assert.equal(canary.hits, 0);
});

test('a connection that is kept does not outlive the judgement of its name', async (t) => {
  // The receiver closes after each answer; then DNS says that it is inside.
  const closing = new Receiver((res) => res.writeHead(200, { connection: 'close' }).end());
  closing.server.listen(0, '127.0.0.9');
  await once(closing.server, 'listening');
  t.after(() => closing.close());
  const { port } = closing.server.address();
  const own = await Server.start({
    dev: false, args: ['--dns', names.address, '--allow-http', '--allow', `127.0.0.9/32:${port}`],
  });
  t.after(() => own.stop());
  zone.set('flip.example.com', ['127.0.0.9']);
  const { channel } = await webhook(`http://flip.example.com:${port}/`, ONCE, own);
  assert.equal((await attemptOf(channel, own)).verdict, 'ok');
  zone.set('flip.example.com', ['127.0.0.1']);
  assert.equal((await attemptOf(channel, own)).reason, 'target not allowed');
  zone.set('flip.example.com', ['127.0.0.9']);
  assert.equal((await attemptOf(channel, own)).verdict, 'ok');
  assert.equal(closing.calls.length, 2);
});

test('a connection serves one webhook only, and serves it again', async (t) => {
  const counted = new Receiver();
  const ports = new Set();
  counted.server.on('connection', (socket) => ports.add(socket.remotePort));
  counted.server.listen(0, '127.0.0.9');
  await once(counted.server, 'listening');
  t.after(() => counted.close());
  const { port } = counted.server.address();
  const own = await Server.start({
    dev: false,
    args: ['--dns', names.address, '--allow-http', '--senders', '1', '--allow', `127.0.0.9/32:${port}`],
  });
  t.after(() => own.stop());
  zone.set('shared.example.com', { addresses: ['127.0.0.9'], ttl: 60 });
  const channels = [];
  for (let i = 0; i < 2; i++) {
    channels.push((await webhook(`http://shared.example.com:${port}/same`, ONCE, own)).channel);
  }
  for (let i = 0; i < 10; i++) {
    for (const channel of channels) assert.equal((await attemptOf(channel, own)).verdict, 'ok');
  }
  assert.equal(counted.calls.length, 20);
  assert.equal(ports.size, 2);
  assert.equal(names.count('shared.example.com'), 1); // remembered for its TTL
});

test('what is behind a refused target shows nowhere', async () => {
  // An open port, a closed one, and an address that no route leads to.
  zone.set('open.example.com', ['127.0.0.1']);
  zone.set('closed.example.com', ['127.0.0.3']);
  zone.set('nowhere.example.com', ['240.0.0.1']);
  const shown = [];
  for (const name of ['open', 'closed', 'nowhere']) {
    const { channel, webhook: hook } = await webhook(`http://${name}.example.com:${PORT}/`);
    const { call } = await attemptOf(channel);
    const text = JSON.stringify(call)
      .replaceAll(channel, 'CHANNEL').replaceAll(call._id, 'CALL').replaceAll(hook._id, 'HOOK')
      .replaceAll(call.event, 'EVENT')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replaceAll(name, 'NAME');
    shown.push(text);
  }
  assert.match(shown[0], /target not allowed/);
  assert.equal(shown[1], shown[0]);
  assert.equal(shown[2], shown[0]);
  const refusals = [];
  for (const host of [`127.0.0.1:${PORT}`, `127.0.0.3:${PORT}`, `240.0.0.1:${PORT}`]) {
    const answer = await server.call('POST', `/v1/channels/t${made}/webhooks`, { body: { url: `http://${host}/` } });
    refusals.push(answer.status, answer.json.detail ?? answer.text);
  }
  assert.deepEqual(refusals.slice(0, 2), refusals.slice(2, 4));
  assert.deepEqual(refusals.slice(0, 2), refusals.slice(4, 6));
  assert.equal(canary.hits, 0);
});

test('the server does not call itself, whatever is allowed', async (t) => {
  const own = await Server.start({
    dev: false, args: ['--dns', names.address],
  });
  t.after(() => own.stop());
  const mine = new URL(own.url).port;
  const all = ['--dns', names.address, '--allow-http', '--allow', `0.0.0.0/0:${mine},::/0:${mine}`];
  zone.set('self.example.com', ['127.0.0.1', '127.0.0.77', '::1']);
  // Of another server's port nothing is known: that may be called.
  const other = await Server.start({ dev: false, args: all });
  t.after(() => other.stop());
  const { channel } = await webhook(`http://self.example.com:${mine}/hook`, ONCE, other);
  assert.equal((await attemptOf(channel, other)).status, 404);
  await other.stop();
  await own.stop();
  // The same port as one's own.
  const again = await Server.start({ dev: false, listen: `127.0.0.1:${mine}`, args: all });
  t.after(() => again.stop());
  const { channel: mirror } = await webhook(`http://self.example.com:${mine}/`, ONCE, again);
  assert.equal((await attemptOf(mirror, again)).reason, 'target not allowed');
  const checked = await run(['check', `http://self.example.com:${mine}/`, '--listen', `127.0.0.1:${mine}`, ...all]);
  assert.equal(checked.code, 1);
  assert.match(checked.stdout, /127\.0\.0\.77: denied, this server itself/);
});

test('what DNS answers badly fails its own call and no other', async () => {
  const healthy = await webhook(`http://healthy.example.com:${PORT}/healthy`);
  zone.set('healthy.example.com', ['127.0.0.9']);
  const many = Array.from({ length: 4000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`);
  zone.set('four-thousand.example.com', many);
  zone.set('cname-loop.example.com', { cname: 'cname-loop.example.com' });
  zone.set('servfail.example.com', { rcode: 2 });
  zone.set('empty.example.com', []);
  zone.set('slow.example.com', { addresses: ['127.0.0.9'], delay: 20_000 });
  const reasons = {
    'four-thousand.example.com': /^target not allowed$/,
    'cname-loop.example.com': /^DNS failed$/,
    'servfail.example.com': /^DNS failed$/,
    'nxdomain.example.com': /^DNS failed$/,
    'empty.example.com': /^DNS failed$/,
    'slow.example.com': /^(timeout|DNS failed)$/,
  };
  const all = Promise.all(Object.entries(reasons).map(async ([name, pattern]) => {
    const { reason, verdict } = await attempt(`http://${name}:${PORT}/`);
    assert.equal(verdict, 'temporary', name);
    assert.match(reason, pattern, name);
  }));
  for (let i = 0; i < 10; i++) assert.equal((await attemptOf(healthy.channel)).verdict, 'ok');
  await all;

  // A name that does not exist is tried again like any other failure.
  const { channel } = await webhook(`http://nxdomain.example.com:${PORT}/`, {});
  const [id] = await server.send(channel, click(channel, 's'));
  const [call] = await server.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
  assert.equal(call.state, 'waiting');
});

test('500 names that nobody answers for delay no other webhook', async (t) => {
  const own = await Server.start({
    dev: false, args: [...NETWORK, '--senders', '1', '--deadline', '60s'],
  });
  t.after(() => own.stop());
  zone.set('*.stuck.example.com', { silent: true });
  zone.set('healthy.example.com', ['127.0.0.9']);
  const channel = await own.channel('stuck');
  for (let i = 0; i < 100; i++) { // a channel has at most so many webhooks
    await own.webhook(channel, `http://n${i}.stuck.example.com:${PORT}/`, ONCE);
  }
  const more = [];
  for (let c = 0; c < 4; c++) {
    const id = await own.channel(`stuck${c}`);
    more.push(id);
    for (let i = 0; i < 100; i++) await own.webhook(id, `http://n${c}-${i}.stuck.example.com:${PORT}/`, ONCE);
  }
  const { channel: well } = await webhook(`http://healthy.example.com:${PORT}/well`, ONCE, own);
  const stuck = [];
  for (const id of [channel, ...more]) stuck.push([id, (await own.send(id, click(id, 's')))[0]]);
  for (let i = 0; i < 20; i++) assert.equal((await attemptOf(well, own)).verdict, 'ok');
  // None of them had ended by then, so nobody can have waited for one.
  for (const [id, event] of stuck) {
    const { calls } = await own.must('GET', `/v1/channels/${id}/events/${event}`);
    assert.equal(calls.filter((call) => call.attempts > 0).length, 0);
  }
  await own.stop('SIGKILL');
});

// ---- egress proxies ----

// A proxy that tells where it was asked to go, and goes to the receiver instead.
async function proxy(t, speak) {
  const asked = new Arrivals();
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    speak(socket, asked);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { asked, port: server.address().port };
}

function join(socket, rest) {
  const onward = net.connect({ host: '127.0.0.9', port: PORT });
  onward.on('error', () => socket.destroy());
  socket.on('close', () => onward.destroy());
  if (rest?.length) onward.write(rest);
  onward.pipe(socket).pipe(onward);
}

function speakConnect(socket, asked) {
  socket.once('data', (bytes) => {
    const [line] = bytes.toString('latin1').split('\r\n');
    asked.push(line);
    if (line.includes('refused.')) {
      socket.end('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    socket.write('HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n');
    join(socket, bytes.subarray(bytes.indexOf('\r\n\r\n') + 4));
  });
}

function speakSocks(socket, asked) {
  socket.once('data', () => {
    socket.write(Buffer.from([5, 0]));
    socket.once('data', (bytes) => {
      const name = bytes[3] === 3 ? bytes.subarray(5, 5 + bytes[4]).toString() : `type ${bytes[3]}`;
      asked.push(`${name}:${bytes.readUInt16BE(bytes.length - 2)}`);
      socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
      join(socket);
    });
  });
}

test('all calls go through an egress proxy, which finds out where names are', async (t) => {
  for (const [scheme, speak, expected] of [
    ['http', speakConnect, (host) => `CONNECT ${host}:${PORT} HTTP/1.1`],
    ['socks5', speakSocks, (host) => `${host}:${PORT}`],
  ]) {
    const { asked, port } = await proxy(t, speak);
    zone.set('egress.example.net', ['127.0.0.1']);
    const own = await Server.start({
      dev: false, args: [...NETWORK, '--egress-proxy', `${scheme}://egress.example.net:${port}`],
    });
    t.after(() => own.stop());
    // Our own DNS knows nothing of this name.
    const before = receiver.calls.length;
    const first = await attempt(`http://behind.example.org:${PORT}/x`, own);
    assert.equal(first.verdict, 'ok', first.reason);
    assert.equal(first.status, 204);
    assert.equal(asked.all[0], expected('behind.example.org'));
    assert.equal(receiver.calls.length, before + 1);
    assert.equal(receiver.calls.at(-1).headers.host, `behind.example.org:${PORT}`);
    assert.equal(names.count('behind.example.org'), 0);
    // Literal addresses are judged all the same.
    const refused = await own.call('POST', `/v1/channels/t${made}/webhooks`, { body: { url: `http://127.0.0.1:${PORT}/` } });
    assert.equal(refused.status, 400);
    if (scheme === 'http') {
      const no = await attempt(`http://refused.example.org:${PORT}/x`, own);
      assert.equal(no.verdict, 'temporary');
      assert.equal(no.status, null);
      assert.equal(no.reason, 'egress proxy failed');
    }
  }
  assert.equal(canary.hits, 0);
});

test('a proxy that cannot be is refused at the start', async () => {
  for (const url of ['ftp://x:1', 'http://x', 'http://u:p@x:1', 'socks5://x:1/path', 'socks4://x:1', 'x:1']) {
    const { code, stderr } = await run(['serve', '--data', server.dir + '/none', '--egress-proxy', url]);
    assert.equal(code, 1, url);
    assert.match(stderr, /--egress-proxy/, url);
  }
});

// ---- the environment ----

test('nothing in the environment changes where calls go', async (t) => {
  const hits = [];
  const trap = net.createServer((socket) => {
    hits.push(socket.remotePort);
    socket.destroy();
  });
  trap.listen(0, '127.0.0.1');
  await once(trap, 'listening');
  t.after(() => trap.close());
  const url = `http://127.0.0.1:${trap.address().port}`;
  const home = server.dir;
  writeFileSync(path.join(home, '.netrc'), `machine ambient.example.com login netrcuser password netrcpassword\ndefault login d password d\n`);
  writeFileSync(path.join(home, '.curlrc'), `proxy = ${url}\n`);
  writeFileSync(path.join(home, 'aliases'), `ambient.example.com other.example.com\n`);
  const proxies = Object.fromEntries(
    ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].map((name) => [name, url]));
  const keys = path.join(home, 'keys.log');
  const own = await Server.start({
    dev: false, args: NETWORK,
    env: {
      ...proxies, no_proxy: '', NO_PROXY: '', HOME: home, CURL_HOME: home, NETRC: path.join(home, '.netrc'),
      SSLKEYLOGFILE: keys, CURL_CA_BUNDLE: '/nonexistent', SSL_CERT_FILE: '/nonexistent',
      HOSTALIASES: path.join(home, 'aliases'), LOCALDOMAIN: 'evil.example.com', RES_OPTIONS: 'ndots:9',
    },
  });
  t.after(() => own.stop());
  zone.set('ambient.example.com', ['127.0.0.9']);
  zone.set('other.example.com', ['127.0.0.1']);
  zone.set('ambient.example.com.evil.example.com', ['127.0.0.1']);
  const { channel } = await webhook(`http://ambient.example.com:${PORT}/ambient`, ONCE, own);
  const { verdict, reason } = await attemptOf(channel, own);
  assert.equal(verdict, 'ok', reason);
  const call = receiver.calls.at(-1);
  assert.equal(call.path, '/ambient');
  assert.equal(call.headers.authorization, undefined);
  assert.equal(hits.length, 0);
  assert.equal(canary.hits, 0);
  assert.equal(existsSync(keys), false);
});

// ---- pushwire check ----

test('pushwire check says what the server would do, and why', async () => {
  zone.set('checked.example.com', ['127.0.0.9', '127.0.0.1']);
  const options = [...NETWORK, '--deny', '198.41.0.0/24'];
  const check = (url, ...more) => run(['check', url, ...options, ...more]);
  const mixed = await check(`http://checked.example.com:${PORT}/`);
  assert.equal(mixed.code, 0, mixed.stderr);
  assert.match(mixed.stdout, /address {2}127\.0\.0\.9: allowed, on the allow list \(127\.0\.0\.9\/32:\d+\)/);
  assert.match(mixed.stdout, /address {2}127\.0\.0\.1: denied, loopback \(127\.0\.0\.0\/8\)/);
  assert.match(mixed.stdout, /verdict {2}allowed/);

  const json = JSON.parse((await check(`http://checked.example.com:${PORT}/`, '--json')).stdout);
  assert.equal(json.allowed, true);
  assert.deepEqual(json.addresses.map(({ address, allowed }) => [address, allowed]),
    [['127.0.0.9', true], ['127.0.0.1', false]]);

  for (const [url, pattern] of [
    ['https://10.0.0.1/', /10\.0\.0\.1: denied, private \(10\.0\.0\.0\/8\)/],
    ['https://198.41.0.4/', /denied, on the deny list \(198\.41\.0\.0\/24\)/],
    ['https://169.254.169.254/', /denied, cloud metadata/],
    ['https://8.8.8.8:22/', /port 22 is not one for calls/],
    ['ftp://a.example/', /a URL begins with/],
    ['https://nxdomain.example.com/', /verdict {2}denied: DNS failed/],
    [`http://loop.example.com:${PORT}/`, /verdict {2}denied: no address that calls may go to/],
  ]) {
    const { code, stdout } = await check(url);
    assert.equal(code, 1, url);
    assert.match(stdout, pattern);
  }
  // From a file of the server's configuration, too, with a list line by line.
  const config = path.join(server.dir, 'check.conf');
  writeFileSync(config, 'window = 5\nallow = 10.0.0.0/8\nallow = [fd00::]/8:8443\nports = 443,9443\n');
  for (const [url, code] of [['https://10.1.2.3:9443/', 0], ['https://[fd00::1]:8443/', 0], ['https://[fd00::1]/', 1],
    ['https://192.168.0.1/', 1]]) {
    assert.equal((await run(['check', url, '--config', config])).code, code, url);
  }
  assert.equal((await run(['check', 'https://8.8.8.8/'])).code, 0);
  assert.equal((await run(['check', 'https://8.8.8.8/', '--allow', 'nonsense'])).code, 2);
});

test.after(async () => {
  assert.equal(canary.hits, 0);
  await server.stop();
  names.close();
  canary.close();
  await receiver.close();
});
