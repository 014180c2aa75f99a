// The server under a service manager, and the unit that it is installed with.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { BIN, Server, run, temporaryFolder } from './harness.mjs';
import { Manager, noPython } from './manager.mjs';

for (const kind of ['a path', 'an abstract name']) {
  test(`the manager hears of start, life, reload and end, at ${kind}`, { skip: noPython }, async (t) => {
    const manager = await Manager.open(kind === 'a path' ? undefined : `@pushwire-test-${process.pid}`);
    t.after(() => manager.stop());
    const server = await Server.start({ env: { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: '3000000' } });
    t.after(() => server.stop());
    await manager.hears('READY', '1');
    await manager.hears('WATCHDOG', '1', 3);
    server.signal('SIGHUP');
    await manager.hears('RELOADING', '1');
    await manager.hears('READY', '1', 2);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    await manager.hears('STOPPING', '1');
    assert.deepEqual(manager.heard('STATUS').map((each) => each[2]), ['serving', 'calls in flight may end']);
  });
}

test('a manager that wants no watchdog is not pinged', { skip: noPython }, async (t) => {
  const manager = await Manager.open();
  t.after(() => manager.stop());
  const server = await Server.start({ env: { NOTIFY_SOCKET: manager.address } });
  t.after(() => server.stop());
  await manager.hears('READY', '1');
  await server.stop();
  await manager.hears('STOPPING', '1');
  assert.equal(manager.heard('WATCHDOG').length, 0);
});

test('a manager that cannot be reached is an error, before anything listens', async () => {
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', path.join(temporaryFolder(), 'd')];
  const refused = await run(args, { env: { NOTIFY_SOCKET: '/nobody/listens/here' } });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /NOTIFY_SOCKET \/nobody\/listens\/here/);
});

// ---- the unit ----

const analyze = (...args) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
const noSystemd = analyze('--version').status !== 0 && 'needs systemd-analyze';
const unit = readFileSync(path.join(path.dirname(BIN), 'pushwire.service'), 'utf8');

function unitFile() {
  // Wherever it will be installed: what is verified is the program of this build.
  const file = path.join(temporaryFolder(), 'pushwire.service');
  writeFileSync(file, unit.replace(/^ExecStart=\S+/m, `ExecStart=${BIN}`));
  return file;
}

test('the unit is one that systemd understands', { skip: noSystemd }, () => {
  const { status, stdout, stderr } = analyze('verify', '--man=no', '--recursive-errors=no', unitFile());
  assert.equal(status, 0, stdout + stderr);
  assert.doesNotMatch(stderr, /pushwire\.service/);
});

test('the unit exposes no more than 2.0', { skip: noSystemd }, () => {
  const { status, stdout, stderr } = analyze('security', '--offline=yes', '--threshold=20', unitFile());
  assert.equal(status, 0, stdout + stderr);
});

test('the unit lets the server have what it needs', () => {
  assert.match(unit, /^Type=notify$/m);
  assert.match(unit, /^WatchdogSec=\d+$/m);
  assert.match(unit, /^ExecReload=.*-HUP/m);
  // getifaddrs at the start, and the layers that the server adds by itself
  assert.match(unit, /^RestrictAddressFamilies=.*AF_NETLINK/m);
  for (const call of ['seccomp', 'landlock_create_ruleset', 'landlock_add_rule', 'landlock_restrict_self']) {
    assert.match(unit, new RegExp(`^SystemCallFilter=@system-service .*\\b${call}\\b`, 'm'));
  }
});
