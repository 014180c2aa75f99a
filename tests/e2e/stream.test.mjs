// What happens in a channel, as it happens, and for whoever comes again with the id of the last
// message it has: at least once and in order, whatever breaks.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { Receiver, Server, click, eventually, rawRequest, run, within } from './harness.mjs';
import { Stream, drain } from './stream.mjs';

const LONG_AGO = 'since=2024-03-01T00:00:00Z';
const server = await Server.start();
const receiver = await Receiver.open();
await server.channel('c');
const good = await server.webhook('c', receiver.url, { events: ['click', 'delivery'] });

test('events and attempts are told as they happen, in the order of their commits', async () => {
  const stream = await Stream.open(server, 'c');
  assert.equal(stream.status, 200);
  assert.equal(stream.response.headers['content-type'], 'text/event-stream');
  const ids = await server.send('c', [click('c', 'a'), click('c', 'b')]);
  await stream.until('two attempts', (s) => s.of('attempt').length === 2);

  const listed = await server.list('/v1/channels/c/events');
  assert.deepEqual(stream.of('event'), listed.reverse());
  assert.deepEqual(stream.of('event').map(({ _id }) => _id), ids);
  for (const attempt of stream.of('attempt')) {
    const call = await server.must('GET', `/v1/channels/c/calls/${attempt.call}`);
    const { n, at, durationMs, verdict, status, reason } = call.lastAttempt;
    assert.deepEqual(attempt, {
      call: call._id, event: call.event, webhook: good._id, type: 'click', subscription: call.subscription,
      n, at, durationMs, verdict, status, reason, state: 'succeeded', nextAttemptAt: null,
    });
    const order = stream.messages.all.map(({ data }) => data._id ?? data.event);
    assert.ok(order.indexOf(attempt.event) < order.lastIndexOf(attempt.event), 'first the event');
  }
  stream.close();
});

test('an attempt that fails says when the next one comes', async () => {
  const failing = await Receiver.open((res) => res.writeHead(503).end());
  await server.channel('failing');
  await server.webhook('failing', failing.url, { retry: { maxRetries: 1, initialDelay: 3600 } });
  const stream = await Stream.open(server, 'failing', { query: 'kind=attempt' });
  const [event] = await server.send('failing', click('failing', 'a'));
  await stream.until('an attempt', (s) => s.of('attempt').length === 1);
  const call = await server.callOf('failing', event, 'waiting');
  const [attempt] = stream.of('attempt');
  assert.deepEqual([attempt.state, attempt.status, attempt.verdict], ['waiting', 503, 'temporary']);
  assert.equal(attempt.nextAttemptAt, call.nextAttemptAt);

  await server.must('POST', `/v1/channels/failing/calls/${call._id}/retry`);
  await stream.until('another', (s) => s.of('attempt').length === 2);
  assert.equal(stream.of('attempt')[1].state, 'failed');
  assert.equal(stream.of('attempt')[1].nextAttemptAt, null);
  assert.equal(stream.of('event').length, 0, 'only what was asked for');
  stream.close();
  await failing.close();
});

test('a stream shows only what its filters let through', async () => {
  await server.channel('filters');
  const webhook = await server.webhook('filters', receiver.url, { events: ['click'] });
  const events = [
    click('filters', 'ann'), click('filters', 'bob'), { ...click('filters', 'ann'), type: 'delivery' },
  ];
  const [a, b, d] = await server.send('filters', events);
  await server.callOf('filters', a, 'succeeded');
  await server.callOf('filters', b, 'succeeded');
  const ids = async (query) => {
    const stream = await drain(server, 'filters', { query: `${LONG_AGO}&${query}` });
    return [stream.of('event').map(({ _id }) => _id).join(), stream.of('attempt').map(({ event }) => event).sort().join()];
  };
  const both = [a, b].sort().join();
  assert.deepEqual(await ids('kind=event,attempt'), [[a, b, d].join(), both]);
  assert.deepEqual(await ids('kind=event'), [[a, b, d].join(), '']);
  assert.deepEqual(await ids('type=delivery'), [d, '']);
  assert.deepEqual(await ids('subscription=ann'), [[a, d].join(), a]);
  assert.deepEqual(await ids(`webhook=${webhook._id}`), [[a, b].join(), both]);
  assert.deepEqual(await ids(`webhook=${good._id}`), ['', '']);
});

