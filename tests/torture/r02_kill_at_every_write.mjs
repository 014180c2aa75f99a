// kill -9 at the n-th system call that makes something durable, for every n until the run ends
// without reaching it: on a new folder (the schema, the key file), and on one with a history.
import { setTimeout as pause } from 'node:timers/promises';
import { attach, strace } from './rig.mjs';

export const id = 'R2';
export const title = 'kill -9 at every durability system call';
export const needs = ['strace', 'sqlite3'];
export const controlNeeds = ['faults'];
export const rounds = 400;
export const minutes = 5;

const DURABLE = 'pwrite64,pwritev,fdatasync,fsync,rename,renameat2,ftruncate,fallocate,unlink';

// A fixed little life: events one after the other, a change of configuration, what ends at a
// receiver that refuses the first call. Any step may be the one at which the program dies.
async function life(oracle, server) {
  const steps = [
    () => oracle.post(server, 1),
    () => oracle.post(server, 20),
    () => server.call('PATCH', `/v1/channels/c/webhooks/${oracle.webhooks[0].id}`, { body: { description: 'x' } }),
    () => oracle.post(server, 3),
    () => oracle.observe(server),
    () => oracle.post(server, 1),
  ];
  for (const step of steps) {
    try {
      await step();
    } catch {
      return; // it is dead
    }
  }
  // Outcomes are written too; the retry comes a second after the refusal.
  const until = performance.now() + 2500;
  while (!server.end && performance.now() < until) {
    if ([...oracle.acked.keys()].every((each) => oracle.delivered(each))) break;
    await pause(20);
  }
}

async function open(t, oracle, options) {
  const server = await t.start(options);
  await server.channel('c');
  await oracle.webhook(server, {
    answer: (res, call, nth) => {
      const status = nth === 1 && call.id.charCodeAt(call.id.length - 1) % 2 ? 500 : 200;
      res.writeHead(status).end();
      return status;
    },
  });
  return server;
}

// Starts what may die while it starts. Gives null when it did.
const startTraced = (t, dir, n) =>
  t.startOrNot({ dir, wrap: strace(`${DURABLE}:signal=KILL:when=${n}`) });

async function dies(t, oracle, server) {
  await server.stop('SIGKILL');
  await oracle.crashed();
  t.integrity(server.data);
}

// The n-th call of a start on a folder with a history, and, from the next life on, the n-th call
// of a life that has begun. Gives what was reached.
async function trial(t, oracle, server, n, fault) {
  const attached = await attach(server.child.pid, `${DURABLE}:signal=KILL:when=${n}`);
  await life(oracle, server);
  const inLife = Boolean(server.end);
  await attached();
  await dies(t, oracle, server);
  const starting = fault ? null : await startTraced(t, server.dir, n);
  const inStart = !fault && !starting;
  if (starting) await dies(t, oracle, starting);
  const after = await t.start({ dir: server.dir, fault });
  await oracle.judge(after, fault ? { quietMs: 3000 } : {});
  return { reached: inLife || inStart, after };
}

export async function run(t) {
  const oracle = t.oracle();
  let server = await open(t, oracle);
  let reached = true;
  for (const n of t.cycle()) {
    await t.survive(async () => ({ reached, after: server } = await trial(t, oracle, server, n)));
    if (!reached) break;
  }
  await server.stop();
  await firstStarts(t);
}

// The very first start: whatever of it is on disk, the next start makes the rest.
async function firstStarts(t) {
  for (let n = 1, dead = true; dead && n <= t.most; n++) {
    t.say(`first start ${n}`);
    await t.survive(async () => {
      const dir = t.folder();
      const first = await startTraced(t, dir, n);
      dead = !first;
      if (first) await first.stop('SIGKILL');
      const again = await t.start({ dir });
      await again.channel('c');
      await again.stop();
    });
  }
}

export async function control(t) {
  const oracle = t.oracle();
  let server = await open(t, oracle, { fault: 'acked-early' });
  for (const n of t.cycle(20)) {
    ({ after: server } = await trial(t, oracle, server, 3 + 3 * n, 'acked-early'));
  }
}
