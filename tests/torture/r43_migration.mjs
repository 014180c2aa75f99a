// A data folder of the oldest schema, and a kill at every write of its migration: the next start
// makes the rest, and every row is there.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../e2e/harness.mjs';
import { Violation, strace } from './rig.mjs';

export const id = 'R43';
export const title = 'kill -9 at every write of a migration from schema 1';
export const needs = ['strace', 'sqlite3'];
export const rounds = 200;
export const minutes = 1;

const DURABLE = 'pwrite64,fdatasync,fsync,rename,renameat2,ftruncate,unlink';
// With its webhook disabled: nothing is to be sent, nothing added.
const FIRST = `${readFileSync(path.join(ROOT, 'tests/fixtures/schema/1.sql'), 'utf8')}
UPDATE webhook SET enabled = 0, disabled_reason = 'by request';`;
const COUNTS = ['channel', 'webhook', 'key', 'event', 'call', 'attempt']
  .map((table) => `SELECT '${table}', count(*) FROM ${table};`).join(' ');

const KEEP = ['--keep-succeeded', '0s', '--keep-failed', '0s'];

const file = (dir) => path.join(dir, 'data/pushwire.db');
const sqlite = (name, input) => execFileSync('sqlite3', [name], { input, encoding: 'utf8' });

function folder(t, sql = FIRST) {
  const dir = t.folder();
  mkdirSync(path.join(dir, 'data'), { mode: 0o700 });
  sqlite(file(dir), sql);
  return dir;
}

async function check(t, dir, want) {
  // Retention would take what ended long ago, before anybody looked.
  const server = await t.start({ dir, args: KEEP });
  await server.call('GET', '/readyz', { key: null });
  await server.stop();
  t.integrity(server.data);
  const got = sqlite(file(dir), COUNTS);
  if (got !== want) throw new Violation(`rows are missing: ${got.replaceAll('\n', ' ')}, not ${want.replaceAll('\n', ' ')}`);
}

export async function run(t) {
  const want = sqlite(file(folder(t)), COUNTS);
  let dead = true;
  for (const n of t.cycle()) {
    await t.survive(async () => {
      const dir = folder(t);
      const server = await t.startOrNot({ dir, args: KEEP, wrap: strace(`${DURABLE}:signal=KILL:when=${n}`) });
      dead = !server;
      if (server) await server.stop('SIGKILL');
      await check(t, dir, want);
    });
    if (!dead) break;
  }
}

// A row that somebody took away in the meantime.
export async function control(t) {
  const want = sqlite(file(folder(t)), COUNTS);
  await check(t, folder(t, `${FIRST} DELETE FROM attempt;`), want);
}
