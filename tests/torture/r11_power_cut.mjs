// The power fails under load: an ext4 of its own, on a loop device, is shut down without writing
// its journal out. What was acknowledged was synced, so it is there after the next mount.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ROOT, pause } from '../e2e/harness.mjs';
import { strace } from './rig.mjs';

const IMAGE_BYTES = 512 << 20;

const sh = (...argv) => execFileSync(argv[0], argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });

function disk(t) {
  const folder = t.folder();
  const [image, mount, cutter] = ['image', 'mount', 'powercut'].map((name) => path.join(folder, name));
  let mounted = false;
  mkdirSync(mount);
  sh('truncate', '-s', `${IMAGE_BYTES}`, image);
  sh('mkfs.ext4', '-q', '-m', '0', image);
  sh('cc', '-o', cutter, path.join(ROOT, 'tests/torture/powercut.c'));
  const self = {
    mount,
    on() {
      sh('mount', '-o', 'loop', image, mount);
      mounted = true;
    },
    cut: () => sh(cutter, mount),
    off() {
      if (mounted) sh('umount', mount);
      mounted = false;
    },
  };
  t.after(() => mounted && sh('umount', '-l', mount)); // even if somebody is in there still
  self.on();
  return self;
}

async function cuts(t, { rounds, options = {}, end = (card) => card.cut(), quietMs }) {
  const card = disk(t);
  const oracle = t.oracle();
  let server = await t.start({ dir: card.mount, ...options });
  await server.channel('c');
  await oracle.webhook(server);
  if (options.wrap || options.fault) sh('sync', '-f', card.mount); // the beginning is not what is tried
  for (const round of t.cycle(rounds)) {
    await t.survive(async () => {
      t.say(`cut ${round}`);
      const load = Array.from({ length: 4 }, () =>
        oracle.load(server, { draw: t.draw, most: 20, until: () => Boolean(server.end) }));
      await pause(50 + t.draw() * 600);
      end(card);
      await server.stop('SIGKILL');
      await Promise.all(load);
      await oracle.crashed();
      card.off();
      card.on();
      t.integrity(server.data);
      server = await t.start({ dir: card.mount, ...options });
      await oracle.judge(server, { quietMs });
    });
  }
  await server.stop();
}

const powerCut = {
  id: 'R11',
  title: 'power loss: ext4 shut down without its journal',
  needs: ['root', 'loop', 'cc', 'sqlite3'],
  controlNeeds: ['faults'],
  rounds: 30,
  minutes: 3,
  run: (t) => cuts(t, { rounds: t.most }),
  control: (t) => damaged(() => cuts(t, { rounds: 8, options: { fault: 'sync-off' }, quietMs: 3000 })),
};

// A disk that says it has synced and has not: nobody can notice, and nothing is promised. That
// it is harmless without a power loss, and that a power loss shows it, is shown here.
const lyingDisk = {
  id: 'R13',
  title: 'an fsync that lies: nothing is lost until the power is',
  needs: ['root', 'loop', 'cc', 'sqlite3', 'strace'],
  rounds: 5,
  minutes: 1,
  run: (t) => cuts(t, { rounds: t.most, options: { wrap: strace(LIES) }, end: () => {} }),
  control: (t) => damaged(() => cuts(t, { rounds: 8, options: { wrap: strace(LIES) }, quietMs: 3000 })),
};

const LIES = 'fdatasync,fsync:retval=0';

// A file that the program refuses, or that is gone, is a loss that was noticed.
async function damaged(trial) {
  try {
    await trial();
  } catch (error) {
    if (!/ended without|unable to open|no such table|malformed/.test(error.message)) throw error;
    return true;
  }
  return false;
}

export default [powerCut, lyingDisk];