test('what makes no sense is refused with what would', async () => {
  const cases = [
    ['kind=calls', /kind: "calls" is not one of event, attempt/], ['follow=yes', /follow must be true or false/],
    ['after=evt_1', /after must be the id/], ['after=', /after must be the id/],
    [`after=${'0'.repeat(23)}`, /after must be the id/], [`after=${'f'.repeat(24)}`, /after must be the id/],
    [`after=${'0'.repeat(23)}A`, /after must be the id/],
    ['since=yesterday', /since must be a time/], ['limit=3', /unknown query parameter/],
  ];
  for (const [query, detail] of cases) {
    const answer = await server.call('GET', `/v1/channels/c/stream?${query}`);
    assert.equal(answer.status, 400, query);
    assert.match(answer.json.detail, detail);
  }
  const headers = { 'last-event-id': 'nonsense' };
  const answer = await server.call('GET', '/v1/channels/c/stream', { headers });
  assert.match(answer.json.detail, /^Last-Event-ID must be/);
});

test('from any message on, what follows it is told, and once', async () => {
  const whole = await drain(server, 'filters', { query: LONG_AGO });
  const all = whole.messages.all.filter(({ event }) => event !== 'gap');
  assert.equal(all.length, 5);
  for (let i = 0; i < all.length; i++) {
    const byHeader = await drain(server, 'filters', { headers: { 'last-event-id': all[i].id }, query: LONG_AGO });
    const byQuery = await drain(server, 'filters', { query: `after=${all[i].id}` });
    assert.deepEqual(byHeader.messages.all, all.slice(i + 1));
    assert.deepEqual(byQuery.messages.all, all.slice(i + 1));
  }
  const caughtUp = await drain(server, 'filters', { query: `after=${whole.lastId}` });
  assert.deepEqual(caughtUp.messages.all, []);
});

test('a place that is older than a week is told of as a gap', async () => {
  const stream = await drain(server, 'filters', { query: LONG_AGO });
  const [gap, ...more] = stream.of('gap');
  assert.equal(gap.from, '2024-03-01T00:00:00.000Z');
  const week = Date.now() - Date.parse(gap.to);
  assert.ok(Math.abs(week - 7 * 86_400_000) < 3_600_000, gap.to);
  assert.deepEqual(more, []);
  assert.equal(stream.messages.all[0].event, 'gap');
  assert.equal(stream.of('event').length, 3);
});

// The place that a message of that time would have had.
const placeOf = (time) => (BigInt(time - Date.UTC(2024, 0)) << 22n).toString(16).padStart(16, '0').padEnd(24, '0');

test('a cursor of eight days ago gets a gap, and then what there is', async () => {
  const eight = Date.now() - 8 * 86_400_000;
  const stream = await drain(server, 'filters', { query: `after=${placeOf(eight)}` });
  assert.equal(Date.parse(stream.of('gap')[0].from), eight);
  assert.deepEqual(stream.messages.all.map(({ event }) => event), ['gap', 'event', 'event', 'event', 'attempt', 'attempt']);
  const six = await drain(server, 'filters', { query: `after=${placeOf(Date.now() - 6 * 86_400_000)}` });
  assert.deepEqual(six.messages.all, stream.messages.all.slice(1));
});

test('what was deleted before is a gap, too', async () => {
  const short = await Server.start({ args: ['--keep-succeeded', '1s'] });
  await short.channel('s');
  const events = Array.from({ length: 100 }, (_, i) => click('s', `s${i}`));
  await short.send('s', events); // nobody wants them
  const from = placeOf(Date.now() - 3_600_000);
  const stream = await eventually('all have gone', async () => {
    const rest = await drain(short, 's', { query: `after=${from}` });
    return rest.of('event').length === 0 && rest;
  });
  const [gap, ...more] = stream.of('gap');
  assert.ok(Date.parse(gap.to) > Date.now() - 3_600_000, gap.to);
  assert.deepEqual(more, []);
  const later = await drain(short, 's', { query: `after=${stream.lastId}` });
  assert.deepEqual(later.messages.all, []);
  await short.stop();
});

