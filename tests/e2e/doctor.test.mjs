// `pushwire doctor`: each thing that it looks at, well and not.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, cpSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { Receiver, Server, click, closedPort, eventually, run, runAtTerminal, temporaryFolder } from './harness.mjs';

const server = await Server.start();
const receiver = await Receiver.open((res) => res.writeHead(503).end());
test.after(async () => {
  await receiver.close();
  if (!server.end) await server.stop();
});

// What it says of each thing: `{ code, server: { state, text, next }, … }`; of two the first.
async function doctor(args, env = {}) {
  const { code, stdout, stderr } = await run(['doctor', '--json', ...args], { env, cwd: temporaryFolder() });
  assert.equal(stderr, '');
  const { ok, checks } = JSON.parse(stdout);
  assert.equal(code, ok ? 0 : 1);
  assert.equal(ok, checks.every((each) => each.state !== 'problem'));
  const said = { code };
  for (const { check, ...rest } of checks) said[check] ??= rest;
  return said;
}

const is = (said, check, state, text, next = /^$/) => {
  assert.equal(said[check]?.state, state, `${check}: ${JSON.stringify(said[check])}`);
  assert.match(said[check].text, text, check);
  assert.match(said[check].next ?? '', next, check);
};

const here = ['--url', server.url, '--data', server.data];

