// Every request that the SDKs of the three platforms make, as they make it: each is answered so
// that its SDK calls it a success. And what is not a success has its status and its sentence.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { ROOT, Server, rawRequest, request } from './harness.mjs';
import { CONFIG, ORIGIN, UNLIMITED, checkConfig, checkSync } from './sdk.mjs';

const server = await Server.start({ args: UNLIMITED });
let made = 0;

// A channel of its own, whose apps know its bundle id.
async function channel() {
  const id = await server.channel(`c${++made}`);
  const bundleIds = [`com.example.app${made}`];
  await server.must('PATCH', `/v1/channels/${id}/config`, { body: { ...CONFIG, bundleIds } });
  return { id, bundle: bundleIds[0] };
}

function fixtures(name) {
  return JSON.parse(readFileSync(path.join(ROOT, `tests/fixtures/sdk/${name}.json`), 'utf8'));
}

// What stands for an id in a fixture becomes this channel's, in all its texts.
function filled(fixture, ids) {
  let text = JSON.stringify(fixture);
  for (const [name, id] of Object.entries(ids)) text = text.replaceAll(name, id);
  return JSON.parse(text);
}

function play(base, { headers }, { method, path: target, headers: set, body }, slash = '/') {
  return request(new URL(base + target), {
    method,
    headers: headers[set],
    body: body && JSON.stringify(body).replaceAll('/', slash),
  });
}

const answers = {
  config: checkConfig,
  sync(json) {
    checkSync(json);
    assert.ok(Array.isArray(json.topics) && Array.isArray(json.tags), 'never left out');
    const names = new Set(['id', 'topics', 'topicsVersion', 'tags', 'emailConfirmationNeeded']);
    assert.deepEqual(Object.keys(json).filter((name) => !names.has(name)), []);
  },
  banners: (json) => assert.deepEqual(json, { banners: [] }),
  notifications: (json) => assert.deepEqual(json, { notifications: [] }),
  '{}': (json) => assert.deepEqual(json, {}),
};

function isRefused(answer, status, error) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/json\b/);
  assert.deepEqual(Object.keys(answer.json), ['error'], answer.text);
  assert.equal(typeof answer.json.error, 'string');
  assert.ok(answer.json.error.length > 0);
  if (error !== undefined) assert.equal(answer.text, JSON.stringify({ error }));
}

// The second time as when the address was given with a slash at its end.
for (const name of ['android', 'ios', 'web']) {
  for (const slash of ['', '/']) {
    const file = fixtures(name);
    const known = await channel();
    const ids = {
      CHANNEL_ID: known.id, 'com.example.app': known.bundle, TOPIC_ID_1: 't1', TOPIC_ID_2: 't2',
      TAG_ID_1: 'g1', TAG_ID_2: 'g2', NOTIFICATION_ID: 'RfS4GzvnjzwXa9cqr',
    };
    for (const fixture of file.requests) {
      test(`${name}, ${slash}${fixture.method} ${fixture.path}: ${fixture.name}`, async () => {
        const answer = await play(server.url + slash, file, filled(fixture, ids), file.slash);
        const [least, most] = file.success;
        assert.ok(answer.status >= least && answer.status <= most, `${answer.status} ${answer.text}`);
        assert.match(answer.headers['content-type'], /^application\/json\b/);
        answers[fixture.answers](answer.json);
        if (fixture.subscribes) ids.SUBSCRIPTION_ID = answer.json.id;
        if (file.headers[fixture.headers].Origin) {
          assert.ok(['*', ORIGIN].includes(answer.headers['access-control-allow-origin']));
        }
        for (const secret of answer.text.match(/[A-Z_]+_TOKEN|PUBLIC_KEY|AUTH_SECRET/g) ?? []) {
          assert.fail(`${secret} is in an answer`);
        }
      });
    }

    test(`${name}: what was played is what is known now`, async () => {
      const shown = await server.must('GET', `/v1/channels/${known.id}/subscriptions/${ids.SUBSCRIPTION_ID}`);
      assert.equal(shown._id, ids.SUBSCRIPTION_ID);
      assert.equal(shown.inactive, true);
      assert.deepEqual(shown.topics, []);
      const said = file.requests.find((fixture) => fixture.subscribes).body;
      for (const member of ['platformName', 'platformVersion', 'browserType']) {
        assert.equal(shown[member], said[member], member);
      }
      assert.deepEqual(shown.customAttributes, {
        android: { interests: ['politics', 'weather'] },
        ios: { interests: [] },
        web: { articles: 7, interests: [] },
      }[name]);
    });
  }
}

