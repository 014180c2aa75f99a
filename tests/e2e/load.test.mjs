// Everything at once: events, configuration, reads, retries and metrics from many connections. Run
// with the thread sanitizer, which makes each race a failure at the end.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Server, click } from './harness.mjs';

const ROUNDS = 40;

test('all kinds of requests at once leave no event behind', async (t) => {
  const server = await Server.start({ args: ['--senders', '2', '--api-threads', '2'] });
  let refusals = 0;
  const receiver = await Receiver.open((res) => res.writeHead(++refusals % 10 === 0 ? 503 : 200).end('thanks'));
  t.after(() => receiver.close());
  const channels = ['c0', 'c1', 'c2'];
  const retry = { maxRetries: 20, initialDelay: 1, factor: 1, maxDelay: 1 };
  for (const channel of channels) {
    await server.channel(channel);
    await server.webhook(channel, receiver.url, { retry });
  }

  const sent = new Map(channels.map((channel) => [channel, []]));
  const producer = async (channel, who) => {
    for (let round = 0; round < ROUNDS; round++) {
      const batch = Array.from({ length: 10 }, (_, i) => click(channel, `s${who}-${round}-${i}`));
      sent.get(channel).push(...(await server.send(channel, batch)));
    }
  };
  const changer = async (channel) => {
    for (let round = 0; round < ROUNDS / 4; round++) {
      const webhook = await server.webhook(channel, receiver.url, { events: ['optOut', 'click'] });
      const target = `/v1/channels/${channel}/webhooks/${webhook._id}`;
      await server.must('PATCH', target, { body: { enabled: false } });
      await server.must('PATCH', target, { body: { enabled: true, url: `${receiver.url}new` } });
      if (round % 2 === 0) await server.call('DELETE', target);
    }
  };
  const reader = async (channel) => {
    for (let round = 0; round < ROUNDS / 2; round++) {
      await server.must('GET', `/v1/channels/${channel}/events?limit=5`);
      const { data } = await server.must('GET', `/v1/channels/${channel}/calls?limit=5`);
      for (const call of data) await server.must('GET', `/v1/channels/${channel}/calls/${call._id}`);
      if (data.length > 0) await server.call('POST', `/v1/channels/${channel}/calls/${data[0]._id}/retry`);
      assert.equal((await server.call('GET', '/metrics')).status, 200);
    }
  };
  const keys = async (channel) => {
    for (let round = 0; round < ROUNDS / 4; round++) {
      const key = await server.must('POST', '/v1/keys', { body: { role: 'ingest', channel } });
      const answer = await server.call('POST', `/v1/channels/${channel}/events`, {
        body: click(channel, `k${round}`), key: key.key,
      });
      assert.equal(answer.status, 202);
      await server.call('DELETE', `/v1/keys/${key._id}`);
    }
  };
  await Promise.all(channels.flatMap((channel) => [
    producer(channel, 'a'), producer(channel, 'b'), changer(channel), reader(channel), keys(channel),
  ]));

  const all = channels.flatMap((channel) => sent.get(channel));
  assert.equal(new Set(all).size, channels.length * 2 * ROUNDS * 10);
  await receiver.arrivals.until('every event', (calls) => {
    if (calls.length < all.length) return false;
    const got = new Set(calls.map((call) => call.id));
    return all.every((id) => got.has(id));
  });
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.output);
});
