// One event for hundreds of webhooks, and a kill in the middle: all its calls are there, or it
// is not; and when it was acknowledged, it is.
import { Receiver, click, pause } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

export const id = 'R31';
export const title = 'kill -9 in the fan-out to 300 webhooks: all calls or none';
export const needs = ['sqlite3'];
export const controlNeeds = ['faults'];
export const rounds = 25;
export const minutes = 1;

const WEBHOOKS = 300;

async function prepare(t, fault) {
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  const server = await t.start({ fault });
  await server.channel('c');
  for (let i = 0; i < WEBHOOKS; i += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, k) => server.webhook('c', `${receiver.url}${i + k}`)));
  }
  return server;
}

// Gives the ids that were acknowledged.
async function postUntilDead(server, acked) {
  for (let i = 0; !server.end; i++) {
    try {
      const answer = await server.call('POST', '/v1/channels/c/events', { body: click('c', `s${i}`) });
      if (answer.status === 202) acked.push(answer.json.data[0]._id);
    } catch {
      return;
    }
  }
}

async function check(server, acked) {
  const events = new Map((await server.list('/v1/channels/c/events')).map((event) => [event._id, 0]));
  for (const id of acked) if (!events.has(id)) throw new Violation(`I1: ${id} was acknowledged and is gone`);
  for (const call of await server.list('/v1/channels/c/calls')) events.set(call.event, events.get(call.event) + 1);
  for (const [id, n] of events) if (n !== WEBHOOKS) throw new Violation(`${id} has ${n} calls of ${WEBHOOKS}`);
}

async function kills(t, fault) {
  let server = await prepare(t, fault);
  const acked = [];
  for (const round of t.cycle(fault ? 5 : t.most)) {
    await t.survive(async () => {
      t.say(`round ${round}`);
      const posts = Array.from({ length: 2 }, () => postUntilDead(server, acked));
      await pause(20 + t.draw() * 120);
      await server.stop('SIGKILL');
      await Promise.all(posts);
      server = await t.start({ dir: server.dir, fault });
      if (round % 5 === 0 || fault) await check(server, acked);
    });
  }
  await check(server, acked);
  await server.stop();
  t.integrity(server.data);
}

export const run = (t) => kills(t);
export const control = (t) => kills(t, 'acked-early');
