// SIGTERM under load, again and again: it finishes or gives back what is in flight, ends with 0,
// and what was finished never comes again.
import { pause } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

export const id = 'R9';
export const title = 'SIGTERM under load: exit 0, and nothing finished comes again';
export const needs = ['sqlite3'];
export const rounds = 50;
export const minutes = 2;

async function ends(t, signal) {
  const oracle = t.oracle();
  oracle.perCrash = 0;
  let server = await t.start();
  await server.channel('c');
  await oracle.webhook(server);
  for (const round of t.cycle(signal === 'SIGKILL' ? 20 : t.most)) {
    await t.survive(async () => {
      const load = Array.from({ length: 4 }, () => oracle.load(server, { draw: t.draw, until: () => Boolean(server.end) }));
      await pause(t.draw() * 300);
      await server.stop(signal);
      await Promise.all(load);
      const { code } = server.end;
      if (signal === 'SIGTERM' && code !== 0) throw new Violation(`round ${round}: it ended with ${code}`);
      await oracle.crashed();
      server = await t.start({ dir: server.dir });
      oracle.throwIfWrong();
    });
  }
  await oracle.judge(server);
  await server.stop();
  t.integrity(server.data);
}

export const run = (t) => ends(t, 'SIGTERM');
// A kill does repeat what nobody had heard of.
export const control = (t) => ends(t, 'SIGKILL');