test('a payload of several lines is told on one', async () => {
  await server.channel('lines');
  const body = JSON.stringify(click('lines', 'a', { note: 'x\ny' }), null, '\t').replaceAll('\n', '\r\n');
  await server.send('lines', body);
  const stream = await drain(server, 'lines', { query: LONG_AGO });
  assert.deepEqual(stream.of('event')[0].payload, JSON.parse(body));
});

test('the stream of a key that is deleted tells no more', async () => {
  const made = await server.must('POST', '/v1/keys', { body: { role: 'read', channel: 'c' } });
  const stream = await Stream.open(server, 'c', { key: made.key });
  await server.send('c', click('c', 'before'));
  await stream.until('an event', (s) => s.of('event').length > 0);
  await server.call('DELETE', `/v1/keys/${made._id}`);
  await server.send('c', click('c', 'after'));
  assert.equal(await stream.finish(), true);
  assert.deepEqual(stream.of('event').map(({ subscription }) => subscription), ['before']);
  assert.ok(stream.comments.all.includes('the key is gone'));
});

test('the stream of a channel that is deleted ends', async () => {
  await server.channel('passing');
  await server.send('passing', click('passing', 'a'));
  const stream = await Stream.open(server, 'passing');
  await server.call('DELETE', '/v1/channels/passing');
  stream.close();
  const answer = await server.call('GET', '/v1/channels/passing/stream');
  assert.equal(answer.status, 404);
});

test('a channel has 32 streams at most, and who ends makes room', async () => {
  const streams = [];
  for (let i = 0; i < 32; i++) streams.push(await Stream.open(server, 'lines'));
  const over = await server.call('GET', '/v1/channels/lines/stream');
  assert.equal(over.status, 429);
  assert.equal(over.headers['retry-after'], '5');
  assert.match(over.json.detail, /32 streams/);
  assert.equal((await Stream.open(server, 'c')).status, 200);
  const metrics = await server.call('GET', '/metrics', { key: null });
  assert.match(metrics.text, /^pushwire_streams 33$/m);

  streams[7].close();
  const room = await eventually('there is room again', async () => {
    const stream = await Stream.open(server, 'lines');
    return stream.status === 200 && stream;
  });
  await server.send('lines', click('lines', 'all'));
  for (const stream of [...streams.filter((_, i) => i !== 7), room]) {
    await stream.until('an event', (s) => s.of('event').length === 1);
    stream.close();
  }
});

test('HEAD has the head alone, HTTP/1.0 no chunks, and requests behind a stream wait for its end', async () => {
  const head = (line, more = '') => `${line}\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n${more}\r\n`;
  const target = `/v1/channels/filters/stream?follow=false&${LONG_AGO}`;
  const answer = (await exchange(head(`HEAD ${target} HTTP/1.1`, 'Connection: close\r\n'))).split('\r\n\r\n');
  assert.match(answer[0], /^HTTP\/1.1 200 OK\r\n[^]*text\/event-stream/);
  assert.equal(answer[1], '');

  const old = await exchange(head(`GET ${target} HTTP/1.0`));
  assert.ok(!/transfer-encoding/i.test(old));
  assert.match(old, /\r\n\r\nretry: 1000\nid: /);

  const pair = await exchange(head(`GET ${target} HTTP/1.1`)
    + head('GET /v1/channels/filters/events HTTP/1.1', 'Connection: close\r\n'));
  const [first, second] = pair.split(/\r\n0\r\n\r\n/);
  assert.match(first, /^HTTP\/1.1 200 OK[^]*event: attempt/);
  assert.match(second, /^HTTP\/1.1 200 OK[^]*"nextCursor"/);
});

