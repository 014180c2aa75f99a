// How often one may ask with a key, and with none that is right; public routes are in sdk_public.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import { Server, within } from './harness.mjs';

const server = await Server.start({ args: ['--key-rate', '1', '--key-burst', '20'] });
const other = (await server.must('POST', '/v1/keys', { body: { role: 'read' } })).key;

// Pipelines requests, each with the next key, and counts the statuses of their answers.
async function ask(keys) {
  const { hostname, port } = new URL(server.url);
  const socket = net.connect({ host: hostname, port });
  const seen = {};
  let rest = '';
  socket.on('data', (part) => {
    const text = rest + part.toString('latin1');
    for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d+) /g)) seen[status] = (seen[status] ?? 0) + 1;
    rest = text.slice(-12).replace(/HTTP\/1\.1 \d+ /, '');
  });
  for (let at = 0; at < keys.length; at += 500) {
    const requests = keys.slice(at, at + 500).map((key, i) =>
      `GET /v1/channels HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n` +
      `${at + i === keys.length - 1 ? 'Connection: close\r\n' : ''}\r\n`);
    if (!socket.write(requests.join(''))) await once(socket, 'drain');
  }
  await within(once(socket, 'close'), 'all answers');
  return seen;
}

test('a key that asks ten times as often as it may is told to wait, and another is not', async () => {
  const seen = await ask(Array(200).fill(server.key));
  assert.equal(seen[200] + seen[429], 200);
  assert.ok(seen[429] >= 100, JSON.stringify(seen));
  const told = await server.call('GET', '/v1/channels');
  assert.equal(told.status, 429);
  assert.ok(Number(told.headers['retry-after']) >= 1);
  assert.equal((await server.call('GET', '/v1/channels', { key: other })).status, 200);
});

test('a hundred thousand wrong keys are told to wait, take no memory, and hold up no right one', async () => {
  const memoryKiB = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]);
  const wrong = (n, from) => Array.from({ length: n }, (_, i) => `pk_${(from + i).toString(36).padStart(40, '0')}`);
  const first = await ask(wrong(2000, 0));
  assert.equal(first[401] + first[429], 2000);
  assert.ok(first[401] >= 1000 && first[429] >= 1, JSON.stringify(first));
  const before = memoryKiB();
  const seen = await ask(wrong(100_000, 2000));
  assert.equal((seen[401] ?? 0) + seen[429], 100_000);
  assert.ok(memoryKiB() - before < 4096, `${before} KiB became ${memoryKiB()}`);
  assert.equal((await server.call('GET', '/v1/channels', { key: other })).status, 200);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
