// One channel never sees or touches another's things: every route of the program's own tables
// with every foreign id, so that a new route is in here by being a row.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Server, click, eventually } from './harness.mjs';
import { routes, routesWritten } from './routes.mjs';

const inChannel = routes.filter((route) => route.access === 'ROUTE_KEYED' && route.pattern.includes('{c}'));

test('the tables of routes are read whole', () => {
  assert.equal(routes.length, routesWritten());
  assert.ok(inChannel.length > 40, `${inChannel.length}`);
});

// ---- two channels ----

const server = await Server.start();
const receiver = await Receiver.open();
await server.channel('mine');
await server.channel('theirs');
const make = (target, body, method = 'POST') => server.must(method, `/v1/channels/mine${target}`, { body });
const webhook = await server.webhook('mine', receiver.url, { description: 'mine alone' });
await make('/topics', { _id: 'topic-mine', name: 'T' });
await make('/tags', { _id: 'tag-mine', name: 'T' });
await make('/attributes', { id: 'attribute-mine', name: 'T' });
await make('/subscriptions', { _id: 'sub-mine', platformName: 'iOS', topics: ['topic-mine'], tags: ['tag-mine'],
  customAttributes: { 'attribute-mine': 'value-mine' } });
await make('/subscriptions', { _id: 'sub-listed', platformName: 'iOS', topics: ['topic-mine'], tags: ['tag-mine'],
  customAttributes: { 'attribute-mine': 'value-mine' } });
await make('/notifications', { _id: 'note-mine', title: 'T' });
const [event] = await server.send('mine', click('mine', 'sub-mine'));
const call = await server.callOf('mine', event, 'succeeded');
await receiver.count(3); // the subscriptions' own optIn, too
const job = await make(`/webhooks/${webhook._id}/replay`, { since: '2024-01-01T00:00:00Z', dryRun: true });
await eventually('the job is done', async () =>
  (await server.must('GET', `/v1/channels/mine/jobs/${job._id}`)).state === 'done');
const key = async (role, channel) => (await server.must('POST', '/v1/keys', { body: { role, channel } })).key;
const theirs = await key('manage', 'theirs');
const readers = [theirs, await key('read', 'theirs'), await key('ingest', 'theirs')];

