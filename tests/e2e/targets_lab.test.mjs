// The rule as a server in earnest has it, without any --allow: in a network namespace of its own
// this machine has all the addresses that must not be called, each with canaries, and some public
// ones that must. Needs root; says so where it cannot run.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { NameServer } from './dns.mjs';
import { ROOT, Server, click, eventually, temporaryFolder } from './harness.mjs';

const FORBIDDEN = [
  '127.0.0.1', '127.0.0.53', '127.255.255.254', '10.0.0.5', '172.16.0.1', '172.31.255.254', '192.168.1.1', '100.64.0.1',
  '100.127.255.254', '100.100.100.200', '169.254.169.254', '169.254.170.2', '168.63.129.16', '192.0.0.192', '192.0.2.1',
  '198.51.100.1', '203.0.113.1', '198.18.0.1', '192.88.99.1', '::1', '64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe',
  '64:ff9b::808:808', '64:ff9b:1::7f00:1', '2002:7f00:1::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2', 'fec0::1', 'fc00::1',
  'fd00:ec2::254', '2001:db8::1', '3fff::1', '5f00::1', '100::1',
];
const PUBLIC = ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111'];
const GOOD = '93.184.216.34';
const ONCE = { retry: { maxRetries: 0 } };

if (process.env.PUSHWIRE_LAB === undefined) {
  test('in a network of its own nothing that is forbidden is called', (t) => {
    if (spawnSync('unshare', ['--net', '--mount', 'ip', 'link', 'set', 'lo', 'up']).status !== 0) {
      t.skip('needs root, unshare and ip: no network namespace can be made here');
      return;
    }
    const env = { ...process.env, PUSHWIRE_LAB: '1' };
    delete env.NODE_TEST_CONTEXT;
    const lab = spawnSync('unshare', ['--net', '--mount', process.execPath, '--test-reporter=tap', fileURLToPath(import.meta.url)],
      { env, encoding: 'utf8', timeout: 240_000 });
    assert.equal(lab.status, 0, lab.stdout + lab.stderr);
  });
} else {
  await lab();
}

