// What a fault's module is given: folders, randomness from the run's seed, rounds within its
// share of the time, the program and its broken build, and counters for the table.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  accessSync, constants, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { BIN, ROOT, Server, temporaryFolder, within } from '../e2e/harness.mjs';
import { Oracle, Violation } from './oracle.mjs';

export { Oracle, Violation };

// mulberry32
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const FAULTY = path.resolve(process.env.PUSHWIRE_FAULTS_BIN ?? path.join(ROOT, 'build-faults/pushwire'));

// Whoever is interrupted leaves no mount and no namespace behind. Before the harness, which
// removes folders.
const live = new Set();
process.prependListener('exit', () => {
  for (const rig of live) {
    for (const server of rig.servers) if (!server.end) server.signal('SIGKILL');
    for (const what of rig.later.reverse()) {
      try {
        what();
      } catch {
        // the others still have to go
      }
    }
  }
});

export class Rig {
  constructor({ fault, seed, rounds, minutes, say }) {
    this.fault = fault;
    this.seed = seed;
    this.draw = random(seed);
    this.most = rounds;
    this.end = performance.now() + minutes * 60_000;
    this.minutes = minutes;
    this.say = say;
    this.bin = BIN;
    this.tried = this.survived = this.lost = this.duplicates = 0;
    this.servers = new Set();
    this.oracles = new Set();
    this.later = [];
    this.notes = [];
    live.add(this);
  }

  // Runs when the fault is over, whatever came of it.
  after(what) {
    this.later.push(what);
  }

  // A line below the table: a figure to look at, that nothing depends on.
  note(what) {
    this.notes.push(what);
  }

  folder() {
    return temporaryFolder();
  }

  integer(below) {
    return Math.floor(this.draw() * below);
  }

  // The numbers of the rounds: until there were enough, or the fault's share of the time is
  // over; always at least one.
  *cycle(most = this.most) {
    for (let n = 1; n <= most; n++) {
      if (n > 1 && performance.now() > this.end) return;
      this.say(`${n}/${most}`);
      yield n;
    }
  }

  oracle(options) {
    const oracle = new Oracle(options);
    this.oracles.add(oracle);
    return oracle;
  }

  // Its options are the harness's, with `fault: 'switch'` for a program that is broken so. A backlog goes out as fast as
  // it can, unless `args` say otherwise.
  async start({ fault, env = {}, args = ['--drain-rate', '0', '--drain-total', '0'], ...options } = {}) {
    const server = new Server({
      args,
      bin: fault ? FAULTY : this.bin,
      env: fault ? { ...env, PUSHWIRE_FAULT: fault } : env,
      ...options,
    });
    this.servers.add(server);
    await server.listening();
    if (fault && !server.output.includes('fault: ')) throw new Error('the control run breaks nothing');
    const key = path.join(server.data, 'admin.key');
    if (existsSync(key)) server.key = readFileSync(key, 'utf8').trim(); // else it is of another store
    return server;
  }

  // Likewise for what may die while it starts: null when it did.
  async startOrNot(options) {
    try {
      return await this.start(options);
    } catch (error) {
      if (/ended without/.test(error.message)) return null;
      throw error;
    }
  }

  // One trial that was survived, unless it throws.
  async survive(trial) {
    this.tried++;
    const given = await trial();
    this.survived++;
    return given;
  }

  // SQLite's own opinion of a data folder that nobody uses.
  integrity(data) {
    const copy = temporaryFolder();
    for (const name of readdirSync(data)) {
      if (name.startsWith('pushwire.db')) copyFileSync(path.join(data, name), path.join(copy, name));
    }
    const said = execFileSync('sqlite3', [path.join(copy, 'pushwire.db'), 'PRAGMA integrity_check'], {
      encoding: 'utf8',
    }).trim();
    if (said !== 'ok') throw new Violation(`integrity check: ${said}`);
  }

  async close() {
    for (const oracle of this.oracles) {
      this.lost += oracle.lost ?? 0;
      this.duplicates += oracle.duplicates;
      await oracle.close();
    }
    for (const server of this.servers) if (!server.end) await server.stop('SIGKILL');
    for (const what of this.later.reverse()) await what();
    live.delete(this);
  }
}

