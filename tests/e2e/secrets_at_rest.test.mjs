// Where a secret may be found: in the memory of the server, and in the hands of whoever asks for
// it. In no file, no log line, no metric, no command line and no backup; and what becomes of the
// master key.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Receiver, Server, click, run, temporaryFolder } from './harness.mjs';

const bytes = (seed, n) => Buffer.from(Array.from({ length: n }, (_, i) => (seed + 37 * i) % 256));
const shared = (seed) => `whsec_${bytes(seed, 32).toString('base64')}`;
const seed = (first) => `whsk_${bytes(first, 32).toString('base64')}`;

// Every form in which a secret may stand somewhere.
function forms(secret) {
  if (!/^wh(sec|sk)_/.test(secret)) return [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')];
  const base64 = secret.replace(/^[^_]*_/, '');
  const raw = Buffer.from(base64, 'base64').subarray(0, 32);
  return [secret, base64.slice(0, 40), raw.toString('base64url').slice(0, 40), raw.toString('hex'), raw.toString('hex').toUpperCase(), raw];
}

function assertNowhere(secrets, where, content) {
  const buffer = Buffer.isBuffer(content) ? content : Buffer.from(content);
  for (const secret of secrets) {
    for (const form of forms(secret)) assert.ok(!buffer.includes(form), `${secret} is in ${where} as ${form}`);
  }
}

function assertNotInFolder(secrets, folder) {
  const names = readdirSync(folder);
  assert.ok(names.includes('pushwire.db'));
  for (const name of names) assertNowhere(secrets, name, readFileSync(path.join(folder, name)));
}

function assertNotInProcess(secrets, pid) {
  for (const name of ['cmdline', 'environ']) {
    assertNowhere(secrets, `/proc/PID/${name}`, readFileSync(`/proc/${pid}/${name}`));
  }
}

const envOf = (server) => ({ PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key });

test('no file, log line, metric, command line or backup has a secret', async (t) => {
  const secrets = [shared(1), seed(2), shared(3), shared(4), shared(5), 'Bearer token-of-the-receiver-4711', 'the-authorizers-own-secret-0815'];
  const [first, key, second, third, refused, header, authorization] = secrets;
  let server = await Server.start({ args: ['--log-level', 'debug'] });
  t.after(() => server.stop());
  const receiver = await Receiver.open((res, call, n) => res.writeHead(n % 2 ? 500 : 200).end());
  t.after(() => receiver.close());
  const all = '/v1/channels/c/webhooks';
  await server.channel('c');
  await server.must('PATCH', '/v1/channels/c/config', {
    body: { authorizer: { url: receiver.url, authorization, routes: ['/subscription/tag'] } },
  });
  const retry = { maxRetries: 2, initialDelay: 1, factor: 1, maxDelay: 1 };
  const one = await server.webhook('c', receiver.url, { secret: first, retry, headers: { Authorization: header } });
  const two = await server.webhook('c', receiver.url, { secret: key, retry });
  const [id] = await server.send('c', click('c', 's'));
  await server.callsOf('c', id, 'done', (call) => call.state === 'succeeded' || call.state === 'failed');
  await server.must('POST', `${all}/${one._id}/secret/rotate`, { body: { secret: second } });
  await server.must('PATCH', `${all}/${two._id}`, { body: { secret: third } });

  // What is refused is not repeated either, in whichever place it stood.
  const texts = [];
  for (const body of [
    { secret: `${refused}!` }, { secret: { [refused]: 1 } }, { secret: refused, keyType: 'ed25519' }, { secret: refused, overlap: -1 },
  ]) {
    const answer = await server.call('POST', `${all}/${one._id}/secret/rotate`, { body });
    assert.equal(answer.status, 400);
    texts.push(answer.text);
  }
  for (const target of [all, `${all}/${two._id}`, '/v1/keys', '/metrics', `/v1/channels/c/events/${id}`]) {
    texts.push((await server.call('GET', target)).text);
  }
  const but = secrets.filter((each) => each !== header); // a webhook shows its headers
  assertNowhere(but, 'an answer', texts.join('\n'));
  assertNotInFolder(secrets, server.data);
  assert.throws(() => assertNotInFolder([receiver.url], server.data)); // what is there is found
  assertNotInProcess(secrets, server.child.pid);
  assertNowhere(secrets, 'the log', server.output);

  // A client that reads it from a file has it nowhere else.
  const file = path.join(temporaryFolder(), 'secret');
  writeFileSync(file, `${third}\n`);
  const rotated = await run(
    ['webhook', 'rotate-secret', one._id, '--channel', 'c', '--secret-file', file, '--overlap', '1h', '--json'], { env: envOf(server) },
  );
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.equal(JSON.parse(rotated.stdout).secret, third);
  assert.equal(JSON.parse(rotated.stdout).old.length, 2);
  const copy = path.join(temporaryFolder(), 'copy.db');
  assert.equal((await run(['backup', copy], { env: envOf(server) })).code, 0);
  assertNowhere(secrets, 'a backup', readFileSync(copy));

  await server.stop('SIGKILL');
  assertNotInFolder(secrets, server.data);
  server = await server.again();
  assert.equal((await server.must('GET', `${all}/${one._id}/secret`)).secret, third);
  await server.stop();
  assertNotInFolder(secrets, server.data);
  assertNowhere(secrets, 'the log', server.output);
});

test('the master key is made once, for its owner alone, and a store without it does not start', async () => {
  const server = await Server.start();
  const file = path.join(server.data, 'master.key');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(readFileSync(file, 'utf8'), /^[A-Za-z0-9+/]{43}=\n$/);
  await server.channel('c');
  const { secret, _id } = await server.webhook('c', 'http://127.0.0.1:9/');
  await server.stop();

  const aside = path.join(server.dir, 'aside');
  copyFileSync(file, aside);
  rmSync(file);
  const serve = (...more) => run(['serve', '--listen', '127.0.0.1:0', '--data', server.data, ...more]);
  const without = await serve();
  assert.equal(without.code, 1);
  assert.match(without.stderr, /master\.key: .*encrypted with the master key [0-9a-f]{16}, .*put the file back/);
  writeFileSync(file, `${bytes(9, 32).toString('base64')}\n`, { mode: 0o600 });
  const wrong = await serve();
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /is not in the key file/);
  rmSync(file);

  // From elsewhere: as an option, as a variable, as a credential of systemd's.
  const credentials = temporaryFolder();
  copyFileSync(aside, path.join(credentials, 'master.key'));
  for (const options of [
    { args: ['--master-key', aside] }, { env: { PUSHWIRE_MASTER_KEY: aside } }, { env: { CREDENTIALS_DIRECTORY: credentials } },
  ]) {
    const again = await server.again(options);
    assert.deepEqual(await again.must('GET', `/v1/channels/c/webhooks/${_id}/secret`), { secret });
    await again.stop();
  }
  assert.ok(!readdirSync(server.data).includes('master.key'));
});

test('after rotate-master every secret is there, and the old key is not', async () => {
  const server = await Server.start();
  await server.channel('c');
  const hooks = [];
  for (let i = 0; i < 150; i++) hooks.push(await server.webhook('c', 'http://127.0.0.1:9/'));
  const file = path.join(server.data, 'master.key');
  const old = readFileSync(file, 'utf8');
  const rotate = () => run(['key', 'rotate-master', '--data', server.data]);
  const busy = await rotate();
  assert.equal(busy.code, 1);
  assert.match(busy.stderr, /a server is using .*: stop it first/);
  await server.stop();
  const done = await rotate();
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /the master key is [0-9a-f]{16} now/);
  const now = readFileSync(file, 'utf8');
  assert.equal(now.length, old.length);
  assert.notEqual(now, old);

  const again = await server.again();
  for (const { _id, secret } of hooks) {
    assert.deepEqual(await again.must('GET', `/v1/channels/c/webhooks/${_id}/secret`), { secret });
  }
  await again.stop();
  const nowhere = await run(['key', 'rotate-master', '--data', path.join(server.dir, 'nothing')]);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /there is no store in/);
});
