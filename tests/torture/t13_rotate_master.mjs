// kill -9 of `pushwire key rotate-master` at the n-th system call that makes something durable,
// for every n until it ends without reaching it: a server that starts then has every secret.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { FAULTY, Violation, strace } from './rig.mjs';

export const id = 'T13';
export const title = 'kill -9 while the master key is changed';
export const needs = ['strace'];
export const controlNeeds = ['faults'];
export const rounds = 200;
export const minutes = 2;

const DURABLE = 'pwrite64,pwritev,fdatasync,fsync,rename,renameat2,ftruncate,unlink,write';
const WEBHOOKS = 120; // more than are sealed in one commit

async function prepare(t) {
  const server = await t.start();
  await server.channel('c');
  const secrets = new Map();
  for (let i = 0; i < WEBHOOKS; i++) {
    const { _id, secret } = await server.webhook('c', 'http://127.0.0.1:9/', { enabled: false });
    secrets.set(_id, secret);
  }
  await server.stop();
  return { dir: server.dir, data: server.data, secrets };
}

function rotate(t, data, n, fault) {
  const [command, ...args] = [
    ...strace(`${DURABLE}:signal=KILL:when=${n}`), fault ? FAULTY : t.bin, 'key', 'rotate-master', '--data', data,
  ];
  const env = fault ? { ...process.env, PUSHWIRE_FAULT: fault } : process.env;
  const done = spawnSync(command, args, { env, encoding: 'utf8', timeout: 60_000 });
  if (done.signal === 'SIGKILL') return true;
  if (done.status !== 0) throw new Error(`rotate-master: ${done.status ?? done.signal} ${done.stderr}`);
  return false;
}

async function judge(t, { dir, data, secrets }) {
  const server = await t.startOrNot({ dir });
  if (!server) throw new Violation('the store does not open after a rotation that was cut off');
  for (const [id, secret] of secrets) {
    const shown = await server.must('GET', `/v1/channels/c/webhooks/${id}/secret`);
    if (shown.secret !== secret) throw new Violation(`${id} has another secret`);
  }
  await server.stop();
  return readFileSync(path.join(data, 'master.key'), 'utf8').trim().split('\n').length;
}

export async function run(t) {
  const store = await prepare(t);
  let killed = true;
  for (const n of t.cycle()) {
    await t.survive(async () => {
      killed = rotate(t, store.data, n);
      await judge(t, store);
    });
    if (!killed) break;
  }
  // When it has ended, one key is left.
  rotate(t, store.data, 60_000);
  const keys = await judge(t, store);
  if (keys !== 1) throw new Violation(`${keys} keys are left`);
}

// A rotation that takes the old key out of the file before it has sealed everything anew.
export async function control(t) {
  for (const n of t.cycle(40)) {
    const store = await prepare(t);
    rotate(t, store.data, 1 + 2 * n, 'key-dropped-early');
    await judge(t, store);
  }
}