// ---- what is refused ----

const cut = fixtures('cut_short');
const living = await channel();
let subscription;

test('a subscription to try things on', async () => {
  const body = { platformName: 'iOS', apnsToken: 'aa', topics: ['t1'], topicsVersion: '1' };
  const answer = await server.call('POST', `/subscription/sync/${living.id}`, { key: null, body });
  assert.equal(answer.status, 200, answer.text);
  subscription = answer.json.id;
});

async function eventsNow() {
  return (await server.list(`/v1/channels/${living.id}/events`)).length;
}

for (const fixture of cut.requests) {
  test(`cut short, ${fixture.method} ${fixture.path}: ${fixture.name}`, async () => {
    const before = await eventsNow();
    const ids = {
      CHANNEL_ID: living.id, SUBSCRIPTION_ID: subscription, TOPIC_ID_1: 't9', TAG_ID_1: 'g1',
      NOTIFICATION_ID: 'RfS4GzvnjzwXa9cqr',
    };
    isRefused(await play(server.url, cut, filled(fixture, ids)), 400);
    assert.equal(await eventsNow(), before);
  });
}

const send = (target, body, more) => server.call('POST', target, { key: null, body, ...more });
const own = (more) => ({ channelId: living.id, subscriptionId: subscription, ...more });

test('an unknown channel is 404, in the words that SDKs know', async () => {
  for (const target of ['/channel/nowhere/config', '/channel/nowhere/config?platformName=iOS',
    '//channel/nowhere/config', '/channel-config?bundleId=com.example.nobody&platformName=iOS']) {
    isRefused(await server.call('GET', server.url + target, { key: null }), 404, 'channel not found');
  }
  isRefused(await send('/subscription/sync/nowhere', { platformName: 'iOS' }), 404, 'channel not found');
  for (const target of ['/subscription/topic/add', '/subscription/tag', '/subscription/attribute/clear']) {
    const body = { ...own({ topicId: 't1', tagId: 'g1', attributeId: 'user_id' }), channelId: 'nowhere' };
    isRefused(await send(target, body), 404);
  }
});

test('an app without a bundle id to go by is told what is missing', async () => {
  for (const target of ['/channel-config', '/channel-config?platformName=Android', '/channel-config?bundleId=']) {
    const answer = await server.call('GET', target, { key: null });
    assert.ok([400, 404].includes(answer.status), `${target}: ${answer.text}`);
    isRefused(answer, answer.status);
  }
});

test('an unknown route is 404, in the words that SDKs know', async () => {
  const targets = ['/nope', '//', '//nope', '/v10/channels', '/subscription/nope',
    '/subscription/sync', '/subscription/topic', '/subscription/topic/added', '/subscription/attributes',
    '/notification', '/notification/opened', '/channel', `/channel/${living.id}`,
    `/channel/${living.id}/configuration`, `/channel/${living.id}/config/x`, '/channel//config', '/%00', '/a%2fb'];
  for (const target of targets) {
    for (const method of ['GET', 'POST']) {
      const body = method === 'POST' ? {} : undefined;
      const answer = await server.call(method, server.url + target, { key: null, body });
      isRefused(answer, 404, 'Not found');
    }
  }
});

