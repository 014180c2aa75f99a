// What the process gives up before it listens, seen from outside.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { BIN, Server, run, temporaryFolder } from './harness.mjs';

const root = process.getuid() === 0;
const proc = (server, file) => readFileSync(`/proc/${server.child.pid}/${file}`, 'utf8');
const status = (server) =>
  Object.fromEntries(proc(server, 'status').split('\n').map((line) => line.split(/:\s+/)));
// A sanitizer looks at its own process when it ends, for which it needs some of it back.
const sanitized = /libasan|libtsan/.test(spawnSync('ldd', [BIN], { encoding: 'utf8' }).stdout);

test('the process has no capability, gains none, and makes only the calls it needs', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const now = status(server);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.match(now[set], /^0+$/, set);
  if (root) assert.match(now.CapBnd, /^0+$/);
  assert.equal(now.NoNewPrivs, '1');
  assert.equal(now.Seccomp, '2');
  const [line] = await server.line(/info sandbox .*/);
  assert.match(line, /capabilities=none files="?(landlock \d+|off: .*)"? calls=seccomp/);
});

test('every thread is inside', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const threads = readdirSync(`/proc/${server.child.pid}/task`);
  assert.ok(threads.length > 2);
  for (const thread of threads) {
    const text = proc(server, `task/${thread}/status`);
    // A sanitizer's own thread came first.
    if (!sanitized) assert.match(text, /NoNewPrivs:\s1\nSeccomp:\s2/, text);
  }
});

test('it leaves no core, and its memory is for nobody to see', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  assert.match(proc(server, 'limits'), /Max core file size +0 +0/);
  if (!root && !sanitized) assert.throws(() => proc(server, 'environ'), /EACCES/);
});

test('no descriptor outlives an exec, and none was inherited', { skip: !root && 'needs root' }, async (t) => {
  // A descriptor of the parent that is not closed on exec, as a careless parent leaves them.
  const folder = temporaryFolder();
  const server = new Server({
    dir: folder,
    wrap: ['/bin/sh', '-c', `exec 9>${folder}/inherited; exec "$@"`, 'sh'],
  });
  t.after(() => server.stop());
  await server.listening();
  const fds = readdirSync(`/proc/${server.child.pid}/fdinfo`).filter((fd) => Number(fd) > 2);
  assert.ok(fds.length > 5);
  for (const fd of fds) {
    const flags = parseInt(/flags:\s+(\d+)/.exec(proc(server, `fdinfo/${fd}`))[1], 8);
    const name = spawnSync('readlink', [`/proc/${server.child.pid}/fd/${fd}`], { encoding: 'utf8' }).stdout;
    assert.doesNotMatch(name, /inherited/);
    assert.ok(flags & 0o2000000, `descriptor ${fd} (${name.trim()}) is not closed on exec`);
  }
});

test('files are for their owner alone', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  assert.equal(statSync(server.data).mode & 0o077, 0);
  for (const name of readdirSync(server.data)) {
    assert.equal(statSync(path.join(server.data, name)).mode & 0o077, 0, name);
  }
});

test('a server whose standard streams are closed writes its log into no file of its own', async () => {
  const folder = temporaryFolder();
  const server = new Server({ dir: folder, wrap: ['/bin/sh', '-c', 'exec "$@" <&- 2>&-', 'sh'] });
  await server.listening();
  await server.stop();
  assert.match(readFileSync(path.join(server.data, 'pushwire.db'), 'latin1').slice(0, 15), /^SQLite format 3$/);
});

test('--sandbox off says what that means', async (t) => {
  const server = await Server.start({ args: ['--sandbox', 'off'] });
  t.after(() => server.stop());
  await server.line(/warn .*--sandbox off/);
  assert.equal(status(server).Seccomp, '0');
});

test('--sandbox strict starts where all of it holds, and only there', async (t) => {
  const server = new Server({ args: ['--sandbox', 'strict'] });
  t.after(() => server.stop());
  const [, held] = await server.line(/(listening on|this kernel has no)/);
  if (held === 'listening on') assert.doesNotMatch(server.output, /sandbox .*off/);
  else assert.equal((await server.finish()).code, 1);
});

// ---- memory ----

test('--max-memory: what cannot be kept is refused with what would do', async () => {
  const serve = (...args) => run(['serve', '--data', path.join(temporaryFolder(), 'd'), ...args]);
  const small = await serve('--max-memory', '32MiB', '--senders', '64');
  assert.equal(small.code, 2);
  assert.match(small.stderr, /--max-memory: expected at least \d+ ?MiB for \d+ threads/);
  const request = await serve('--max-memory', '64MiB', '--max-request', '64MiB');
  assert.equal(request.code, 2);
  assert.match(request.stderr, /--max-request is more than the share of --max-memory/);
});

test('--max-memory: a request beyond its share is refused, others go on', async (t) => {
  const server = await Server.start({ args: ['--max-memory', '64MiB', '--ingest-memory', '1MiB'] });
  t.after(() => server.stop());
  await server.channel('works');
});

// ---- the user ----

const user = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
const skip = (!root && 'needs root') || (!user && 'there is no user nobody');

test('--user: root becomes another user, which owns the data', { skip }, async (t) => {
  const dir = temporaryFolder();
  chmodSync(dir, 0o755);
  const server = await Server.start({ dir, args: ['--user', 'nobody'] });
  t.after(() => server.stop());
  const now = status(server);
  const same = (id) => `${id}\t${id}\t${id}\t${id}`;
  assert.equal(now.Uid, same(user[1]));
  assert.equal(now.Gid, same(user[2]));
  assert.equal(now.Groups.trim(), user[2]);
  if (!sanitized) assert.match(now.CapBnd, /^0+$/);
  for (const name of ['.', ...readdirSync(server.data)]) {
    assert.equal(String(statSync(path.join(server.data, name)).uid), user[1], name);
  }
  await server.channel('works');
});

test('--user: a port that only root may have is bound before', { skip }, async (t) => {
  const dir = temporaryFolder();
  chmodSync(dir, 0o755);
  // An address of 127.0.0.0/8 that no other test has, by this process's own number.
  const listen = `127.86.${(process.pid >> 8) & 255}.${process.pid & 255}:443`;
  const server = await Server.start({ dir, listen, args: ['--user', 'nobody'] });
  t.after(() => server.stop());
  assert.equal(server.url, `http://${listen}`);
  await server.channel('works');
});

test('--user: a folder of somebody else is refused with what to do', { skip }, async () => {
  const data = path.join(temporaryFolder(), 'data');
  mkdirSync(data);
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', data, '--user', 'nobody'];
  const refused = await run(args);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /belongs to another user \(uid 0\): chown -R nobody/);
});

test('--user: root itself and nobody known are refused', async () => {
  for (const [name, why] of [['root', /root is root|only root can/], ['no-such-user', /no user no-such-user/]]) {
    const refused = await run(['serve', '--data', path.join(temporaryFolder(), 'd'), '--user', name]);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, why);
  }
});

test('--user: whoever is not root can only stay who they are', { skip }, async () => {
  const dir = temporaryFolder();
  chownSync(dir, Number(user[1]), Number(user[2]));
  const wrap = ['setpriv', `--reuid=${user[1]}`, `--regid=${user[2]}`, '--clear-groups'];
  const stays = new Server({ dir, args: ['--user', 'nobody'], wrap });
  await stays.listening();
  assert.deepEqual(await stays.stop(), { code: 0, signal: null });
  const becomes = new Server({ dir, args: ['--user', 'daemon'], wrap });
  assert.equal((await becomes.finish()).code, 1);
  assert.match(becomes.output, /only root can become daemon/);
});
