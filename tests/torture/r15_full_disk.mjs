// A disk fills up, by events and by another program, with and without kill -9 while it is full:
// what is new is refused in time, nothing acknowledged is lost, nothing is sent again and again,
// the processor rests, and it goes on by itself when there is space.
import { readFileSync } from 'node:fs';
import { Disk } from '../e2e/disk.mjs';
import { eventually, pause } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

export const id = 'R15';
export const title = 'a disk that is full';
export const needs = ['root', 'loop'];
export const rounds = 6;
export const minutes = 1;

const MIB = 1 << 20;
const WATCH_S = 2;
const BUSY = 0.2;

const ready = async (server) => (await server.call('GET', '/readyz', { key: null })).status === 200;

// Of one processor, over a while.
async function busy(server) {
  const ticks = () => {
    const fields = readFileSync(`/proc/${server.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = ticks();
  await pause(WATCH_S * 1000);
  return (ticks() - before) / 100 / WATCH_S;
}

async function full(t, reserve) {
  const disk = Disk.make(512);
  if (typeof disk === 'string') throw new Error(disk);
  t.after(() => disk.close());
  const args = ['--disk-reserve', reserve];
  const oracle = t.oracle();
  let server = await t.start({ dir: disk.dir, args });
  await server.channel('c');
  await oracle.webhook(server);
  for (const round of t.cycle()) {
    await t.survive(async () => {
      disk.fill(28 * MIB);
      while ((await oracle.post(server, 3, { more: { text: 'x'.repeat(50_000) } })) === 202);
      if (disk.free() < 2 * MIB) throw new Violation('events were taken until nothing was left for outcomes');
      disk.fill();
      const share = await busy(server);
      if (share > BUSY) throw new Violation(`${Math.round(share * 100)} % of a processor while the disk is full`);
      if (round % 2 === 0) {
        await server.stop('SIGKILL');
        await oracle.crashed();
        server = await t.start({ dir: disk.dir, args });
      }
      disk.unfill();
      await eventually('there is room again', () => ready(server));
      if ((await oracle.post(server)) !== 202) throw new Violation('it does not go on');
      oracle.throwIfWrong();
    });
  }
  await oracle.judge(server);
  await server.stop();
}

export const run = (t) => full(t, '16MiB');
export const control = (t) => full(t, '0');
