// Three of ten packets are lost and 64 kbit/s is all there is between the program and receivers:
// slower, and no attempt that never ends.
import { execFileSync } from 'node:child_process';
import { eventually, pause } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

export const id = 'R24';
export const title = '30 % packet loss and 64 kbit/s to every receiver';
export const needs = ['root', 'netns', 'nft', 'tc'];
export const rounds = 3;
export const minutes = 2;

const sh = (...argv) => execFileSync(argv[0], argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });

let networks = 0;

// A namespace with the program, joined to this one by a pair of interfaces.
function network(t) {
  const tag = `pwt${process.pid}n${++networks}`; // what is gone may take a while to go
  const [here, there] = [`${tag}a`, `${tag}b`];
  const octet = process.pid % 250;
  const inside = (...argv) => sh('ip', 'netns', 'exec', tag, ...argv);
  sh('ip', 'netns', 'add', tag);
  t.after(() => sh('ip', 'netns', 'del', tag)); // and both interfaces with it
  sh('ip', 'link', 'add', here, 'type', 'veth', 'peer', 'name', there);
  sh('ip', 'link', 'set', there, 'netns', tag);
  sh('ip', 'addr', 'add', `10.213.${octet}.1/24`, 'dev', here);
  sh('ip', 'link', 'set', here, 'up');
  inside('ip', 'addr', 'add', `10.213.${octet}.2/24`, 'dev', there);
  inside('ip', 'link', 'set', there, 'up');
  inside('ip', 'link', 'set', 'lo', 'up');
  return {
    host: `10.213.${octet}.1`,
    listen: `10.213.${octet}.2:0`,
    wrap: ['ip', 'netns', 'exec', tag],
    // Loses packets of the receiver's port, in both directions, and lets the API alone.
    lose(port, percent) {
      const rule = percent < 100 ? `numgen random mod 100 < ${percent} drop` : 'drop';
      inside('nft', ['flush ruleset', 'table inet t {',
        `chain out { type filter hook output priority 0; tcp dport ${port} ${rule}; }`,
        `chain in { type filter hook input priority 0; tcp sport ${port} ${rule}; }`, '}'].join('\n'));
    },
    heal: () => inside('nft', 'flush ruleset'),
    slow: () => inside('tc', 'qdisc', 'add', 'dev', there, 'root', 'tbf', 'rate', '64kbit', 'burst', '4k', 'latency', '400ms'),
  };
}

async function send(t, percent, quietMs) {
  const net = network(t);
  const oracle = t.oracle();
  const server = await t.start({ wrap: net.wrap, listen: net.listen });
  await server.channel('c');
  const hook = await oracle.webhook(server, { host: net.host, lossy: true });
  const { port } = hook.receiver.server.address();
  net.slow();
  net.lose(port, percent);
  for (const round of t.cycle()) {
    await t.survive(async () => {
      for (let i = 0; i < 10; i++) await oracle.post(server, 2);
      t.say(`round ${round}`);
      await pause(200);
    });
  }
  await oracle.settle(quietMs);
  net.heal();
  await oracle.judge(server, { quietMs });
  await eventually('no attempt is left', async () => {
    const waiting = await server.must('GET', '/v1/channels/c/calls?state=waiting');
    return waiting.data.length === 0;
  });
  await server.stop();
  if (server.end.code !== 0) throw new Violation(`it ended with ${server.end.code}`);
}

export const run = (t) => send(t, 30, 60_000);

// Nothing at all comes through, and nobody mends it.
export async function control(t) {
  const net = network(t);
  const oracle = t.oracle();
  const server = await t.start({ wrap: net.wrap, listen: net.listen });
  await server.channel('c');
  const hook = await oracle.webhook(server, { host: net.host, lossy: true });
  net.lose(hook.receiver.server.address().port, 100);
  await oracle.post(server, 2);
  await oracle.judge(server, { quietMs: 5000 });
}
