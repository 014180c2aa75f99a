// One channel sends in ten times its rate: it is told to wait, another one notices nothing, and
// what waits is on the disk, not in memory.
import { readFileSync } from 'node:fs';
import { agent, pause, request } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

export const id = 'R30';
export const title = 'a channel sends in ten times its rate';
export const rounds = 1;
export const minutes = 0.5;

const RATE = 100; // events a second, and ten seconds' worth at once
const BATCH = 50;
const PAD = 'x'.repeat(4000);
const BURST_S = 15;
const RSS_GROWTH = 40 << 20; // of some 60 MB that are sent in

// One request; what it was answered.
async function post(oracle, server, n) {
  const events = oracle.make(n, { pad: PAD });
  const answer = await request(new URL(`/v1/channels/${oracle.channel}/events`, server.url), {
    method: 'POST',
    using: agent,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.key}` },
    body: `[${events.map((event) => event.text)}]`,
  });
  oracle.answered(events, answer);
  return answer;
}

// Ten times the rate, request by request at its time. Gives the seconds that the last 429 asked for.
async function burst(oracle, server, seconds) {
  const began = performance.now();
  let wait = 0;
  for (let i = 0; i < (seconds * RATE * 10) / BATCH; i++) {
    await pause(Math.max(0, began + (i * BATCH * 100) / RATE - performance.now()));
    const { status, headers } = await post(oracle, server, BATCH);
    if (status !== 202 && status !== 429) throw new Violation(`the burst was answered with ${status}`);
    if (status === 429) wait = Number(headers['retry-after']);
    if (status === 429 && !(Number.isInteger(wait) && wait >= 1)) {
      throw new Violation(`429 with Retry-After: ${headers['retry-after']}`);
    }
  }
  if (wait === 0) throw new Violation('ten times the rate, and nobody was told to wait');
  const most = RATE * 10 + (RATE * (performance.now() - began)) / 1000;
  if (oracle.acked.size > most) throw new Violation(`${oracle.acked.size} events came in, ${Math.floor(most)} may`);
  return wait;
}

async function calmly(oracle, server, until) {
  while (!until()) {
    const { status } = await post(oracle, server, 1);
    if (status !== 202) throw new Violation(`a channel below its rate was answered with ${status}`);
    await pause(50);
  }
}

const peak = (server) =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) * 1024;

// The webhook of the greedy channel is off: all that comes in waits.
async function scene(t, args) {
  const server = await t.start({ args });
  const [greedy, calm] = ['greedy', 'calm'].map((channel) => t.oracle({ channel }));
  for (const oracle of [greedy, calm]) await server.channel(oracle.channel);
  const held = await greedy.webhook(server, { more: { enabled: false } });
  await calm.webhook(server);
  return { server, greedy, calm, held };
}

async function trial(t, args, seconds) {
  const { server, greedy, calm, held } = await scene(t, args);
  await post(calm, server, 1);
  const before = peak(server);
  let over = false;
  const other = calmly(calm, server, () => over);
  const wait = await Promise.race([burst(greedy, server, seconds), other]).finally(() => (over = true));
  await other;
  const grown = peak(server) - before;
  const [burnt, well] = [greedy, calm].map(({ answers }) => JSON.stringify(answers));
  t.note(`answered ${burnt}, the other channel ${well}; memory grew by ${grown >> 20} MiB`);
  if (grown > RSS_GROWTH) throw new Violation(`memory grew by ${grown} bytes, more than ${RSS_GROWTH}`);
  await pause(wait * 1000);
  const { status } = await post(greedy, server, BATCH);
  if (status !== 202) throw new Violation(`after the time that Retry-After said: ${status}`);
  await server.must('PATCH', `/v1/channels/greedy/webhooks/${held.id}`, { body: { enabled: true } });
  for (const oracle of [greedy, calm]) await oracle.judge(server);
  await server.stop();
}

const ARGS = ['--drain-rate', '0', '--drain-total', '0'];

export async function run(t) {
  for (const _ of t.cycle()) await t.survive(() => trial(t, ['--channel-rate', `${RATE}`, ...ARGS], BURST_S));
}

// Nothing holds it back.
export const control = (t) => trial(t, ARGS, 3);
