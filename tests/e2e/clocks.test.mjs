// Time as the program is told it: a machine that boots anew, and minutes that pass for a kept
// connection without anybody waiting for them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Receiver, Server, click, temporaryFolder } from './harness.mjs';

// ---- another boot ----

const HUNDRED_DAYS_S = 100 * 86_400;

// Runs a program as if the machine had been up for so many seconds more.
const upFor = (seconds) => ['unshare', '-T', '--monotonic', `${seconds}`, '--boottime', `${seconds}`];

const whyNoBoot = () => {
  const [command, ...args] = [...upFor(1), 'true'];
  const ran = spawnSync(command, args, { encoding: 'utf8' });
  return ran.status === 0 ? false : `needs time namespaces: ${ran.error?.message ?? ran.stderr.trim()}`;
};

// The wait begins on a machine that has been up for a while and ends on another boot of it.
async function retryOverBoot(t, before, after) {
  const times = [];
  const receiver = await Receiver.open((res) => {
    times.push(Date.now());
    res.writeHead(times.length === 1 ? 503 : 204).end();
  });
  t.after(() => receiver.close());
  const first = await Server.start({ wrap: before });
  t.after(() => first.stop());
  await first.channel('c');
  await first.webhook('c', receiver.url, { retry: { maxRetries: 1, initialDelay: 3, factor: 1, maxDelay: 3 } });
  const [id] = await first.send('c', JSON.stringify(click('c', 's')));
  await first.callsOf('c', id, 'to be tried again', (each) => each.attempts === 1);
  await first.stop('SIGKILL');

  const second = await first.again({ wrap: after });
  t.after(() => second.stop());
  const [call] = await second.callsOf('c', id, 'done', (each) => each.state === 'succeeded');
  assert.equal(call.attempts, 2);
  assert.equal(times.length, 2);
  // Not before it was due; a millisecond is what rounding takes.
  assert.ok(times[1] - times[0] >= 3000 - 1, `${times[1] - times[0]} ms`);
}

test('a retry comes when it is due though the machine has booted meanwhile', { skip: whyNoBoot() }, async (t) => {
  await retryOverBoot(t, upFor(HUNDRED_DAYS_S), []);
});

test('a retry comes no earlier on a machine that has been up for longer', { skip: whyNoBoot() }, async (t) => {
  await retryOverBoot(t, [], upFor(HUNDRED_DAYS_S));
});

// ---- the life of a connection ----

const machine = spawnSync('cc', ['-dumpmachine'], { encoding: 'utf8' }).stdout?.trim().replace('-pc-', '-');
const library = [`/usr/lib/${machine}/faketime/libfaketimeMT.so.1`, '/usr/lib/faketime/libfaketimeMT.so.1']
  .find((file) => existsSync(file));

// A server whose clocks, all of them, can be moved on. The sandbox would not let it read the file.
async function timeTraveller(t) {
  const file = path.join(temporaryFolder(), 'time');
  let now = 0;
  const advance = (seconds) => writeFileSync(file, `+${(now += seconds)}\n`);
  advance(0);
  const env = { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' };
  const server = await Server.start({ env, args: ['--senders', '1', '--sandbox', 'off'] });
  t.after(() => server.stop());
  return { server, advance };
}

// A webhook, and over which of its connections (from 1) each of its calls came.
async function counted(t, server) {
  const ports = [];
  const over = [];
  const receiver = await Receiver.open((res) => {
    const port = res.socket.remotePort;
    if (!ports.includes(port)) ports.push(port);
    over.push(ports.indexOf(port) + 1);
    res.writeHead(204).end();
  });
  t.after(() => receiver.close());
  await server.channel('c');
  await server.webhook('c', receiver.url);
  const call = async () => {
    const [id] = await server.send('c', JSON.stringify(click('c', 's')));
    await server.callsOf('c', id, 'done', (each) => each.state === 'succeeded');
  };
  return { call, over };
}

const skip = library ? false : 'needs libfaketime';

test('a kept connection is used for a minute at most, however busy it is', { skip }, async (t) => {
  const { server, advance } = await timeTraveller(t);
  const { call, over } = await counted(t, server);
  for (let i = 0; i < 7; i++) {
    await call();
    advance(25);
  }
  assert.deepEqual(over, [1, 1, 1, 2, 2, 2, 3]);
});

test('a kept connection that was idle for half a minute is not used again', { skip }, async (t) => {
  const { server, advance } = await timeTraveller(t);
  const { call, over } = await counted(t, server);
  await call();
  advance(29);
  await call();
  for (let i = 0; i < 2; i++) {
    advance(16);
    await server.must('GET', '/v1/channels/c'); // so that this client is not the idle one
  }
  await call();
  assert.deepEqual(over, [1, 1, 2]);
});
