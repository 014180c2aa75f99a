// What waited comes back: to a receiver that was away, after a restart, all at once as far as it
// is up to the clock. How much of it comes in any one second is what is looked at.
import { Receiver, agent, click, eventually, pause, request } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

const SOON = { maxRetries: 20, initialDelay: 1, factor: 1, maxDelay: 1 };
// Half a minute of nothing but failures is an outage.
const OUTAGE_MS = 35_000;
// What arrives within a second may have left within a little more.
const LATE = 1.25;

// A receiver that notes when it was called, and how many calls it had at a time.
class Watch {
  constructor() {
    this.at = [];
    this.now = this.most = 0;
    this.up = true;
    this.seen = new Set();
  }

  async open(t) {
    this.receiver = await Receiver.open((res, call) => {
      this.at.push(performance.now());
      this.most = Math.max(this.most, ++this.now);
      const { up } = this;
      if (up) this.seen.add(call.id);
      setTimeout(() => {
        this.now--;
        res.writeHead(up ? 200 : 503).end();
      }, 5);
    });
    t.after(() => this.receiver.close());
    return this;
  }

  // The most calls in any one second since then.
  mostInASecond(since) {
    const at = this.at.filter((time) => time >= since);
    let first = 0;
    let most = 0;
    at.forEach((time, i) => {
      while (at[first] <= time - 1000) first++;
      most = Math.max(most, i - first + 1);
    });
    return most;
  }
}

const post = (server, channel, events) => server.must('POST', `/v1/channels/${channel}/events`, { body: events });

async function send(server, channel, n, name) {
  const sent = [];
  for (let i = 0; i < n; i += 500) {
    const batch = Array.from({ length: Math.min(500, n - i) }, (_, k) => click(channel, `${name}${i + k}`));
    sent.push(...(await post(server, channel, batch)).data.map((event) => event._id));
  }
  return sent;
}

function judge(what, most, rate) {
  if (most > rate * LATE) throw new Violation(`${what}: ${most} calls within a second, ${rate} are allowed`);
}

// ---- R28 ----

async function returns(t, rate, told) {
  const server = await t.start({ args: ['--drain-rate', `${told}`, '--drain-total', '0'] });
  await server.channel('c');
  const watch = await new Watch().open(t);
  await server.webhook('c', watch.receiver.url, { retry: SOON });
  watch.up = false;
  const sent = await send(server, 'c', rate * 15, 'away');
  await pause(OUTAGE_MS);
  watch.up = true;
  const since = performance.now();
  await t.survive(async () => {
    await pause(3000);
    const began = performance.now();
    const [fresh] = await send(server, 'c', 1, 'new');
    await eventually('the new one', () => watch.seen.has(fresh));
    const took = performance.now() - began;
    if (watch.seen.size < sent.length && took > 2000) {
      throw new Violation(`a new event waited for ${Math.round(took)} ms behind the backlog`);
    }
    await eventually('all have come', () => sent.every((id) => watch.seen.has(id)));
    if (watch.most > 32) throw new Violation(`${watch.most} in flight`);
    judge('after the outage', watch.mostInASecond(since), rate);
  });
  await server.stop();
}

// ---- R29 ----

// 99 of 100 single POSTs took no longer than this.
async function ingestP99(server, n) {
  const took = [];
  for (let i = 0; i < n; i++) {
    const began = performance.now();
    const answer = await request(new URL('/v1/channels/probe/events', server.url), {
      method: 'POST',
      using: agent,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.key}` },
      body: JSON.stringify(click('probe', `p${i}`)),
    });
    if (answer.status !== 202) throw new Violation(`ingest: ${answer.status}`);
    took.push(performance.now() - began);
  }
  return took.sort((a, b) => a - b)[Math.floor(n * 0.99)];
}

async function restart(t, rate, told) {
  const args = ['--drain-rate', '0', '--drain-total', `${told}`];
  let server = await t.start({ args });
  const watch = await new Watch().open(t);
  await server.channel('c');
  await server.channel('probe');
  const hooks = [];
  for (let i = 0; i < 50; i++) {
    hooks.push(await server.webhook('c', `${watch.receiver.url}${i}`, { retry: SOON, enabled: false }));
  }
  await send(server, 'c', (rate * 12) / hooks.length, 'due');
  const due = (rate * 12) / hooks.length * hooks.length;
  const quiet = await ingestP99(server, 300);
  for (const hook of hooks) await server.must('PATCH', `/v1/channels/c/webhooks/${hook._id}`, { body: { enabled: true } });
  const early = watch.at.length;
  await server.stop('SIGKILL');
  const since = performance.now();
  server = await t.start({ dir: server.dir, args });
  await t.survive(async () => {
    const busy = await ingestP99(server, 300);
    await eventually('all have come', () => watch.at.length >= due);
    judge('after the restart', watch.mostInASecond(since), rate);
    t.note(`p99 of ingest ${busy.toFixed(1)} ms, ${quiet.toFixed(1)} ms before; ${due - early} were due`);
  });
  await server.stop();
}

// ---- R31 ----

const held = async (server) =>
  Number(/pushwire_calls\{state="held"\} (\d+)/.exec((await server.call('GET', '/metrics')).text)[1]);

const FAN = 1000;

// Fan-out by hand, an event for each of the webhooks, is what the control does: that is not atomic.
async function fanOut(t, rounds, byHand) {
  let server = await t.start();
  await server.channel('c');
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  const hooks = byHand ? 1 : FAN;
  for (let i = 0; i < hooks; i++) await server.webhook('c', `${receiver.url}${i}`, { enabled: false });
  for (const round of t.cycle(rounds)) {
    await t.survive(async () => {
      const posting = (async () => {
        for (let i = 0; ; i++) {
          try {
            await post(server, 'c', click('c', `r${round}-${i}`));
          } catch {
            return;
          }
        }
      })();
      await pause(20 + t.draw() * 400);
      await server.stop('SIGKILL');
      await posting;
      server = await t.start({ dir: server.dir });
      const calls = await held(server);
      if (calls % FAN !== 0) throw new Violation(`${calls} calls: a part of an event's ${FAN}`);
    });
  }
  await server.stop();
}

export default [
  {
    id: 'R28',
    title: 'a receiver returns to what waited for it',
    rounds: 1,
    minutes: 1,
    run: (t) => returns(t, 100, 100),
    control: (t) => returns(t, 100, 0),
  },
  {
    id: 'R29',
    title: 'a restart with 50 webhooks\' calls due at once',
    rounds: 1,
    minutes: 1,
    run: (t) => restart(t, 300, 300),
    control: (t) => restart(t, 300, 0),
  },
  {
    id: 'R31',
    title: 'kill -9 while one event fans out to 1,000 webhooks',
    rounds: 15,
    minutes: 1,
    run: (t) => fanOut(t, t.most, false),
    control: (t) => fanOut(t, 3, true),
  },
];
