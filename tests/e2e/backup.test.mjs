// A backup of a server at work, and a server made of it again.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import {
  Receiver, Server, agent, click, eventually, run, temporaryFolder,
} from './harness.mjs';
import { sealFirstPage } from './pages.mjs';

const envOf = (server) => ({ PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key });
const body = (channel, from, n) =>
  JSON.stringify(Array.from({ length: n }, (_, i) => click(channel, `s${from + i}`)));

// The data folder of a restored backup, with the master key of the one that it is of.
async function restored(of, file, args = [], options = {}) {
  const dir = temporaryFolder();
  const done = await run(['restore', file, '--data', path.join(dir, 'data'), ...args]);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /needs the master\.key of the server that was backed up/);
  copyFileSync(path.join(of.data, 'master.key'), path.join(dir, 'data', 'master.key'));
  const server = new Server({ dir, ...options });
  await server.listening();
  return { server, said: done.stdout };
}

test('a backup is taken while events come in, and holds all that was answered before it', async () => {
  const receiver = await Receiver.open();
  const server = await Server.start();
  await server.channel('c');
  await server.webhook('c', receiver.url);
  const answered = [];
  let going = true;
  const load = (async () => {
    for (let n = 0; going; n += 20) answered.push(...(await server.send('c', body('c', n, 20))));
  })();
  await eventually('there is something', () => answered.length > 200);
  const before = answered.slice();
  const file = path.join(temporaryFolder(), 'copy.db');
  const done = await run(['backup', file, '--json'], { env: envOf(server) });
  assert.equal(done.code, 0, done.stderr);
  const { events, bytes } = JSON.parse(done.stdout);
  going = false;
  await load;
  assert.ok(events >= before.length && events <= answered.length);
  assert.equal(statSync(file).size, bytes);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(path.dirname(file)), ['copy.db']);
  assert.ok(!readdirSync(server.data).some((name) => name.startsWith('pushwire.copy')));

  await server.stop('SIGKILL');
  const { server: again } = await restored(server, file);
  again.key = server.key; // it goes on working
  const there = new Set((await again.list('/v1/channels/c/events')).map((event) => event._id));
  for (const id of before) assert.ok(there.has(id), id);
  // Ids go on, and are none that was ever given.
  const [id] = await again.send('c', body('c', 1e6, 1));
  assert.ok(answered.every((old) => old < id));
  assert.equal((await again.stop()).code, 0);
  await receiver.close();
});

test('a restored backup sends nothing by itself, and everything when its webhook is enabled', async () => {
  let open = false;
  const receiver = await Receiver.open((res) => res.writeHead(open ? 204 : 503).end());
  const server = await Server.start();
  await server.channel('c');
  const hook = await server.webhook('c', receiver.url);
  const ids = await server.send('c', body('c', 0, 10));
  await receiver.count(10);
  for (const id of ids) await server.callsOf('c', id, 'tried', (call) => call.attempts === 1);
  const file = path.join(temporaryFolder(), 'copy.db');
  assert.equal((await run(['backup', file], { env: envOf(server) })).code, 0);
  const newer = await server.webhook('c', 'http://127.0.0.1:9/'); // lost
  await server.stop();

  const { server: again, said } = await restored(server, file);
  again.key = server.key;
  assert.match(said, /10 calls wait, and are held/);
  assert.match(said, /1 webhooks are disabled \("restored from a backup"\)/);
  const restoredHook = await again.must('GET', `/v1/channels/c/webhooks/${hook._id}`);
  assert.equal(restoredHook.enabled, false);
  assert.equal(restoredHook.disabledReason, 'restored from a backup');
  const held = await again.list('/v1/channels/c/calls?state=held');
  assert.equal(held.length, 10);
  assert.notEqual((await again.webhook('c', 'http://127.0.0.1:9/'))._id, newer._id);
  assert.equal(receiver.calls.length, 10);

  open = true;
  await again.must('PATCH', `/v1/channels/c/webhooks/${hook._id}`, { body: { enabled: true } });
  for (const call of held) {
    await again.must('POST', `/v1/channels/c/calls/${call._id}/retry`);
  }
  await receiver.count(20);
  assert.deepEqual(new Set(receiver.calls.slice(10).map((call) => call.id)), new Set(ids));
  await again.stop();

  const { server: third, said: then } = await restored(server, file, ['--cancel-waiting']);
  third.key = server.key;
  assert.match(then, /10 calls that waited are cancelled/);
  assert.equal((await third.must('GET', `/v1/channels/c/webhooks/${hook._id}`)).enabled, true);
  assert.equal((await third.list('/v1/channels/c/calls?state=cancelled')).length, 10);
  await third.stop();
  await receiver.close();
});