// What stands for an id in a pattern: mine's, and one of the same form that nobody has.
const zero = (id) => id.replace(/[^_]/g, '0').replace(/^0+/, id.slice(0, id.indexOf('_')));
const ids = [
  [/\/events\/\{/, event, zero(event)],
  [/\/calls\/\{/, call._id, zero(call._id).replace(/0(?=_|$)/g, '1')],
  [/\/webhooks\/\{/, webhook._id, zero(webhook._id)],
  [/\/subscriptions\/\{/, 'sub-mine', 'sub-none'],
  [/\/topics\/\{/, 'topic-mine', 'topic-none'],
  [/\/tags\/\{/, 'tag-mine', 'tag-none'],
  [/\/attributes\/\{/, 'attribute-mine', 'attribute-none'],
  [/\/jobs\/\{/, job._id, zero(job._id)],
  [/\/notifications?\/\{/, 'note-mine', 'note-none'],
];
const bodies = {
  '/webhooks/{w}': { description: 'taken over' },
  '/subscriptions/{s}': { platformName: 'Android' },
  '/subscriptions/{s}/topics': { topics: [] },
  '/subscriptions/{s}/tags': { tags: [] },
  '/subscriptions/{s}/attributes': { 'attribute-mine': 'taken over' },
  '/topics/{i}': { name: 'taken over' },
  '/tags/{i}': { name: 'taken over' },
  '/attributes/{i}': { name: 'taken over' },
  '/webhooks/{w}/replay': { since: '2024-01-01T00:00:00Z' },
  '/calls/retry': { since: '2024-01-01T00:00:00Z' },
  '/calls/cancel': { since: '2024-01-01T00:00:00Z' },
  '/notifications/{i}': { title: 'taken over' },
};

function bodyOf({ method, pattern }) {
  if (method === 'GET' || method === 'DELETE') return undefined;
  return bodies[pattern.replace('/v1/channels/{c}', '')] ?? {};
}

const fill = ({ pattern }, channel, id = 'x') =>
  pattern.replace('{c}', channel).replaceAll(/\{\w+\}/g, id);

const type = ({ pattern }) => (/import$/.test(pattern) ? 'application/x-ndjson' : undefined);

// Everything of mine that can be read, as its owner sees it.
async function everything() {
  const seen = {};
  for (const route of inChannel.filter(({ method, pattern }) => method === 'GET' && !/\/stream$/.test(pattern))) {
    const own = ids.find(([pattern]) => pattern.test(route.pattern))?.[1];
    const target = fill(route, 'mine', own);
    seen[target] = (await server.call('GET', target)).text;
  }
  return seen;
}

const before = await everything();

// ---- the matrix ----

for (const route of inChannel) {
  test(`${route.method} ${route.pattern}: another channel is no channel`, async () => {
    const own = ids.find(([pattern]) => pattern.test(route.pattern))?.[1];
    for (const who of readers) {
      const ask = (channel) => server.call(route.method, fill(route, channel, own), {
        key: who, body: bodyOf(route), type: type(route),
      });
      const [foreign, unknown] = [await ask('mine'), await ask('nowhere')];
      assert.equal(foreign.status, 404, foreign.text);
      assert.equal(unknown.status, 404);
      assert.equal(foreign.text, unknown.text);
    }
  });
}

const withId = inChannel.filter(({ pattern }) => ids.some(([each]) => each.test(pattern)));

for (const route of withId) {
  test(`${route.method} ${route.pattern}: another channel's id is an unknown id`, async () => {
    const [, own, unknown] = ids.find(([pattern]) => pattern.test(route.pattern));
    for (const who of [theirs, server.key]) {
      const ask = (id) => server.call(route.method, fill(route, 'theirs', id), {
        key: who, body: bodyOf(route), type: type(route),
      });
      // What PUT makes under this id is a thing of its own channel; it says when.
      const form = (answer, id) => [answer.status,
        answer.text.replaceAll(id, 'ID').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')];
      assert.deepEqual(form(await ask(own), own), form(await ask(unknown), unknown));
    }
  });
}

test('filters by another channel\'s things find nothing', async () => {
  await server.send('theirs', click('theirs', 'sub-theirs'));
  for (const filter of [`calls?webhook=${webhook._id}`, 'calls?subscription=sub-listed', 'events?subscription=sub-listed',
    'subscriptions?topic=topic-mine', 'subscriptions?tag=tag-mine',
    'subscriptions?attribute=attribute-mine&value=value-mine']) {
    assert.deepEqual(await server.list(`/v1/channels/theirs/${filter}`), [], filter);
    assert.ok((await server.list(`/v1/channels/mine/${filter}`)).length > 0, `${filter} finds its own`);
  }
});

test('a stream shows a key its own channel alone, also from the place of another', async () => {
  const read = (channel, query, as) => server.call('GET', `/v1/channels/${channel}/stream?follow=false&${query}`, as);
  const mine = await read('mine', 'since=2020-01-01T00:00:00Z');
  const [place] = /(?<=^id: )\w+$/m.exec(mine.text);
  assert.ok(mine.text.includes('sub-mine'), mine.text);
  for (const from of ['since=2020-01-01T00:00:00Z', `after=${place}`, `after=${place}&webhook=${webhook._id}`]) {
    const answer = await read('theirs', from, { key: theirs });
    assert.equal(answer.status, 200);
    assert.ok(!answer.text.includes('"_id":"mine"'), answer.text);
  }
});

test('a cursor of another channel\'s list opens nothing there', async () => {
  const [first] = await server.send('mine', [click('mine', 'a'), click('mine', 'b')]);
  const page = await server.must('GET', '/v1/channels/mine/events?limit=1');
  const answer = await server.call('GET', `/v1/channels/theirs/events?cursor=${page.nextCursor}`, { key: theirs });
  assert.ok(first);
  if (answer.status === 200) {
    for (const row of answer.json.data) assert.equal(row.payload.channel._id, 'theirs');
  } else {
    assert.equal(answer.status, 400);
  }
});

test('routes above channels show a key its own channel alone', async () => {
  for (const target of ['/v1/channels', '/channels']) {
    const answer = await server.call('GET', target, { key: theirs });
    assert.equal(answer.status, 200);
    assert.ok(answer.text.includes('theirs') && !answer.text.includes('mine'), answer.text);
  }
  const find = '/subscription?channelId=mine&attributeId=attribute-mine&attribute_value=value-mine';
  const foreign = await server.call('GET', find, { key: theirs });
  const unknown = await server.call('GET', find.replace('mine', 'nowhere'), { key: theirs });
  assert.deepEqual([foreign.status, foreign.text], [unknown.status, unknown.text]);
  assert.ok((await server.call('GET', find)).text.includes('sub-mine'));
});

test('what a body says of a channel moves nothing there', async () => {
  const foreign = await server.call('POST', '/v1/channels/theirs/events', { body: click('mine', 's'), key: theirs });
  assert.equal(foreign.status, 400);
});

for (const route of routes.filter(({ access, method, pattern }) =>
  access === 'ROUTE_PUBLIC' && method === 'POST' && /^\/(subscription|notification)\//.test(pattern))) {
  test(`${route.method} ${route.pattern}: a device of one channel changes nothing of another`, async () => {
    const body = {
      channelId: 'theirs', subscriptionId: 'sub-mine', notificationId: 'note-mine', topicId: 'topic-mine',
      tagId: 'tag-mine', attributeId: 'attribute-mine', value: 'taken over', topics: [], tags: [],
    };
    const answer = await server.call('POST', fill(route, 'theirs'), { key: null, body });
    assert.ok(answer.status < 500, answer.text);
  });
}

test('after all of that, everything of mine is as it was', async () => {
  const after = await everything();
  for (const target of Object.keys(before)) {
    if (/\/(events|calls|stats)$/.test(target)) continue; // the two events of the cursor's test
    assert.equal(after[target], before[target], target);
  }
});

test('the server ends cleanly', async () => {
  await receiver.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