test('what is no JSON object is 400 and a sentence', async () => {
  const bodies = ['', ' ', '{', '{}x', '[]', '[{}]', 'null', 'true', '12', '"x"', '\u0000', '{"a":1,}',
    `{"channelId":"${living.id}"`, 'channelId=1&subscriptionId=2', '%7B%7D', Buffer.from('{"a":"\xff"}', 'latin1'),
    '['.repeat(30_000), '{"a":'.repeat(10_000)];
  const targets = [`/subscription/sync/${living.id}`, '/subscription/unsubscribe', '/subscription/topic/add',
    '/subscription/tag', '/subscription/attribute', '/notification/delivered', '/notification/clicked'];
  for (const target of targets) {
    for (const body of bodies) isRefused(await send(target, body), 400);
  }
});

test('what is of the wrong form is 400 and a sentence', async () => {
  const before = await eventsNow();
  const rows = [
    ['/subscription/topic/add', own({ topicId: 7 })], ['/subscription/topic/add', own({ topicId: '' })],
    ['/subscription/topic/add', own({ topicId: ['t1'] })], ['/subscription/topic/add', own({ topicId: 'a b' })],
    ['/subscription/topic/add', own({ topicId: 'x'.repeat(65) })],
    ['/subscription/topic/remove', own({ topicId: null })],
    ['/subscription/tag', own({ tagId: {} })], ['/subscription/untag', own({ tagId: '"' })],
    ['/subscription/attribute', own({ attributeId: 'user_id', value: {} })],
    ['/subscription/attribute', own({ attributeId: 'user_id', value: [[]] })],
    ['/subscription/attribute', own({ attributeId: 'user_id', value: [{}] })],
    ['/subscription/attribute', own({ attributeId: 'user id', value: 'x' })],
    ['/subscription/attribute', own({ attributeId: 'user_id', value: 'x'.repeat(20_000) })],
    ['/subscription/attribute/push-value', own({ attributeId: 'interests', value: [] })],
    ['/notification/delivered', own({ notificationId: {} })],
    ['/notification/clicked', own({ notificationId: 'a b' })],
    ['/notification/clicked', own({ notificationId: 'n', action: {} })],
    ['/notification/clicked', own({ notificationId: 'n', action: 'x'.repeat(201) })],
    ['/subscription/unsubscribe', { channelId: living.id, subscriptionId: 7 }],
    ['/subscription/unsubscribe', { channelId: 7, subscriptionId: subscription }],
    [`/subscription/sync/${living.id}`, { subscriptionId: subscription, topics: 't1' }],
    [`/subscription/sync/${living.id}`, { subscriptionId: subscription, topics: [1] }],
    [`/subscription/sync/${living.id}`, { subscriptionId: subscription, topics: [null] }],
    [`/subscription/sync/${living.id}`, { subscriptionId: subscription, topics: ['t1'], topicsVersion: 'one' }],
    [`/subscription/sync/${living.id}`, { subscriptionId: subscription, topics: ['t1'], topicsVersion: -1 }],
    [`/subscription/sync/${living.id}`, { subscriptionId: subscription, platformName: {} }],
    [`/subscription/sync/${living.id}`, { subscriptionId: subscription, customAttributes: [] }],
    [`/subscription/sync/${living.id}`, { subscriptionId: {}, platformName: 'iOS' }],
  ];
  for (const [target, body] of rows) {
    const answer = await send(target, body);
    assert.equal(answer.status, 400, `${target} ${JSON.stringify(body).slice(0, 200)}: ${answer.text}`);
    isRefused(answer, 400);
  }
  assert.equal(await eventsNow(), before);
});