test('a backup is an admin\'s, one at a time, with its digest', async () => {
  const server = await Server.start();
  await server.channel('c');
  await server.webhook('c', 'http://127.0.0.1:9/', { enabled: false });
  const big = JSON.stringify({ ...click('c', 's'), filler: 'x'.repeat(60_000) });
  for (let n = 0; n < 30; n++) await server.send('c', `[${Array(10).fill(big)}]`);
  const { key } = await server.must('POST', '/v1/keys', { body: { role: 'read' } });
  assert.equal((await server.call('POST', '/v1/backup', { key })).status, 403);
  assert.equal((await server.call('GET', '/v1/backup')).status, 405);

  // A client that does not read: the backup is being taken until it leaves.
  const headers = { authorization: `Bearer ${server.key}`, 'content-length': 0 };
  const slow = http.request(new URL('/v1/backup', server.url), { method: 'POST', headers });
  const answer = new Promise((resolve, reject) => slow.on('response', resolve).on('error', reject));
  slow.end();
  const first = await answer;
  assert.equal(first.statusCode, 200);
  const refused = await server.call('POST', '/v1/backup');
  assert.equal(refused.status, 409);
  assert.match(refused.json.detail, /one at a time/);
  const failed = await run(['backup', path.join(server.dir, 'x.db')], { env: envOf(server) });
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /one at a time/);
  assert.ok(!existsSync(path.join(server.dir, 'x.db')));
  first.destroy();

  const whole = await eventually('the next one is made', async () => {
    const next = await server.call('POST', '/v1/backup');
    return next.status === 200 && next;
  });
  assert.equal(whole.headers['content-type'], 'application/vnd.sqlite3');
  const sum = createHash('sha256').update(whole.bytes).digest('base64');
  assert.equal(whole.headers['repr-digest'], `sha-256=:${sum}:`);
  assert.equal(whole.bytes.subarray(0, 15).toString(), 'SQLite format 3');
  agent.destroy();
  assert.equal((await server.stop()).code, 0);
});

test('a restored backup needs the master key that it was made with', async () => {
  const server = await Server.start();
  await server.channel('c');
  const hook = await server.webhook('c', 'http://127.0.0.1:9/');
  const file = path.join(temporaryFolder(), 'copy.db');
  assert.equal((await run(['backup', file], { env: envOf(server) })).code, 0);
  assert.ok(!readFileSync(file).includes(hook.secret));
  await server.stop();
  const to = path.join(temporaryFolder(), 'data');
  assert.equal((await run(['restore', file, '--data', to])).code, 0);
  const without = await run(['serve', '--listen', '127.0.0.1:0', '--data', to]);
  assert.equal(without.code, 1);
  assert.match(without.stderr, /master key [0-9a-f]{16}, which has no file any more: put the file back/);
  const { server: again } = await restored(server, file);
  again.key = server.key;
  assert.deepEqual(
    await again.must('GET', `/v1/channels/c/webhooks/${hook._id}/secret`), { secret: hook.secret },
  );
  assert.equal((await again.stop()).code, 0);
});

test('a restore refuses a damaged backup, and a folder with a store', async () => {
  const server = await Server.start();
  await server.channel('c');
  const dir = temporaryFolder();
  const file = path.join(dir, 'copy.db');
  assert.equal((await run(['backup', file], { env: envOf(server) })).code, 0);
  const to = path.join(dir, 'data');
  const refuses = async (pattern, args = [file, '--data', to]) => {
    const done = await run(['restore', ...args]);
    assert.equal(done.code, 1, done.stdout);
    assert.match(done.stderr, pattern);
  };
  await refuses(/another pushwire is using/, [file, '--data', server.data]);
  await server.stop();
  await refuses(/there is a store in/, [file, '--data', server.data]);

  const bytes = readFileSync(file);
  writeFileSync(file, bytes.subarray(0, bytes.length - 4096));
  await refuses(/damaged/);
  const changed = Buffer.from(bytes);
  changed.writeUInt32BE(99, 60); // of the first page, whose checksum is not what it was
  writeFileSync(file, changed);
  await refuses(/copy\.db is (damaged|no copy of a store)/);
  const newer = Buffer.from(bytes);
  newer.writeUInt32BE(99, 60); // user_version
  sealFirstPage(newer);
  writeFileSync(file, newer);
  await refuses(/newer pushwire \(schema 99/);
  await refuses(/No such file/, [path.join(dir, 'none'), '--data', to]);
  assert.ok(!existsSync(path.join(to, 'pushwire.db')));
  writeFileSync(file, bytes);
  assert.equal((await run(['restore', file, '--data', to])).code, 0);
  const both = await run(['restore', file, '--data', to, '--send-waiting', '--cancel-waiting']);
  assert.equal(both.code, 2);
});
