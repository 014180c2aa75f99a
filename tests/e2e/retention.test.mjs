// What has ended goes from a running server; what waits stays.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Server, click, eventually } from './harness.mjs';

const event = (server, id) => server.call('GET', `/v1/channels/c/events/${id}`);
const gone = (server, id) =>
  eventually(`${id} is gone`, async () => (await event(server, id)).status === 404);

test('what has succeeded goes after its time, what waits and what failed does not', async () => {
  const receiver = await Receiver.open((res, call) => {
    const { subscription } = JSON.parse(call.body);
    res.writeHead(subscription._id === 'good' ? 204 : 500).end();
  });
  const server = await Server.start({ args: ['--keep-succeeded', '1s', '--keep-failed', '1h'] });
  await server.channel('c');
  await server.webhook('c', receiver.url);
  const once = await server.webhook('c', receiver.url, { retry: { maxRetries: 0 } });
  const [good] = await server.send('c', click('c', 'good'));
  const [bad] = await server.send('c', click('c', 'bad'));
  await server.callsOf('c', good, 'succeeded', (call) => call.state === 'succeeded');
  await gone(server, good);
  const { calls } = await server.must('GET', `/v1/channels/c/events/${bad}`);
  assert.deepEqual(new Set(calls.map((call) => call.state)), new Set(['waiting', 'failed']));
  assert.equal(calls.find((call) => call.state === 'failed').webhook, once._id);
  const metrics = (await server.call('GET', '/metrics')).text;
  assert.match(metrics, /^pushwire_retention_rows_total\{rows="events"\} 1$/m);
  assert.match(metrics, /^pushwire_retention_rows_total\{rows="calls"\} 2$/m);
  assert.match(metrics, /^pushwire_calls\{state="succeeded"\} 0$/m);
  await server.line(/retention dropped=1/);
  assert.equal((await server.stop()).code, 0);
  await receiver.close();
});

test('beyond the bytes the oldest events go, and the rest can be listed all the while', async () => {
  const server = await Server.start({ args: ['--keep-bytes', '4MiB'] });
  await server.channel('c');
  const big = JSON.stringify({ ...click('c', 's'), filler: 'x'.repeat(5_000) });
  const ids = [];
  for (let n = 0; n < 20; n++) ids.push(...(await server.send('c', `[${Array(100).fill(big)}]`)));
  await gone(server, ids[0]);
  await gone(server, ids[800]);
  const rows = await server.list('/v1/channels/c/events');
  assert.equal(rows[0]._id, ids.at(-1));
  assert.deepEqual(rows.map((row) => row._id), ids.slice(-rows.length).reverse());
  assert.equal((await server.stop()).code, 0);
});
