// A disk of 64 MiB: filled by events and by others, without inodes, read-only.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Disk } from './disk.mjs';
import { Program, Receiver, Server, click, eventually } from './harness.mjs';

const BIG = 'x'.repeat(200_000);
const ARGS = ['--disk-reserve', '16MiB'];
const BALLAST = 4 << 20;

function diskFor(t, ...args) {
  const disk = Disk.make(64, ...args);
  if (typeof disk === 'string') {
    t.skip(disk);
    return null;
  }
  t.after(() => disk.close());
  return disk;
}

const big = (subscription) => JSON.stringify(click('c', subscription, { text: BIG }));

// Posts until it is refused; gives the ids and the refusal.
async function postUntilRefused(server) {
  const ids = [];
  for (;;) {
    const answer = await server.call('POST', '/v1/channels/c/events', { body: big(`s${ids.length}`) });
    if (answer.status !== 202) return { ids, answer };
    ids.push(answer.json.data[0]._id);
    assert.ok(ids.length < 1000, 'the disk is never full');
  }
}

const room = (metrics) => /^pushwire_disk_room\{room="(\w+)"\} 1$/m.exec(metrics)?.[1];
const ballast = (server) => statSync(path.join(server.data, 'pushwire.ballast')).size;

test('a disk that fills up refuses in time, records outcomes and recovers by itself', async (t) => {
  const disk = diskFor(t);
  if (!disk) return;
  let release;
  const released = new Promise((resolve) => (release = resolve));
  const receiver = await Receiver.open(async (res) => {
    await released;
    res.writeHead(204).end();
  });
  t.after(() => receiver.close());
  let server = await Server.start({ dir: disk.dir, args: ARGS });
  t.after(() => server.stop());
  await server.channel('c');
  await server.webhook('c', receiver.url);
  assert.equal(ballast(server), BALLAST);

  disk.fill(40 << 20);
  const { ids, answer } = await postUntilRefused(server);
  assert.ok(ids.length > 20, 'there was room before');
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  assert.match(answer.headers['content-type'], /problem\+json/);
  assert.match(answer.json.detail, /disk full/);
  assert.ok(disk.free() > 4 << 20, 'it was refused before the end');
  const ready = await server.call('GET', '/readyz', { key: null });
  assert.equal(ready.status, 503);
  assert.match(ready.text, /disk/);
  assert.equal(room((await server.call('GET', '/metrics', { key: null })).text), 'low');
  assert.equal((await server.call('DELETE', '/v1/channels/none')).status, 404, 'it still answers');
  assert.equal((await server.call('POST', '/v1/channels', { body: { name: 'more' } })).status, 503);

  // Another program takes the rest. What was under way still ends and is recorded.
  disk.fill();
  release();
  for (const call of receiver.calls) {
    await server.callsOf('c', call.id, 'recorded', (each) => each.state === 'succeeded');
  }
  assert.equal((await server.list('/v1/channels/c/events')).length, ids.length, 'reads work');

  // It dies and starts on the full disk.
  const key = server.key;
  await server.stop('SIGKILL');
  server = await server.again({ args: ARGS });
  assert.equal(server.key, key);
  assert.equal((await server.call('POST', '/v1/channels/c/events', { body: big('late') })).status, 503);
  assert.equal((await server.list('/v1/channels/c/events')).length, ids.length);

  disk.unfill();
  await eventually('it is ready again', async () => {
    return (await server.call('GET', '/readyz', { key: null })).status === 200;
  });
  await server.send('c', JSON.stringify(click('c', 'after')));
  for (const id of ids) await server.callsOf('c', id, 'done', (each) => each.state === 'succeeded');
  assert.equal(ballast(server), BALLAST);
  const wrong = receiver.calls.filter((call) => !JSON.parse(call.body).subscription._id);
  assert.deepEqual(wrong, []);
  const repeats = receiver.calls.length - new Set(receiver.calls.map((call) => call.id)).size;
  assert.ok(repeats <= 32, `${repeats} repeats: no more than what was under way when it died`);
});

