// SIGSTOP under load for longer than attempts may take, and SIGCONT: it goes on where it was.
import { pause } from '../e2e/harness.mjs';

export const id = 'R8';
export const title = 'SIGSTOP for longer than a deadline, then SIGCONT';
export const needs = [];
export const rounds = 12;
export const minutes = 2;

const ARGS = ['--deadline', '1s'];

async function stopped(t, go) {
  const oracle = t.oracle();
  const server = await t.start({ args: ARGS });
  await server.channel('c');
  await oracle.webhook(server);
  await oracle.webhook(server, {
    // Slow enough to be under way when it stops.
    answer: async (res) => {
      await pause(t.draw() * 300);
      res.writeHead(200).end();
      return 200;
    },
  });
  for (const round of t.cycle(go ? t.most : 1)) {
    await t.survive(async () => {
      let enough = false;
      const load = Array.from({ length: 2 }, () => oracle.load(server, { draw: t.draw, most: 5, until: () => enough }));
      await pause(100 + t.draw() * 300);
      const since = performance.now() - 50;
      server.signal('SIGSTOP');
      enough = true;
      await pause(1200 + t.draw() * 1500);
      if (go) server.signal('SIGCONT');
      else return;
      await Promise.all(load);
      oracle.doubt(since);
      await pause(300);
      oracle.doubt(since);
      oracle.throwIfWrong();
      t.say(`round ${round}`);
    });
  }
  await oracle.judge(server, go ? {} : { quietMs: 3000 });
  await server.stop();
}

export const run = (t) => stopped(t, true);
// It is never let go on: that nothing comes has to be noticed.
export const control = (t) => stopped(t, false);
