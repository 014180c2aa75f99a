// A sender that turns no more, in a build that can break itself so: it is seen, and the service
// manager hears nothing any more.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, pause } from './harness.mjs';
import { Manager, noPython } from './manager.mjs';

test('a stuck sender is said, counted, and no longer vouched for', { skip: noPython }, async (t) => {
  const manager = await Manager.open();
  t.after(() => manager.stop());
  const server = await Server.start({
    env: { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: '3000000', PUSHWIRE_FAULT: 'hang-sender' },
  });
  t.after(() => server.stop('SIGKILL'));
  const stalled = async () => /^pushwire_stalled (\d)$/m.exec((await server.call('GET', '/metrics')).text)[1];
  assert.equal(await stalled(), '0');
  await server.line(/error stalled thread=sender/);
  await manager.hears('STATUS', 'stalled: sender');
  const pings = manager.heard('WATCHDOG').length;
  assert.equal(await stalled(), '1');
  await pause(3500); // three looks
  assert.equal(manager.heard('WATCHDOG').length, pings);
});
