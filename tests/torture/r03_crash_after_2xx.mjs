// The receiver says 2xx, and the program dies before it has that on disk: the event comes once
// more, with the same id and bytes, and never again.
import { eventually } from '../e2e/harness.mjs';
import { Violation, attach } from './rig.mjs';

export const id = 'R3';
export const title = 'crash between a 2xx and its commit: one more call, no third';
export const needs = ['strace'];
export const rounds = 30;
export const minutes = 2;

// After the event's own commit, the next one is held up for as long as it takes to kill it.
const SLOW = 'fdatasync,fsync:delay_enter=5000000:when=2+';

async function crash(t, oracle, server, answered) {
  const before = oracle.duplicates;
  const detach = await attach(server.child.pid, SLOW);
  if ((await oracle.post(server, 1)) !== 202) throw new Error('the event was not taken');
  const newest = [...oracle.acked.keys()].at(-1);
  await eventually('the receiver has said 2xx', () => answered(newest));
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

async function crashes(t, answer, rounds) {
  const oracle = t.oracle();
  let server = await t.start();
  await server.channel('c');
  const hook = await oracle.webhook(server, { answer });
  for (const round of t.cycle(rounds)) {
    await t.survive(async () => {
      server = await crash(t, oracle, server, (event) => hook.calls.get(event)?.last?.answeredAt);
      return round;
    });
  }
  await server.stop();
}

export const run = (t) => crashes(t, undefined, t.most);

// A receiver that says 503 twice: more calls than one, so the count above must say so.
export const control = (t) =>
  crashes(t, (res, call, nth) => {
    const status = nth > 2 ? 200 : 503;
    res.writeHead(status).end();
    return status;
  }, 1);
