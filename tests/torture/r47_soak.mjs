// Load for as long as asked, with a fault now and then by the seed; then the same without faults,
// in which memory, descriptors and the log of the database must not grow.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { eventually, pause } from '../e2e/harness.mjs';
import { Violation, attach } from './rig.mjs';

export const id = 'R47';
export const title = 'soak: load, faults by the seed, then flat memory and files';
export const needs = ['strace', 'sqlite3'];
export const controlNeeds = ['faults'];
export const rounds = 1000;
export const minutes = 4;

const UNITS = { s: 1000, m: 60_000, h: 3_600_000 };
const WAL_MAX = 64 << 20;
const FD_SLACK = 64;
const RSS_NOISE = 12 << 20;
const RSS_PER_HOUR = 1 << 20;
const EVERY_MS = 25; // between a client's requests: a soak, no burst

function duration(t) {
  const asked = /^(\d+)([smh])$/.exec(process.env.SOAK ?? '');
  return asked ? Number(asked[1]) * UNITS[asked[2]] : t.minutes * 60_000 * 0.8;
}

async function steadily(oracle, server, until) {
  while (!until() && !server.end) {
    await oracle.post(server, 1 + Math.floor(Math.random() * 5));
    await pause(EVERY_MS);
  }
}

const faults = {
  async kill(t, server) {
    await server.stop('SIGKILL');
  },
  async end(t, server) {
    await server.stop('SIGTERM');
    if (server.end.code !== 0) throw new Violation(`SIGTERM: it ended with ${server.end.code ?? server.end.signal}`);
  },
  async stop(t, server, oracle) {
    const since = performance.now() - 50;
    server.signal('SIGSTOP');
    await pause(500 + t.draw() * 1500);
    server.signal('SIGCONT');
    await pause(500);
    oracle.doubt(since);
  },
  async fsync(t, server) {
    const detach = await attach(server.child.pid, `fdatasync,fsync:error=EIO:when=${1 + t.integer(5)}`);
    await eventually('it ends, as nothing may be believed any more', () => server.end);
    await detach();
    if (server.end.code !== 1) throw new Violation(`a failed fsync: it ended with ${server.end.code ?? server.end.signal}`);
  },
};

async function stormy(t, oracle, begin, until) {
  let server = begin;
  for (const round of t.cycle()) {
    if (until()) break;
    let enough = false;
    const load = Array.from({ length: 3 }, () => steadily(oracle, server, () => enough));
    await pause(300 + t.draw() * 3000);
    await oracle.observe(server);
    const names = Object.keys(faults);
    const name = names[t.integer(names.length)];
    await t.survive(async () => {
      t.say(`${name}, round ${round}`);
      await faults[name](t, server, oracle);
      enough = true;
      await Promise.all(load);
      if (!server.end) return;
      await oracle.crashed();
      server = await t.start({ dir: server.dir });
      oracle.throwIfWrong();
    });
  }
  return server;
}

function sample(server) {
  const { pid } = server.child;
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
  const wal = readdirSync(server.data).filter((name) => name.endsWith('-wal'))
    .reduce((sum, name) => sum + statSync(path.join(server.data, name)).size, 0);
  return { rss, wal, fds: readdirSync(`/proc/${pid}/fd`).length };
}

const median = (rows, of) => rows.map(of).sort((a, b) => a - b)[Math.floor(rows.length / 2)];

async function calm(t, oracle, server, ms) {
  const end = performance.now() + ms;
  const load = Array.from({ length: 3 }, () => steadily(oracle, server, () => performance.now() > end));
  const rows = [];
  while (performance.now() < end && !server.end) {
    rows.push(sample(server));
    t.say(`calm, ${Math.round((end - performance.now()) / 1000)} s left, RSS ${Math.round(rows.at(-1).rss / 1e6)} MB`);
    await pause(Math.max(50, ms / 200));
  }
  await Promise.all(load);
  await t.survive(async () => flat(rows, ms));
}

// The last third against the middle one: by then every buffer has its size.
function flat(rows, ms) {
  const third = Math.floor(rows.length / 3);
  const [middle, last] = [rows.slice(third, 2 * third), rows.slice(2 * third)];
  const grown = median(last, (row) => row.rss) - median(middle, (row) => row.rss);
  const most = RSS_NOISE + (RSS_PER_HOUR * ms) / 3 / UNITS.h;
  if (grown > most) throw new Violation(`memory grew by ${grown} bytes, more than ${Math.round(most)}`);
  const fds = median(last, (row) => row.fds) - median(middle, (row) => row.fds);
  if (fds > FD_SLACK) throw new Violation(`${fds} more descriptors than before`);
  const wal = Math.max(...rows.map((row) => row.wal));
  if (wal > WAL_MAX) throw new Violation(`the database's log had ${wal} bytes`);
}

export async function run(t) {
  const oracle = t.oracle();
  const ms = duration(t);
  const half = performance.now() + ms / 2;
  let server = await t.start();
  await server.channel('c');
  await oracle.webhook(server);
  await oracle.webhook(server, {
    answer: (res, call, nth) => {
      const status = nth === 1 && t.draw() < 0.2 ? 503 : 200;
      res.writeHead(status).end();
      return status;
    },
  });
  t.end = Infinity; // its own clock counts here
  server = await stormy(t, oracle, server, () => performance.now() > half);
  await calm(t, oracle, server, ms / 2);
  await oracle.judge(server);
  await server.stop();
  t.integrity(server.data);
}

// A program that acknowledges early, and dies now and then.
export async function control(t) {
  const oracle = t.oracle();
  let server = await t.start({ fault: 'acked-early' });
  await server.channel('c');
  await oracle.webhook(server);
  for (const round of t.cycle(5)) {
    let enough = false;
    const load = Array.from({ length: 3 }, () => steadily(oracle, server, () => enough));
    await pause(400);
    t.say(`round ${round}`);
    await server.stop('SIGKILL');
    enough = true;
    await Promise.all(load);
    await oracle.crashed();
    server = await t.start({ dir: server.dir, fault: 'acked-early' });
  }
  await oracle.judge(server, { quietMs: 3000 });
}