// The environment of a program whose C library fails as preload.c says.
let preloaded;
export function preload(words) {
  if (!preloaded) {
    preloaded = path.join(temporaryFolder(), 'preload.so');
    const source = path.join(ROOT, 'tests/torture/preload.c');
    execFileSync('cc', ['-O1', '-fno-builtin', '-shared', '-fPIC', '-o', preloaded, source]);
  }
  return { LD_PRELOAD: preloaded, PUSHWIRE_PRELOAD: words };
}

// ---- a limit of memory, as a container sets it ----

// Where groups with a limit can be made, and what the files there are called; null: nowhere.
function memoryGroups() {
  if (existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes')) {
    return { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', events: 'memory.oom_control' };
  }
  const can = '/sys/fs/cgroup/cgroup.subtree_control';
  if (existsSync(can) && readFileSync(can, 'utf8').includes('memory')) {
    return { root: '/sys/fs/cgroup', limit: 'memory.max', events: 'memory.events' };
  }
  return null;
}

// A group with so many bytes: `wrap` starts the program in it, `kills` says how many of it the
// system has killed.
export function memoryLimit(t, bytes) {
  const { root: parent, limit, events } = memoryGroups();
  const group = path.join(parent, `pushwire-torture-${process.pid}-${t.tried}-${Math.floor(t.draw() * 1e6)}`);
  mkdirSync(group);
  t.after(() => rmdirSync(group));
  writeFileSync(path.join(group, limit), `${bytes}`);
  return {
    wrap: ['/bin/sh', '-c', `echo $$ >${group}/cgroup.procs; exec "$@"`, 'sh'],
    kills: () => Number(/oom_kill (\d+)/.exec(readFileSync(path.join(group, events), 'utf8'))[1]),
  };
}

// ---- what a fault may need, and whether it is here ----

const onPath = (name) =>
  (process.env.PATH ?? '').split(':').some((folder) => {
    try {
      accessSync(path.join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
const runs = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const root = () => process.getuid() === 0;

const NEEDS = {
  root,
  strace: () => onPath('strace') && runs('strace', '-D', '-f', '-o', '/dev/null', '-e', 'trace=none', 'true'),
  sqlite3: () => onPath('sqlite3'),
  cc: () => onPath('cc') || onPath('gcc'),
  faults: () => existsSync(FAULTY),
  faketime: () => onPath('faketime'),
  nft: () => root() && onPath('nft'),
  tc: () => root() && onPath('tc'),
  netns: () => root() && onPath('ip') && runs('unshare', '-n', 'true'),
  loop: () => root() && onPath('mkfs.ext4') && existsSync('/dev/loop-control') && runs('losetup', '-f'),
  ext4: () => NEEDS.loop(),
  cgroup: () => root() && memoryGroups() !== null,
  tmpfs: () => root() && runs('unshare', '-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'),
};

// The first need that this machine does not meet, or null.
export function unmet(needs = []) {
  for (const need of needs) {
    if (!NEEDS[need]) throw new Error(`no need is called ${need}`);
    if (!NEEDS[need]()) return need;
  }
  return null;
}

// ---- strace as the one who injects ----

function injecting(inject, log) {
  const all = [inject].flat();
  const calls = [...new Set(all.flatMap((each) => each.split(':')[0].split(',')))].join(',');
  const rules = all.flatMap((each) => ['-e', `inject=${each}`]);
  return ['-f', '--signal=none', '-o', log, '-e', `trace=${calls}`, ...rules];
}

// A prefix for `wrap`: the program runs as the child, traced from outside. `inject` is one or
// more of strace's own expressions, as 'fdatasync,fsync:error=EIO:when=3'. It counts for each
// thread alone: the first calls of the store's thread are reached by `attach`, after the start.
export function strace(inject, { log = '/dev/null' } = {}) {
  return ['strace', '-D', '-qq', ...injecting(inject, log)];
}

// The same for a program that runs. Gives what ends it; the program goes on then.
export async function attach(pid, inject, { log = '/dev/null' } = {}) {
  const tracer = spawn('strace', ['-p', `${pid}`, ...injecting(inject, log)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(tracer, 'close');
  const lines = createInterface({ input: tracer.stderr });
  const attached = new Promise((resolve, reject) => {
    lines.on('line', (line) => (/attached/.test(line) ? resolve() : null));
    ended.then(() => reject(new Error('strace ended before it was attached')));
  });
  await within(attached, 'strace to be attached');
  return async () => {
    tracer.kill('SIGTERM');
    await within(ended, 'strace to end');
  };
}
