// The n-th allocation fails, once or from then on, anywhere: in the start, under load, in a
// library. The program answers an error or ends; it is never wrong, and the next start has all.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pause } from '../e2e/harness.mjs';
import { Violation, preload } from './rig.mjs';

export const id = 'R4';
export const title = 'the n-th allocation fails, once or for ever';
export const needs = ['cc', 'sqlite3'];
export const controlNeeds = ['faults'];
export const rounds = 60;
export const minutes = 2;

const FATAL = new Set(['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE']);

async function life(t, oracle, server) {
  if (!server) return;
  const posts = Array.from({ length: 2 }, async () => {
    for (let i = 0; i < 8 && !server.end; i++) {
      try {
        await oracle.post(server, 1 + t.integer(5));
      } catch {
        return;
      }
    }
  });
  await Promise.all(posts);
  await pause(50);
  await oracle.observe(server);
  await server.stop(server.end ? 'SIGKILL' : 'SIGTERM');
  if (FATAL.has(server.end.signal)) throw new Violation(`it ended by ${server.end.signal}`);
}

async function allocations(t, oracle, dir) {
  const file = path.join(dir, 'data/count');
  const server = await t.start({ dir, env: preload(`count=${file}`) });
  await life(t, oracle, server);
  await oracle.crashed();
  return Number(readFileSync(file, 'utf8').split(' ')[0]);
}

async function prepare(t, fault) {
  const oracle = t.oracle();
  const server = await t.start({ fault });
  await server.channel('c');
  await oracle.webhook(server);
  await server.stop(fault ? 'SIGKILL' : 'SIGTERM');
  await oracle.crashed();
  return { oracle, dir: server.dir, data: server.data };
}

export async function run(t) {
  const { oracle, dir, data } = await prepare(t);
  const most = await allocations(t, oracle, dir);
  for (const round of t.cycle()) {
    const n = 1 + t.integer(most);
    const words = `malloc=${n}${round % 2 ? '' : '+'}`;
    await t.survive(async () => {
      t.say(`${round}/${t.most} ${words} of ${most}`);
      const server = await t.startOrNot({ dir, env: preload(words) });
      await life(t, oracle, server);
      await oracle.crashed();
      t.integrity(data);
    });
  }
  const after = await t.start({ dir });
  await oracle.judge(after);
  await after.stop();
}

export async function control(t) {
  const { oracle, dir } = await prepare(t, 'acked-early');
  for (const round of t.cycle(6)) {
    const server = await t.startOrNot({ dir, fault: 'acked-early', env: preload(`malloc=${3000 + 700 * round}+`) });
    await life(t, oracle, server);
    await oracle.crashed();
  }
  const after = await t.start({ dir });
  await oracle.judge(after, { quietMs: 3000 });
}
