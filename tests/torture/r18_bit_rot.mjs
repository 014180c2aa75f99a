// A bit of the database changes on the disk while nobody looks, in any page: it is named and the
// program ends, or the page is never read; what arrives at receivers is what was sent in.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Receiver, click, pause } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

export const id = 'R18';
export const title = 'a bit of the database changes on the disk';
export const needs = [];
export const controlNeeds = ['faults'];
export const rounds = 40;
export const minutes = 2;

const EVENTS = 30;
const PAGE = 4096;

// A store with events that wait for a receiver, stopped, and what was sent in.
async function history(t, receiver) {
  const server = await t.start();
  await server.channel('c');
  const retry = { maxRetries: 20, initialDelay: 1, factor: 1, maxDelay: 1 };
  const webhook = await server.webhook('c', receiver.url, { retry, enabled: false });
  const sent = new Map();
  for (let i = 0; i < EVENTS; i++) {
    const text = JSON.stringify(click('c', `s${i}`, { text: `${i} `.repeat(3000) }));
    const [event] = await server.send('c', text);
    sent.set(event, text);
  }
  await server.stop();
  return { server, webhook, sent };
}

function flip(t, data, round) {
  const file = path.join(data, 'pushwire.db');
  const bytes = readFileSync(file);
  const page = (round * 7) % (bytes.length / PAGE);
  bytes[page * PAGE + t.integer(PAGE)] ^= 1 << t.integer(8);
  writeFileSync(file, bytes);
}

async function rot(t, options = {}) {
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  const { server, webhook, sent } = await history(t, receiver);
  for (const round of t.cycle()) {
    await t.survive(async () => {
      const dir = t.folder();
      cpSync(server.data, path.join(dir, 'data'), { recursive: true });
      flip(t, path.join(dir, 'data'), round);
      receiver.calls.length = 0;
      const rotten = await t.startOrNot({ dir, ...options });
      if (rotten) await deliver(rotten, webhook, receiver);
      for (const call of receiver.calls) {
        if (call.body.toString() !== sent.get(call.id)) throw new Violation(`I4: ${call.id} has other bytes`);
      }
    });
  }
}

// Until everything has arrived, or the program has ended because of what it found.
async function deliver(server, webhook, receiver) {
  try {
    await server.call('PATCH', `/v1/channels/c/webhooks/${webhook._id}`, { body: { enabled: true } });
  } catch {
    // it has ended
  }
  const until = performance.now() + 10_000;
  while (!server.end && receiver.calls.length < EVENTS && performance.now() < until) await pause(10);
  const { code } = await server.stop();
  if (code !== 0 && code !== 1) throw new Violation(`it ended with ${code}`);
  if (code === 1 && !/is damaged/.test(server.output)) throw new Violation(`it did not say why:\n${server.output}`);
}

export const run = (t) => rot(t);
export const control = (t) => rot(t, { fault: 'sum-unread' });