test('a healthy installation is so in every line, and ends with 0', async () => {
  await server.channel('one');
  const said = await doctor(here);
  for (const [check, { state }] of Object.entries(said).filter(([name]) => name !== 'code')) {
    assert.equal(state, 'ok', check);
  }
  for (const check of ['server', 'version', 'key', 'clock', 'ready', 'metrics', 'threads', 'disk', 'retention',
    'open files', 'backlog', 'webhooks', 'data', 'admin.key', 'master.key', 'in use', 'database']) {
    assert.ok(said[check], check);
  }
  is(said, 'key', 'ok', /^admin$/);
  const { text } = await runAtTerminal(100, ['doctor', ...here]);
  assert.match(text, /^\u001b\[32mok {5}\u001b\[0m {2}server {7}http/m);
  const lines = (await run(['doctor', ...here])).stdout.trimEnd().split('\n');
  for (const line of lines) assert.match(line, /^ok {7}\S/);
});

// A server that says what the test wants: path -> [status, text or object].
async function saying(t, answers) {
  const other = http.createServer((req, res) => {
    const [status, body] = answers[req.url.split('?')[0]]?.(req.url) ?? [404, {}];
    res.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => {
    other.closeAllConnections();
    other.close();
  });
  return ['--url', `http://127.0.0.1:${other.address().port}`, '--key', 'x'];
}
const me = (more) => () => [200, { role: 'admin', channel: null, key: 'key_1', version: '0.1.0',
  expiresAt: null, serverTime: new Date().toISOString(), ...more }];

test('webhooks that fail are counted over all pages, and the worst is named with the next step', async (t) => {
  const hook = (id, more) => ({ _id: id, enabled: true, failingSince: null, disabledReason: null, ...more });
  const pages = {
    one: [hook('a'), hook('b', { failingSince: '2026-01-02T03:04:05.000Z' })],
    two: [hook('c', { failingSince: '2026-01-01T03:04:05.000Z' }), hook('d', { disabledReason: 'by request' })],
  };
  const list = (data, nextCursor = null) => [200, { data, nextCursor }];
  const said = await doctor(await saying(t, {
    '/v1/me': me(),
    '/v1/channels': (url) => (url.includes('cursor=more') ? list([{ _id: 'two' }]) : list([{ _id: 'one' }], 'more')),
    '/v1/channels/one/webhooks': () => list(pages.one),
    '/v1/channels/two/webhooks': () => list(pages.two),
  }));
  assert.equal(said.code, 0);
  is(said, 'webhooks', 'warning', /^2 of 4 fail, c of the channel two since 2026-01-01T03:04$/,
    /--webhook c --channel two --state waiting$/);
});

test('a webhook that was disabled because its receiver is gone is told, one that a person disabled is not', async () => {
  const gone = await Receiver.open((res) => res.writeHead(410).end());
  const stopped = await server.webhook('one', gone.url);
  await server.webhook('one', receiver.url, { enabled: false });
  await server.send('one', click('one', 's'));
  await eventually('it is disabled', async () =>
    !(await server.must('GET', `/v1/channels/one/webhooks/${stopped._id}`)).enabled);
  await gone.close();
  is(await doctor(here), 'webhooks', 'warning', /^1 of 2 were disabled/,
    new RegExp(`enable ${stopped._id} --channel one$`));
});

test('a key that is unknown, missing, for one channel or about to end is told', async () => {
  const unknown = await doctor(['--url', server.url], { PUSHWIRE_KEY: 'pw_admin_nobody' });
  assert.equal(unknown.code, 1);
  is(unknown, 'server', 'ok', /answers/);
  is(unknown, 'key', 'problem', /does not know it/, /--data.*--new-key/);
  const none = await doctor(['--url', server.url]);
  is(none, 'server', 'ok', /answers/);
  is(none, 'key', 'problem', /no key: give one/);

  const make = (body) => server.must('POST', '/v1/keys', { body });
  const { key } = await make({ role: 'manage', channel: 'one', expiresAt: new Date(Date.now() + 864e5).toISOString() });
  is(await doctor(['--url', server.url], { PUSHWIRE_KEY: key }), 'key', 'warning',
    /^manage, of the channel one, ends on \d{4}-\d\d-\d\d$/, /key create/);
  const ingest = await make({ role: 'ingest', channel: 'one' });
  const said = await doctor(['--url', server.url], { PUSHWIRE_KEY: ingest.key });
  assert.equal(said.code, 0);
  is(said, 'webhooks', 'unknown', /may not look/);
});

test('a server that is not there, or is another, is told with what to do', async () => {
  const url = `http://127.0.0.1:${await closedPort()}`;
  const nowhere = await doctor(['--url', url, '--key', 'x']);
  assert.equal(nowhere.code, 1);
  is(nowhere, 'server', 'problem', /cannot connect to .*is `pushwire serve` running there.*--url/);
  assert.ok(!nowhere.data, 'no folder was named');
  is(await doctor(['--url', url, '--data', server.data]), 'in use', 'problem', /none answers at/, /--url/);
  is(await doctor(['--url', receiver.url, '--key', 'x']), 'server', 'problem', /answers with status 503/, /--url/);
});

test('what a server says of itself is told with what to do', async (t) => {
  const metrics = {
    'pushwire_stalled': 1, 'pushwire_disk_room{room="low"}': 1, 'pushwire_disk_room{room="full"}': 0,
    'pushwire_disk_left_bytes': 1e6, 'pushwire_disk_bytes': 9e9, 'process_max_fds': 1024,
    'pushwire_calls{state="waiting"}': 7, 'pushwire_calls{state="held"}': 2, 'pushwire_oldest_due_seconds': 600,
    'pushwire_calls{state="succeeded"}': 5,
  };
  let metricsOpen = true;
  const at = await saying(t, {
    '/v1/me': () => me({ role: 'ingest', version: '9.9.9', serverTime: new Date(Date.now() - 90_000).toISOString() })(),
    '/readyz': () => [503, 'disk nearly full: new events are refused\n'],
    '/metrics': () => (metricsOpen
      ? [200, Object.entries(metrics).map(([name, value]) => `${name} ${value}\n`).join('')]
      : [403, {}]),
  });

  const said = await doctor(at);
  assert.equal(said.code, 1);
  is(said, 'version', 'warning', /^the server is 9\.9\.9, this program/, /use the same/);
  is(said, 'clock', 'warning', /^the server's is \d+ s behind ours$/, /NTP/);
  is(said, 'ready', 'problem', /^disk nearly full: new events are refused$/, /log/);
  is(said, 'threads', 'problem', /no progress/, /stalled.*anew/);
  is(said, 'disk', 'problem', /^nearly full: new events are refused$/, /make room/);
  is(said, 'retention', 'warning', /^5 calls .* 8583 MiB, more than four times/, /--keep-bytes/);
  is(said, 'open files', 'warning', /1024/, /LimitNOFILE/);
  is(said, 'backlog', 'warning', /^7 calls wait, 2 are held; the oldest is due for 10 min$/, /webhooks that fail/);

  metrics['pushwire_disk_room{room="low"}'] = 0;
  is(await doctor(at), 'disk', 'warning', /^1 MiB are left/, /make room soon/);
  metrics['pushwire_disk_room{room="full"}'] = 1;
  is(await doctor(at), 'disk', 'problem', /^full: .*no call is sent$/, /make room/);
  metricsOpen = false;
  const closed = await doctor(at);
  is(closed, 'metrics', 'unknown', /status 403/, /own machine/);
  assert.ok(!closed.disk && !closed.backlog);
});

test('a certificate that ends within two weeks is told', async (t) => {
  const folder = temporaryFolder();
  const file = (name) => path.join(folder, name);
  const states = [];
  for (const days of [7, 90]) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-days', String(days), '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
      '-keyout', file('key.pem'), '-out', file('cert.pem')], { stdio: 'pipe' });
    const secure = await Server.start({ args: ['--tls-certificate', file('cert.pem'), '--tls-key', file('key.pem')] });
    t.after(() => secure.stop());
    const said = await doctor(['--url', secure.url, '--data', secure.data, '--ca-file', file('cert.pem')]);
    assert.match(said.certificate.text, /^ends on \d{4}-\d\d-\d\d$/);
    states.push([said.certificate.state, Boolean(said.certificate.next)]);
  }
  assert.deepEqual(states, [['warning', true], ['ok', false]]);
});

test('the folder is looked at without a server, too', async () => {
  await server.stop();
  const url = `http://127.0.0.1:${await closedPort()}`;
  const data = path.join(temporaryFolder(), 'data');
  const reset = () => {
    rmSync(data, { recursive: true, force: true });
    cpSync(server.data, data, { recursive: true });
    chmodSync(data, 0o700);
  };
  const look = () => doctor(['--url', url, '--data', data]);
  const patch = (at, bytes) => {
    const fd = openSync(path.join(data, 'pushwire.db'), 'r+');
    writeSync(fd, bytes, 0, bytes.length, at);
    closeSync(fd);
  };

  reset();
  const well = await look();
  assert.equal(well.code, 1, 'there is no server');
  is(well, 'in use', 'ok', /^no server uses it$/, /pushwire serve/);
  is(well, 'database', 'ok', /^schema \d+, as this program's$/);
  is(well, 'room', 'ok', /GiB are free/);

  chmodSync(data, 0o755);
  chmodSync(path.join(data, 'admin.key'), 0o644);
  renameSync(path.join(data, 'master.key'), path.join(data, 'away'));
  const open = await look();
  is(open, 'data', 'warning', /others may look into .*0755/, /^chmod 700 /);
  is(open, 'admin.key', 'problem', /others can read it \(mode 0644\)/, /^chmod 600 .*admin\.key$/);
  is(open, 'master.key', 'unknown', /^not in /, /--master-key/);

  reset();
  writeFileSync(path.join(data, 'pushwire.damaged'), '7\n');
  is(await look(), 'database', 'problem', /not what was written/, /restore a backup/);
  reset();
  patch(60, Buffer.from([0, 0, 3, 0]));
  is(await look(), 'database', 'problem', /^schema 768 is newer/, /newer program/);
  patch(60, Buffer.from([0, 0, 0, 1]));
  is(await look(), 'database', 'ok', /^schema 1; this program's is \d+$/, /backup before/);
  patch(68, Buffer.from('else'));
  is(await look(), 'database', 'problem', /another program/, /right folder/);
  patch(0, Buffer.from('no database'));
  is(await look(), 'database', 'problem', /is no database/, /right folder.*backup/);
  rmSync(path.join(data, 'pushwire.db'));
  is(await look(), 'database', 'warning', /there is none/, /pushwire serve/);
  is(await doctor(['--url', url, '--data', '/does/not/exist']), 'data', 'problem', /No such file/, /folder/);
});