async function lab() {
  const ip = (...args) => execFileSync('ip', args, { stdio: 'pipe' });
  ip('link', 'set', 'lo', 'up');
  for (const address of [...FORBIDDEN, ...PUBLIC, GOOD]) {
    if (address.startsWith('127.') || address === '::1') continue;
    ip('addr', 'add', address.includes(':') ? `${address}/128` : `${address}/32`, 'dev', 'lo',
      ...(address.includes(':') ? ['nodad'] : []));
  }
  const folder = temporaryFolder();
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
    '/CN=good', '-addext', 'subjectAltName=DNS:good.example.com,DNS:rebind.example.com,DNS:mixed.example.com',
    '-keyout', 'key.pem', '-out', 'cert.pem');

  const hits = [];
  const reached = [];
  for (const [addresses, seen] of [[FORBIDDEN, hits], [PUBLIC, reached]]) {
    for (const address of addresses) {
      for (const port of [80, 443, 8443]) {
        const canary = net.createServer((socket) => {
          seen.push(address);
          socket.destroy();
        });
        canary.listen(port, address);
        await once(canary, 'listening');
        canary.unref();
      }
    }
  }
  let delivered = 0;
  const good = https.createServer(
    { key: readFileSync(path.join(folder, 'key.pem')), cert: readFileSync(path.join(folder, 'cert.pem')) },
    (req, res) => {
      delivered += 1;
      req.resume();
      res.writeHead(204).end();
    });
  good.listen(443, GOOD);
  await once(good, 'listening');

  const zone = new Map([
    ['good.example.com', () => [GOOD]],
    ['mixed.example.com', () => ['127.0.0.1', GOOD, '::1']],
    ['rebind.example.com', (n) => [n % 2 ? GOOD : '127.0.0.1']],
    ...FORBIDDEN.map((address, i) => [`n${i}.example.com`, () => [address]]),
    ['six.example.com', () => ['::ffff:127.0.0.1']],
    ['nat64.example.com', () => ['64:ff9b::7f00:1']],
    ['loop.example.com', () => ['127.0.0.1']],
    ['meta.example.com', () => ['169.254.169.254']],
    ['metadata.google.internal', () => ['169.254.169.254']],
  ]);
  const names = await NameServer.open((name, n) => zone.get(name)?.(n));
  const args = ['--dns', names.address, '--ca-file', path.join(folder, 'cert.pem'), '--deadline', '5s'];
  const server = await Server.start({ dev: false, args });
  let made = 0;

  async function attempt(url, at = server) {
    const channel = await at.channel(`l${++made}`);
    await at.webhook(channel, url, ONCE);
    const [id] = await at.send(channel, click(channel, 's'));
    const [call] = await at.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
    return (await at.must('GET', `/v1/channels/${channel}/calls/${call._id}`)).attemptLog[0];
  }

  test('every hostile URL that is taken is sent to, and no canary hears of it', async () => {
    const channel = await server.channel('rows');
    const rows = readFileSync(path.join(ROOT, 'tests/fixtures/urls.tsv'), 'utf8').split('\n')
      .filter((line) => line.includes('\t') && !line.startsWith('#')).map((line) => line.split('\t'))
      .filter(([, url]) => url);
    let taken = 0;
    for (const [verdict, url] of rows) {
      const answer = await server.call('POST', `/v1/channels/${channel}/webhooks`, { body: { url, ...ONCE } });
      assert.equal(answer.status, verdict === 'refused' ? 400 : 201, url);
      taken += answer.status === 201;
    }
    const [id] = await server.send(channel, click(channel, 's'));
    const calls = await server.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
    assert.equal(calls.length, taken);
    assert.deepEqual(hits, []);
    // The public literals were called, each where it is.
    for (const address of PUBLIC) assert.ok(reached.includes(address), address);
  });

  test('a name of each forbidden address is refused', async () => {
    for (let i = 0; i < FORBIDDEN.length; i++) {
      for (const port of ['', ':8443']) {
        const { reason } = await attempt(`https://n${i}.example.com${port}/`);
        assert.equal(reason, 'target not allowed', FORBIDDEN[i]);
      }
    }
    assert.deepEqual(hits, []);
  });

  test('a good name is called, also of a mixed answer, and while DNS changes its mind', async () => {
    assert.equal((await attempt('https://good.example.com/')).verdict, 'ok');
    assert.equal((await attempt('https://mixed.example.com/')).verdict, 'ok');
    const channel = await server.channel('rebind');
    await server.webhook(channel, 'https://rebind.example.com/', ONCE);
    const before = delivered;
    const states = { succeeded: 0, failed: 0 };
    for (let i = 0; i < 200; i++) {
      const [id] = await server.send(channel, click(channel, `${i}`));
      const [call] = await server.callsOf(channel, id, 'tried', (each) => each.attempts === 1);
      states[call.state] += 1;
    }
    assert.equal(states.succeeded + states.failed, 200);
    assert.ok(states.succeeded > 0 && states.failed > 0, JSON.stringify(states));
    assert.equal(delivered - before, states.succeeded);
    assert.deepEqual(hits, []);
  });

  test('control: what is allowed does reach a canary', async () => {
    const open = await Server.start({ dev: false, args: [...args, '--allow', '127.0.0.0/8'] });
    await attempt('https://loop.example.com/', open);
    assert.ok(hits.includes('127.0.0.1'));
    // But not cloud metadata, which --allow alone does not open.
    const meta = await Server.start({ dev: false, args: [...args, '--allow', '169.254.0.0/16'] });
    assert.equal((await attempt('https://meta.example.com/', meta)).reason, 'target not allowed');
    assert.ok(!hits.includes('169.254.169.254'));
    await open.stop();
    await meta.stop();
  });

  test('other name servers of the system are followed', async (t) => {
    if (!existsSync('/etc/resolv.conf')) return t.skip('this machine has no /etc/resolv.conf');
    const conf = path.join(folder, 'resolv.conf');
    const [first, second] = await Promise.all([
      NameServer.open(() => ['127.0.0.1'], { host: '127.0.0.2', port: 53 }),
      NameServer.open(() => [GOOD], { host: '127.0.0.3', port: 53 }),
    ]);
    writeFileSync(conf, 'nameserver 127.0.0.2\nsearch example.org\n');
    execFileSync('mount', ['--bind', conf, '/etc/resolv.conf']);
    const system = await Server.start({ dev: false, args: args.slice(2) });
    assert.equal((await attempt('https://good.example.com/', system)).reason, 'target not allowed');
    writeFileSync(conf, 'nameserver 127.0.0.3\n');
    await eventually('the new server is asked', async () =>
      (await attempt('https://good.example.com/', system)).verdict === 'ok');
    assert.ok(second.count('good.example.com') >= 1);
    assert.equal(first.count('good.example.com.example.org'), 0);
    await system.stop();
    first.close();
    second.close();
    return undefined;
  });

  test.after(async () => {
    await server.stop();
    names.close();
    good.close();
    good.closeAllConnections();
  });
}