// Until the other side ends: a client that ends first has gone.
function exchange(bytes) {
  const { hostname, port } = new URL(server.url);
  const socket = net.connect({ host: hostname, port });
  const parts = [];
  socket.on('data', (part) => parts.push(part));
  socket.write(bytes);
  const ended = new Promise((resolve) => socket.once('end', resolve));
  return within(ended, 'an answer').then(() => Buffer.concat(parts).toString('latin1'));
}

test('a client that only shuts its own side has gone', async () => {
  const request = `GET /v1/channels/c/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n\r\n`;
  await rawRequest(server.url, request);
});

// ---- at least once ----

// Everything that was sent in, in the order in which it was acknowledged.
class Flow {
  constructor(to, channel) {
    Object.assign(this, { to, channel, sent: [], n: 0 });
  }

  async send(n) {
    const events = Array.from({ length: n }, () => click(this.channel, `s${this.n++}`));
    this.sent.push(...(await this.to.send(this.channel, events)));
  }
}

// Takes what comes after `after` until `stop` bytes are there; keeps what came whole.
async function takeSome(from, channel, after, stop, kept) {
  const headers = after ? { 'last-event-id': after } : {};
  const stream = await Stream.open(from, channel, { query: 'kind=event&since=2025-01-01T00:00:00Z', headers });
  stream.onBytes = (n) => n >= stop && (stream.close(), true);
  await stream.finish();
  for (const { event, data } of stream.messages.all) {
    if (event === 'event') kept.push(data._id);
  }
  return stream.messages.all.at(-1)?.id ?? after;
}

function checkOrder(kept, sent) {
  const seen = new Set();
  const first = kept.filter((id) => !seen.has(id) && seen.add(id));
  assert.deepEqual(first, sent, 'each at least once, and in order');
}

test('a client that is cut off at 50 random bytes finds every event, in order', async () => {
  await server.channel('cut');
  const flow = new Flow(server, 'cut');
  const kept = [];
  let after;
  await flow.send(20);
  for (let i = 0; i < 50; i++) {
    const stop = 1 + Math.floor(Math.random() * 6000);
    const more = flow.send(5);
    after = await takeSome(server, 'cut', after, stop, kept);
    await more;
    await flow.send(15);
  }
  const rest = await drain(server, 'cut', { query: `kind=event&${after ? `after=${after}` : LONG_AGO}` });
  kept.push(...rest.of('event').map(({ _id }) => _id));
  checkOrder(kept, flow.sent);
});

test('a server that is killed and comes again goes on where the client was', async () => {
  let killed = await Server.start();
  await killed.channel('k');
  const kept = [];
  let after;
  let flow = new Flow(killed, 'k');
  await flow.send(30);
  for (let i = 0; i < 3; i++) {
    const headers = after ? { 'last-event-id': after } : {};
    const stream = await Stream.open(killed, 'k', { query: LONG_AGO, headers });
    const wanted = flow.sent.length;
    await stream.until('some', (s) => kept.length + s.of('event').length >= wanted);
    const sending = flow.send(50).catch(() => {}); // who knows how many of them are in
    killed.signal('SIGKILL');
    await Promise.all([killed.finish(), stream.finish(), sending]);
    kept.push(...stream.of('event').map(({ _id }) => _id));
    after = stream.lastId;
    killed = await killed.again();
    flow = Object.assign(new Flow(killed, 'k'), {
      sent: (await killed.list('/v1/channels/k/events')).map(({ _id }) => _id).reverse(), n: flow.n,
    });
  }
  const rest = await drain(killed, 'k', { query: `after=${after}` });
  kept.push(...rest.of('event').map(({ _id }) => _id));
  checkOrder(kept, flow.sent);
  await killed.stop();
});

// ---- the end ----

test('the server ends its streams properly, and waits for none', async () => {
  const streams = await Promise.all(['c', 'c', 'lines'].map((channel) => Stream.open(server, channel)));
  const end = server.stop();
  for (const stream of streams) {
    assert.equal(await stream.finish(), true);
    assert.ok(stream.comments.all.includes('the server is shutting down'));
  }
  await receiver.close();
  assert.deepEqual(await end, { code: 0, signal: null });
});
