// The receiver says 2xx, and the program dies before it has that on disk: the event comes once
// more, with the same id and bytes, and never again.
import { eventually } from '../e2e/harness.mjs';
import { Violation, attach } from './rig.mjs';

export const id = 'R3';
export const title = 'crash between a 2xx and its commit: one more call, no third';
export const needs = ['strace'];
export const rounds = 30;
export const minutes = 2;

// From the moment at which the receiver has the call, nothing is written for as long as it takes
// to kill the program: what was written before a sync would be there after a kill.
const SLOW = 'pwrite64:delay_enter=10000000';

async function crash(t, oracle, server, hook) {
  const before = oracle.duplicates;
  let detach = null;
  hook.arrived = async () => {
    hook.arrived = null;
    detach = await attach(server.child.pid, SLOW);
  };
  if ((await oracle.post(server, 1)) !== 202) throw new Error('the event was not taken');
  const newest = [...oracle.acked.keys()].at(-1);
  await eventually('the receiver has answered', () => hook.calls.get(newest)?.last?.answeredAt);
  await server.stop('SIGKILL');
  await detach();
  await oracle.crashed();
  const again = await t.start({ dir: server.dir });
  await eventually('it is succeeded', async () => {
    const { calls } = await again.must('GET', `/v1/channels/c/events/${newest}`);
    return calls.every((call) => call.state === 'succeeded');
  });
  await oracle.judge(again);
  const more = oracle.duplicates - before;
  if (more !== 1) throw new Violation(`I3: ${more} more calls of ${newest}, not one`);
  return again;
}

async function crashes(t, rounds, first) {
  const oracle = t.oracle();
  let server = await t.start();
  await server.channel('c');
  const hook = await oracle.webhook(server, {
    answer: async (res, call, nth) => {
      await hook.arrived?.();
      const status = nth === 1 ? first : 200;
      res.writeHead(status).end();
      return status;
    },
  });
  for (const round of t.cycle(rounds)) {
    await t.survive(async () => {
      t.say(`round ${round}`);
      server = await crash(t, oracle, server, hook);
    });
  }
  await server.stop();
}

export const run = (t) => crashes(t, t.most, 200);
// A refusal in place of the 2xx: then nothing comes "again", and the count has to say so.
export const control = (t) => crashes(t, 1, 503);
