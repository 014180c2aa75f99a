// Some write of some page comes to the disk in part, and the program dies with it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pause } from '../e2e/harness.mjs';
import { preload } from './rig.mjs';

export const id = 'R19';
export const title = 'a torn write: a part of it is there, and the program is dead';
export const needs = ['cc', 'sqlite3'];
export const rounds = 60;
export const minutes = 2;

// Gives whether it died by itself.
async function life(t, oracle, server, end) {
  if (!server) return true;
  const load = Array.from({ length: 2 }, () => oracle.load(server, { draw: t.draw, most: 20, until: () => server.end }));
  await Promise.race([server.ended, pause(250)]);
  const died = Boolean(server.end);
  await server.stop(end);
  await Promise.all(load);
  return died;
}

export async function run(t) {
  const oracle = t.oracle();
  let server = await t.start();
  await server.channel('c');
  await oracle.webhook(server);
  const { dir, data } = server;
  await server.stop();
  await oracle.crashed();
  const file = path.join(dir, 'data/count');
  server = await t.start({ dir, env: preload(`count=${file}`) });
  await life(t, oracle, server, 'SIGTERM');
  await oracle.crashed();
  const most = Number(readFileSync(file, 'utf8').split(' ')[1]);
  let torn = 0;
  for (const round of t.cycle()) {
    const words = `torn=${1 + t.integer(most)}:${t.draw() < 0.5 ? 512 * t.integer(8) : t.integer(4120)}`;
    await t.survive(async () => {
      t.say(`${round}/${t.most} ${words} of ${most}`);
      server = await t.startOrNot({ dir, env: preload(words) });
      torn += await life(t, oracle, server, 'SIGKILL');
      await oracle.crashed();
      t.integrity(data);
      const after = await t.start({ dir });
      await oracle.judge(after);
      await after.stop();
      await oracle.crashed();
    });
  }
  t.note(`${torn} of ${t.tried} lives reached the write that was torn`);
  if (torn === 0 && t.tried >= 10) throw new Error('no write was torn: that shows nothing');
}

// Writes that are torn and said to be whole, by a program that goes on: nobody could survive that.
export async function control(t) {
  const oracle = t.oracle();
  let server = await t.start();
  await server.channel('c');
  await oracle.webhook(server);
  const { dir } = server;
  await server.stop();
  await oracle.crashed();
  server = await t.startOrNot({ dir, env: preload('halved=20') });
  await life(t, oracle, server, 'SIGKILL');
  await oracle.crashed();
  const after = await t.startOrNot({ dir });
  if (!after) return true; // it says that the file is broken
  await oracle.judge(after, { quietMs: 3000 });
  return false;
}