test('without space no call is sent whose outcome cannot be recorded', async (t) => {
  const disk = diskFor(t);
  if (!disk) return;
  let refusing = true;
  const receiver = await Receiver.open((res) => res.writeHead(refusing ? 500 : 204).end());
  t.after(() => receiver.close());
  const server = await Server.start({ dir: disk.dir, args: ARGS });
  t.after(() => server.stop());
  await server.channel('c');
  const retry = { maxRetries: 20, initialDelay: 1, factor: 1, maxDelay: 1 };
  await server.webhook('c', receiver.url, { retry });
  const ids = await server.send('c', `[${Array.from({ length: 500 }, (_, i) => JSON.stringify(click('c', `s${i}`)))}]`);
  await receiver.count(500);
  disk.fill();
  await server.line(/disk room=full/);
  // Every attempt that was made is recorded or will be: the numbers agree when there is space.
  refusing = false;
  disk.unfill();
  await server.line(/disk room=ok/);
  let attempts = 0;
  for (const id of ids) {
    const [call] = await server.callsOf('c', id, 'done', (each) => each.state === 'succeeded');
    attempts += call.attempts;
  }
  assert.equal(attempts, receiver.calls.length);
});

test('a disk without inodes stops nothing that runs, and is named at a start', async (t) => {
  const disk = diskFor(t, ['-N', '64']);
  if (!disk) return;
  const server = await Server.start({ dir: disk.dir, args: ARGS });
  t.after(() => server.stop());
  await server.channel('c');
  for (let i = 0; ; i++) {
    try {
      mkdirSync(path.join(disk.dir, `d${i}`));
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
      break;
    }
  }
  await server.send('c', JSON.stringify(click('c', 's')));
  const other = new Program(['serve', '--listen', '127.0.0.1:0', '--data', path.join(disk.dir, 'other')]);
  assert.equal((await other.finish()).code, 1);
  assert.match(other.output, /other.*(no space|inodes|full)/i);
});

test('a start on a read-only file system is refused with its reason and changes nothing', async (t) => {
  const disk = diskFor(t);
  if (!disk) return;
  let server = await Server.start({ dir: disk.dir, args: ARGS });
  t.after(() => server.stop());
  await server.channel('c');
  const [id] = await server.send('c', JSON.stringify(click('c', 's')));
  await server.stop('SIGKILL');
  assert.equal(disk.remount('ro'), null);
  const before = readFileSync(path.join(server.data, 'pushwire.db'));
  const refused = new Server({ dir: disk.dir, args: ARGS });
  assert.equal((await refused.finish()).code, 1);
  assert.match(refused.output, /pushwire\.lock: Read-only file system/);
  assert.deepEqual(readFileSync(path.join(server.data, 'pushwire.db')), before);
  assert.equal(disk.remount('rw'), null);
  server = await server.again({ args: ARGS });
  assert.equal((await server.list('/v1/channels/c/events'))[0]._id, id);
});

test('a file system that turns read-only under the running server loses nothing that was acknowledged', async (t) => {
  const disk = diskFor(t);
  if (!disk) return;
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  let server = await Server.start({ dir: disk.dir, args: ARGS });
  t.after(() => server.stop());
  await server.channel('c');
  // Disabled, so that nothing but the request below writes.
  const hook = await server.webhook('c', receiver.url, { enabled: false });
  const events = Array.from({ length: 20 }, (_, i) => JSON.stringify(click('c', `s${i}`)));
  const ids = await server.send('c', `[${events}]`);
  assert.match(disk.remount('ro'), /busy/); // a person cannot, while it runs
  const trouble = disk.turnReadOnly();
  if (trouble) {
    t.skip(trouble);
    return;
  }

  const refused = await server.call('POST', '/v1/channels/c/events', { body: click('c', 'late') });
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  assert.match(refused.json.detail, /disk full or read-only: nothing was stored/);
  assert.match((await server.call('GET', '/readyz', { key: null })).text, /read-only/);
  assert.equal((await server.list('/v1/channels/c/events')).length, ids.length, 'reads work');
  assert.equal((await server.stop()).code, 0);
  const early = new Server({ dir: disk.dir, args: ARGS });
  assert.equal((await early.finish()).code, 1);
  assert.match(early.output, /Read-only file system/);

  assert.equal(disk.repair(), null);
  server = await server.again({ args: ARGS });
  assert.deepEqual((await server.list('/v1/channels/c/events')).map((event) => event._id).sort(), [...ids].sort());
  await server.must('PATCH', `/v1/channels/c/webhooks/${hook._id}`, { body: { enabled: true } });
  for (const id of ids) await server.callsOf('c', id, 'done', (each) => each.state === 'succeeded');
  assert.equal(receiver.calls.length, ids.length);
});
