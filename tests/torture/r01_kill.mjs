// kill -9 at random moments under load, again and again, on one data folder.
import { pause } from '../e2e/harness.mjs';

export const id = 'R1';
export const title = 'kill -9 at random moments under load';
export const needs = ['sqlite3'];
export const controlNeeds = ['faults'];
export const rounds = 200;
export const minutes = 4;

async function kills(t, fault) {
  const oracle = t.oracle();
  let server = await t.start({ fault });
  await server.channel('c');
  await oracle.webhook(server);
  await oracle.webhook(server, {
    // Refuses each event's first call.
    answer: (res, call, nth) => {
      const status = nth === 1 ? 500 : 200;
      res.writeHead(status).end();
      return status;
    },
  });
  for (const round of t.cycle(fault ? 3 : t.most)) {
    await t.survive(async () => {
      const load = Array.from({ length: 4 }, () => oracle.load(server, { draw: t.draw }));
      await pause(t.draw() * 400);
      await oracle.observe(server);
      await server.stop('SIGKILL');
      await Promise.all(load);
      await oracle.crashed();
      server = await t.start({ dir: server.dir, fault });
      if (round % 10 === 0) oracle.throwIfWrong();
    });
  }
  await oracle.judge(server, fault ? { quietMs: 4000 } : {});
  await server.stop();
  t.integrity(server.data);
}

export const run = (t) => kills(t);
export const control = (t) => kills(t, 'acked-early');
