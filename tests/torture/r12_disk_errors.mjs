// What the kernel says of the disk: an fsync that fails once, writes that fail or come in part,
// syncs that take seconds. Nothing is acknowledged that is not there, and nothing after an error
// is believed.
import { eventually, pause } from '../e2e/harness.mjs';
import { Violation, attach, preload, strace } from './rig.mjs';

async function prepare(t, options) {
  const oracle = t.oracle();
  const server = await t.start(options);
  await server.channel('c');
  await oracle.webhook(server);
  return { oracle, server };
}

function load(t, oracle, server) {
  return Array.from({ length: 3 }, () =>
    oracle.load(server, { draw: t.draw, most: 10, until: () => Boolean(server.end) }));
}

// It must end by itself, with a failure, before long.
async function endsBroken(server, what) {
  const until = performance.now() + 20_000;
  while (!server.end && performance.now() < until) await pause(20);
  if (!server.end) throw new Violation(`I7: ${what}, and it goes on`);
  if (server.end.code !== 1) throw new Violation(`${what}: it ended with ${server.end.code ?? server.end.signal}`);
}

async function again(t, oracle, server, options) {
  await oracle.crashed();
  t.integrity(server.data);
  const after = await t.start({ dir: server.dir, ...options });
  await oracle.judge(after);
  return after;
}

// Under load, the n-th of the calls from now on fails once.
async function failOnce(t, { calls, options = {}, most = 20 }) {
  let { oracle, server } = await prepare(t, options);
  for (const round of t.cycle()) {
    const n = 1 + ((round - 1) % most);
    await t.survive(async () => {
      const detach = await attach(server.child.pid, `${calls}:error=EIO:when=${n}`);
      const posts = load(t, oracle, server);
      await endsBroken(server, `${calls} number ${n} failed`);
      await Promise.all(posts);
      await detach();
      server = await again(t, oracle, server, options);
    });
  }
  await server.stop();
}

// While it starts: it says so and ends, or it was not reached; what is there stays.
async function failInStart(t, calls) {
  let { oracle, server } = await prepare(t);
  for (let n = 1, reached = true; reached && n < 40; n++) {
    await t.survive(async () => {
      t.say(`start, call ${n}`);
      await oracle.post(server, 3);
      await server.stop('SIGKILL');
      await oracle.crashed();
      const wrapped = await t.startOrNot({ dir: server.dir, wrap: strace(`${calls}:error=EIO:when=${n}`) });
      reached = !wrapped;
      if (wrapped) await wrapped.stop('SIGKILL');
      server = await again(t, oracle, server);
    });
  }
  await server.stop();
}

const fsyncFails = {
  id: 'R12',
  title: 'an fsync fails once: it ends, and nothing is believed',
  needs: ['strace', 'sqlite3'],
  controlNeeds: ['faults'],
  rounds: 20,
  minutes: 2,
  async run(t) {
    await failOnce(t, { calls: 'fdatasync,fsync' });
    await failInStart(t, 'fdatasync,fsync');
  },
  control: (t) => failOnce(t, { calls: 'fdatasync,fsync', options: { fault: 'sync-believed' } }),
};

const writeFails = {
  id: 'R14',
  title: 'a write fails, or comes in part',
  needs: ['strace', 'cc', 'sqlite3'],
  rounds: 20,
  minutes: 2,
  async run(t) {
    await failOnce(t, { calls: 'pwrite64', most: 40 });
    await failInStart(t, 'pwrite64');
    let { oracle, server } = await prepare(t);
    for (let round = 1; round <= Math.min(20, t.most); round++) {
      await t.survive(async () => {
        await server.stop();
        await oracle.crashed();
        server = await t.start({ dir: server.dir, env: preload(`short=${1 + t.integer(60)}`) });
        for (let i = 0; i < 8; i++) await oracle.post(server, 1 + t.integer(20));
        await server.stop('SIGKILL');
        server = await again(t, oracle, server);
      });
    }
    await server.stop();
  },
  // Parts that are said to be whole.
  async control(t) {
    const { oracle, server } = await prepare(t, { env: preload('halved=40') });
    const posts = load(t, oracle, server);
    await pause(400);
    await server.stop('SIGKILL');
    await Promise.all(posts);
    await oracle.crashed();
    const after = await t.startOrNot({ dir: server.dir });
    if (!after) return true;
    await oracle.judge(after, { quietMs: 3000 });
    return false;
  },
};

const DEADLINE_S = 2;

const slowDisk = {
  id: 'R17',
  title: 'every fsync takes up to 2 s: slower, and attempts end at their deadline',
  needs: ['strace'],
  rounds: 4,
  minutes: 1,
  async run(t) {
    const options = { args: ['--deadline', `${DEADLINE_S}s`] };
    const { oracle, server } = await prepare(t, options);
    const silent = await oracle.webhook(server, { answer: () => null, retry: { maxRetries: 0 } });
    for (const round of t.cycle()) {
      await t.survive(async () => {
        const detach = await attach(server.child.pid, `fdatasync,fsync:delay_enter=${round * 500_000}`);
        await oracle.post(server, 1);
        const event = [...oracle.acked.keys()].at(-1);
        const failed = await eventually('the silent receiver has failed', async () => {
          const { calls } = await server.must('GET', `/v1/channels/c/events/${event}`);
          return calls.find((call) => call.webhook === silent.id && call.state === 'failed');
        });
        await detach();
        const ms = failed.lastAttempt.durationMs;
        if (ms < DEADLINE_S * 1000 - 100 || ms > DEADLINE_S * 1000 + 1500) {
          throw new Violation(`an attempt took ${ms} ms, not its deadline`);
        }
      });
    }
    // The silent one's calls have failed, visibly; the other's have arrived.
    oracle.webhooks = oracle.webhooks.filter((hook) => hook !== silent);
    await oracle.judge(server);
    await silent.receiver.close();
    await server.stop();
  },
  // A receiver that answers is no attempt that ends at its deadline.
  async control(t) {
    const { oracle, server } = await prepare(t);
    await oracle.post(server, 1);
    const event = [...oracle.acked.keys()].at(-1);
    const call = await server.callOf('c', event, 'succeeded');
    return call.lastAttempt.durationMs < DEADLINE_S * 1000 - 100;
  },
};

export default [fsyncFails, writeFails, slowDisk];
