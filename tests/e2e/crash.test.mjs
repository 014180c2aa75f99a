// kill -9 at random moments under load: what was acknowledged is never lost, what was not sent in
// is never called, bytes never change, and only what was in flight is repeated.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { Receiver, Server, click, eventually, pause } from './harness.mjs';

// What a crash leaves behind goes out as fast as it can, so that the next one finds much under way.
const ARGS = ['--drain-rate', '0', '--drain-total', '0'];
const ROUNDS = Number(process.env.PUSHWIRE_CRASH_ROUNDS ?? 50);
const SEED = Number(process.env.PUSHWIRE_CRASH_SEED ?? Date.now() % 1_000_000);

// Attempts that may be under way at one webhook, and results that may not be on disk yet.
const IN_FLIGHT = 32;
const UNRECORDED = 512;

// mulberry32
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

// All that was ever sent in, and all that came out of it.
class Ledger {
  constructor() {
    this.submitted = new Map(); // subscription -> hash of the event's bytes
    this.acknowledged = new Map(); // event id -> subscription
    this.ids = new Map(); // subscription -> the id that its calls have
    this.repeats = 0; // calls since the last crash for what had been answered 2xx before
  }

  events(n) {
    return Array.from({ length: n }, () => {
      const subscription = `s${this.submitted.size}`;
      const text = JSON.stringify(click('c', subscription));
      this.submitted.set(subscription, hash(text));
      return { subscription, text };
    });
  }

  // Gives whether this call had been answered 2xx before.
  arrived(call, answered) {
    const { subscription } = JSON.parse(call.body);
    assert.equal(hash(call.body), this.submitted.get(subscription._id), 'the bytes that were sent in');
    const id = this.ids.get(subscription._id) ?? call.id;
    this.ids.set(subscription._id, id);
    assert.equal(call.id, id, 'one id in every attempt');
    const before = answered.has(id);
    if (before) this.repeats++;
    return before;
  }
}

async function post(server, ledger, draw) {
  for (;;) {
    const events = ledger.events(1 + Math.floor(draw() * 30));
    let answer;
    try {
      answer = await server.call('POST', '/v1/channels/c/events', {
        body: `[${events.map((event) => event.text)}]`,
      });
    } catch {
      return; // it is dead
    }
    assert.equal(answer.status, 202, answer.text);
    answer.json.data.forEach((event, i) => ledger.acknowledged.set(event._id, events[i].subscription));
  }
}

test(`${ROUNDS} crashes lose nothing that was acknowledged (seed ${SEED})`, async (t) => {
  const draw = random(SEED);
  const ledger = new Ledger();
  const wrong = [];
  const note = (answered) => (call) => {
    try {
      return ledger.arrived(call, answered);
    } catch (error) {
      wrong.push(error);
      return false;
    }
  };

  // One receiver that takes everything, and one that refuses each event's first call.
  const steady = new Set();
  const second = new Set();
  const refusedOnce = new Set();
  const steadyNote = note(steady);
  const secondNote = note(second);
  const receiver = await Receiver.open((res, call) => {
    steadyNote(call);
    steady.add(call.id);
    res.writeHead(200).end();
  });
  const picky = await Receiver.open((res, call) => {
    secondNote(call);
    const first = !refusedOnce.has(call.id);
    refusedOnce.add(call.id);
    if (!first) second.add(call.id);
    res.writeHead(first ? 500 : 200).end();
  });
  t.after(() => Promise.all([receiver.close(), picky.close()]));

  let server = await Server.start({ args: ARGS });
  await server.channel('c');
  await server.webhook('c', receiver.url);
  await server.webhook('c', picky.url, {
    retry: { maxRetries: 20, initialDelay: 1, factor: 1, maxDelay: 1 },
  });

  // Each repeat counts for the crash that came before it.
  let most = 0;
  const nextCrash = () => {
    most = Math.max(most, ledger.repeats);
    ledger.repeats = 0;
  };
  for (let round = 0; round < ROUNDS; round++) {
    const posting = Array.from({ length: 4 }, () => post(server, ledger, draw));
    // The moment is what is random; nothing is waited for.
    await pause(draw() * 300);
    await server.stop('SIGKILL');
    nextCrash();
    await Promise.all(posting);
    server = await server.again({ args: ARGS });
  }
  t.after(() => server.stop());

  const missing = () => [...ledger.acknowledged.keys()].filter((id) => !steady.has(id) || !second.has(id));
  let next = 0; // all before it in this list have arrived at both
  const acknowledged = [...ledger.acknowledged.keys()];
  const arrived = () => {
    while (next < acknowledged.length && steady.has(acknowledged[next]) && second.has(acknowledged[next])) next++;
    return next === acknowledged.length;
  };
  await eventually('every acknowledged event has arrived', () => arrived()).catch((error) => {
    throw new Error(`seed ${SEED}: ${error.message}; ${missing().length} of ${acknowledged.length} missing`);
  });
  nextCrash();
  assert.deepEqual(wrong, [], `seed ${SEED}`);
  for (const [id, subscription] of ledger.acknowledged) {
    assert.equal(ledger.ids.get(subscription), id, 'the id that was acknowledged');
  }
  assert.ok(ledger.acknowledged.size > ROUNDS, 'there was load');
  const bound = 2 * (IN_FLIGHT + UNRECORDED);
  assert.ok(most <= bound, `seed ${SEED}: ${most} repeats after a crash, at most ${bound}`);
  t.diagnostic(`${ledger.acknowledged.size} events acknowledged, at most ${most} repeats after a crash`);
});
