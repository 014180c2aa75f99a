// What somebody who has taken the process over can do: nothing. Each attempt is made from inside
// by a build with faults, and once more with the sandbox off, where it must work.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import test from 'node:test';
import { Server } from './harness.mjs';

const root = process.getuid() === 0;
const DENIED = /Permission denied|Operation not permitted/;

async function attempt(fault, args) {
  const server = await Server.start({ args, env: { PUSHWIRE_FAULT: fault } });
  const said = await server.lines.until('its outcome', (all) => {
    const line = all.find((each) => /escape[-:]/.test(each) && !each.startsWith('fault:'));
    return line ?? (server.end && `ended: ${server.end.signal ?? server.end.code}`);
  });
  const layers = /info sandbox .*/.exec(server.output)?.[0] ?? '';
  if (/escape: exec/.test(said)) await server.finish();
  else await server.stop();
  rmSync('/tmp/pushwire-escaped', { force: true });
  return { said, layers };
}

for (const [fault, inside, layer] of [
  ['escape-read', DENIED, /files="landlock/],
  ['escape-write', DENIED, /files="landlock/],
  ['escape-code', DENIED, /calls=seccomp/],
  ['escape-fork', DENIED, /calls=seccomp/],
  ['escape-exec', /SIGSYS/, /calls=seccomp/],
  ['escape-sniff', /SIGSYS/, /calls=seccomp/],
  ['escape-trace', /SIGSYS/, /calls=seccomp/],
]) {
  test(`${fault} fails in the sandbox and works without`, async (t) => {
    const free = await attempt(fault, ['--sandbox', 'off']);
    if (root || !['escape-read', 'escape-sniff'].includes(fault)) assert.match(free.said, /it worked/);
    const caught = await attempt(fault, []);
    if (!layer.test(caught.layers)) t.skip(`this system lacks it: ${caught.layers}`);
    else assert.match(caught.said, inside);
  });
}
