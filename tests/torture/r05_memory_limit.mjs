// A container's limit of memory with a million events that wait: the server stays a fifth below
// it, and says 503 before that is not enough.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { Receiver, click, pause, within } from '../e2e/harness.mjs';
import { Violation, memoryLimit } from './rig.mjs';

export const id = 'R5';
export const title = '128 MB of memory, a million events wait, large requests';
export const needs = ['root', 'cgroup'];
export const rounds = 1;
export const minutes = 3;

const LIMIT = 128 * 1024 * 1024;
const WAITING = process.env.SMOKE ? 50_000 : 1_000_000;
const UPLOADS = 100;

const peak = (server) => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]);

async function fill(server) {
  let sent = 0;
  const post = async () => {
    while (sent < WAITING) {
      const n = sent;
      sent += 1000;
      const body = Array.from({ length: 1000 }, (_, i) => click('c', `subscription-${n + i}`));
      const { status, headers } = await server.call('POST', '/v1/channels/c/events', { body });
      if (status === 202) continue;
      if ((status !== 429 && status !== 503) || !headers['retry-after']) throw new Violation(`answered ${status}`);
      sent -= 1000;
    }
  };
  await Promise.all(Array.from({ length: 8 }, post));
}

// Clients that send all of a large request but its last byte, and wait. Gives how many were told to
// come again.
async function hold(server) {
  const { hostname, port } = new URL(server.url);
  const body = Buffer.alloc(1024 * 1024, 0x20);
  const head = `POST /v1/channels/c/events HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${server.key}\r\n`
    + `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  let refused = 0;
  const clients = Array.from({ length: UPLOADS }, () => {
    const socket = net.connect({ host: hostname, port }, () => {
      socket.write(head);
      socket.write(body.subarray(1));
    });
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      if (/^HTTP\/1.1 503/.test(bytes.toString('latin1'))) refused++;
    });
    return socket;
  });
  await pause(3000); // all that fits is there, and the rest thrown away
  // A refusal is told when the request has ended.
  const answers = clients.map((socket) => new Promise((resolve) => {
    socket.on('data', resolve);
    socket.on('close', resolve);
    socket.write(body.subarray(0, 1));
  }));
  await within(Promise.all(answers), 'an answer to each large request');
  for (const socket of clients) socket.destroy();
  return refused;
}

async function limited(t, args) {
  const group = memoryLimit(t, LIMIT);
  const receiver = await Receiver.open(() => {}); // never answers
  t.after(() => receiver.close());
  const server = await t.start({ args: ['--deadline', '300s', ...args], wrap: group.wrap });
  await server.channel('c');
  await server.webhook('c', receiver.url);
  await t.survive(async () => {
    let refused;
    try {
      await fill(server);
      refused = await hold(server);
    } catch (error) {
      if (group.kills() > 0) throw new Violation('the system killed it');
      throw error;
    }
    if (server.end || group.kills() > 0) throw new Violation('the system killed it');
    const most = peak(server);
    t.say(`peak ${(most / 2 ** 20).toFixed(0)} MiB, ${refused} of ${UPLOADS} large requests refused`);
    if (most > LIMIT * 0.8) throw new Violation(`it took ${(most / 2 ** 20).toFixed(0)} MiB of 128`);
    if (refused === 0) throw new Violation('no large request was refused');
    if ((await server.call('GET', '/healthz')).status !== 200) throw new Violation('it does not answer');
  });
  await server.stop();
}

export const run = (t) => limited(t, ['--max-memory', '128MiB']);
// One that believes in more memory than there is.
export const control = (t) => limited(t, ['--ingest-memory', '512MiB', '--sender-memory', '256MiB', '--cache', '256MiB']);