test('a subscription that is not known, or has opted out, is 404 for what only a living one can do', async () => {
  const gone = (await send(`/subscription/sync/${living.id}`, { platformName: 'iOS', apnsToken: 'bb' })).json.id;
  assert.equal((await send('/subscription/unsubscribe', own({ subscriptionId: gone }))).status, 200);
  const before = await eventsNow();
  const rows = [['topic/add', { topicId: 't1' }], ['topic/remove', { topicId: 't1' }], ['tag', { tagId: 'g1' }],
    ['untag', { tagId: 'g1' }], ['attribute', { attributeId: 'user_id', value: 'x' }],
    ['attribute/push-value', { attributeId: 'interests', value: 'x' }],
    ['attribute/pull-value', { attributeId: 'interests', value: 'x' }],
    ['attribute/clear', { attributeId: 'user_id' }]];
  for (const [rest, body] of rows) {
    for (const id of [gone, 'S9cA4fr2doS24d2f6']) {
      isRefused(await send(`/subscription/${rest}`, own({ ...body, subscriptionId: id })), 404);
    }
  }
  assert.equal(await eventsNow(), before);
});

test('a body may have 64 KiB and not one byte more', async () => {
  const target = `/subscription/sync/${living.id}`;
  const sized = (bytes) => {
    const body = { subscriptionId: subscription, pad: '' };
    return JSON.stringify({ ...body, pad: 'x'.repeat(bytes - JSON.stringify(body).length) });
  };
  const fits = await send(target, sized(65_536));
  assert.equal(fits.status, 200, fits.text);
  isRefused(await send(target, sized(65_537)), 413);
  isRefused(await send(target, sized(900_000)), 413);
  isRefused(await send('/subscription/session/end', sized(65_537)), 413);

  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
  const head = 'Content-Type: application/json\r\nConnection: close\r\n';
  const chunked = await rawRequest(server.url,
    `POST ${target} HTTP/1.1\r\nHost: x\r\n${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}0\r\n\r\n`);
  assert.match(chunked, /^HTTP\/1\.1 413 /);
});

test('a body is JSON whatever its type is called', async () => {
  const types = ['application/json', 'application/json; charset=UTF-8', 'application/x-www-form-urlencoded',
    'text/plain', 'text/plain;charset=UTF-8', 'application/octet-stream', 'multipart/form-data; boundary=x', 'x', null];
  for (const type of types) {
    const answer = await send('/subscription/topic/add', own({ topicId: 't1' }), { type });
    assert.equal(answer.status, 200, `${type}: ${answer.text}`);
    assert.deepEqual(answer.json, {});
  }
});

test('a path with a slash too many is the same path', async () => {
  for (const target of ['//subscription/topic/add', '///subscription/topic/add', '//subscription//topic//add']) {
    assert.equal((await send(server.url + target, own({ topicId: 't1' }))).status, 200, target);
  }
  const config = `${server.url}//channel/${living.id}/config?platformName=iOS`;
  assert.equal((await server.call('GET', config, { key: null })).json.channelId, living.id);
});

test('no public route can be made to fail', async () => {
  const values = [null, '', 'x', 0, -1, 1e300, true, [], {}, [null], 'x'.repeat(5000), '\u0000', '\ud800',
    '../..', '%s%n'];
  const names = ['channelId', 'subscriptionId', 'topicId', 'tagId', 'attributeId', 'value', 'notificationId',
    'action', 'topics', 'topicsVersion', 'tags', 'language', 'country', 'apnsToken', 'customAttributes',
    'authorizationToken'];
  const targets = [`/subscription/sync/${living.id}`, '/subscription/topic/add', '/subscription/topic/remove',
    '/subscription/tag', '/subscription/attribute', '/subscription/attribute/push-value',
    '/subscription/attribute/clear', '/notification/delivered', '/notification/clicked',
    '/subscription/session/start', '/subscription/conversion', '/channel/confirm-alert'];
  const whole = own({ topicId: 't1', tagId: 'g1', attributeId: 'user_id', value: 'x', notificationId: 'n' });
  for (const target of targets) {
    await Promise.all(names.flatMap((name) => values.map(async (value) => {
      const answer = await send(target, { ...whole, [name]: value });
      assert.ok(answer.status < 500, `${target} ${name} ${JSON.stringify(value)}: ${answer.status} ${answer.text}`);
      assert.ok(answer.json !== null && typeof answer.json === 'object', answer.text);
    })));
  }
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
