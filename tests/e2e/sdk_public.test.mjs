// What everybody may ask without a key: how often, from which web pages, and how little it tells.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, eventually, request } from './harness.mjs';
import { AndroidSdk, App, Blocked, IosSdk, ORIGIN, UNLIMITED, WebSdk } from './sdk.mjs';

const server = await Server.start({ args: UNLIMITED });
let made = 0;

const open = (t, config) => App.open(t, server, `public${++made}`, config);

// ---- rate limits ----

// How many of these requests passed, and that the others were told when to come again. One more
// may pass for each second that it took.
async function burst(n, ask) {
  const began = process.hrtime.bigint();
  let passed = 0;
  let refused = 0;
  for (let i = 0; i < n; i++) {
    const answer = await ask(i);
    if (answer.status !== 429) {
      assert.ok(answer.status < 300, answer.text);
      passed++;
      continue;
    }
    refused++;
    assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
    assert.deepEqual(Object.keys(answer.json), ['error']);
  }
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  return { passed, refused, more: Math.ceil(seconds) };
}

const from = (address, base, channel) => () =>
  request(new URL(`/channel/${channel}/config`, base), { headers: { 'X-Client': address } });

async function limited(t, args) {
  const own = await Server.start({ args });
  t.after(async () => assert.deepEqual(await own.stop(), { code: 0, signal: null }));
  const channel = await own.channel('c');
  await own.channel('other');
  return { own, channel };
}

test('an address may ask so often at once, and then so often a second', async (t) => {
  const { own, channel } = await limited(t, ['--address-header', 'X-Client', '--sdk-address-rate', '1',
    '--sdk-address-burst', '5', '--sdk-channel-rate', '0']);
  for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db9::1']) {
    const { passed, refused, more } = await burst(40, from(address, own.url, channel));
    assert.ok(passed >= 5 && passed <= 5 + more, `${address}: ${passed} passed, ${more} s`);
    assert.equal(passed + refused, 40);
  }
  // Every public route counts, each other address does not, and nothing below /v1 does.
  const headers = { 'X-Client': '192.0.2.1' };
  const { refused } = await burst(10, () => own.call('POST', '/subscription/session/start', {
    key: null, headers, body: { channelId: channel },
  }));
  assert.ok(refused > 0);
  const free = await burst(5, from('198.51.100.7', own.url, channel));
  assert.deepEqual([free.passed, free.refused], [5, 0]);
  for (let i = 0; i < 20; i++) await own.must('GET', '/v1/channels/c', { headers });
  await eventually('the address may ask again', async () => {
    const answer = await from('192.0.2.1', own.url, channel)();
    return answer.status === 200;
  });
});

test('what is refused has changed nothing', async (t) => {
  const { own, channel } = await limited(t, ['--sdk-address-rate', '1', '--sdk-address-burst', '3']);
  const body = (i) => ({ platformName: 'Android', fcmToken: `token-${i}` });
  const { passed } = await burst(20, (i) =>
    own.call('POST', `/subscription/sync/${channel}`, { key: null, body: body(i) }));
  assert.equal((await own.list(`/v1/channels/${channel}/subscriptions`)).length, passed);
  assert.equal((await own.list(`/v1/channels/${channel}/events`)).length, passed);
});

test('without a header that names it the address is the connection\'s, whatever a client says', async (t) => {
  const { own, channel } = await limited(t, ['--sdk-address-rate', '1', '--sdk-address-burst', '5']);
  const { passed, more } = await burst(40, (i) => request(new URL(`/channel/${channel}/config`, own.url), {
    headers: { 'X-Client': `192.0.2.${i}`, 'X-Forwarded-For': `192.0.2.${i}`, Forwarded: `for=192.0.2.${i}` },
  }));
  assert.ok(passed >= 5 && passed <= 5 + more, `${passed} passed, ${more} s`);
});

test('a header that has no address in it is the same as none', async (t) => {
  const { own, channel } = await limited(t, ['--address-header', 'X-Client', '--sdk-address-rate', '1',
    '--sdk-address-burst', '5']);
  const odd = ['', 'x', 'unknown', '192.0.2', '1'.repeat(200), '192.0.2.1.5', '_hidden'];
  const { passed, more } = await burst(42, (i) => from(odd[i % odd.length], own.url, channel)());
  assert.ok(passed >= 5 && passed <= 5 + more, `${passed} passed, ${more} s`);
});

test('what a client writes in front of its address in the list counts for nothing', async (t) => {
  const { own, channel } = await limited(t, ['--address-header', 'X-Client', '--sdk-address-rate', '1',
    '--sdk-address-burst', '5']);
  const { passed, more } = await burst(40, (i) => from(`192.0.2.${i}, 203.0.113.9`, own.url, channel)());
  assert.ok(passed >= 5 && passed <= 5 + more, `${passed} passed, ${more} s`);
});

test('a channel may be asked so often, whoever asks', async (t) => {
  const { own, channel } = await limited(t, ['--address-header', 'X-Client', '--sdk-channel-rate', '1',
    '--sdk-channel-burst', '5', '--sdk-address-rate', '0']);
  const ask = (i) => from(`192.0.2.${i}`, own.url, channel)();
  const { passed, refused, more } = await burst(40, ask);
  assert.ok(passed >= 5 && passed <= 5 + more, `${passed} passed, ${more} s`);
  assert.ok(refused > 0);
  // The channel of a body counts as that of a path; another channel is not meant.
  const sync = await burst(10, () => own.call('POST', '/subscription/unsubscribe', {
    key: null, body: { channelId: channel, subscriptionId: 'nobody' },
  }));
  assert.ok(sync.refused > 0);
  const other = await burst(5, (i) => from(`192.0.2.${i}`, own.url, 'other')());
  assert.deepEqual([other.passed, other.refused], [5, 0]);
  for (let i = 0; i < 20; i++) await own.must('GET', `/v1/channels/${channel}`);
  await eventually('the channel may be asked again', async () => (await ask(1)).status === 200);
});

test('an SDK that is told to wait gets through by its own retries', async (t) => {
  const { own, channel } = await limited(t, ['--sdk-address-rate', '50', '--sdk-address-burst', '1']);
  const sdk = new AndroidSdk(own.url, channel, {
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms / 10)),
  });
  for (let i = 0; i < 5; i++) await sdk.sync();
  assert.equal((await own.list(`/v1/channels/${channel}/events`)).length, 1);
});

// ---- web pages ----

const preflight = (target, origin, more) => request(new URL(target, server.url), {
  method: 'OPTIONS',
  headers: {
    Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type',
    ...more,
  },
});

test('a page of an allowed origin may do what its SDK does', async (t) => {
  const app = await open(t, { allowedOrigins: ['https://m.example.com', ORIGIN] });
  for (const origin of [ORIGIN, 'https://m.example.com']) {
    const sdk = await app.sdk(WebSdk, { origin }).init();
    await sdk.subscribe();
    await sdk.addTopic('t1');
    await sdk.setAttribute('user_id', 'x');
    await sdk.tag('g1');
    await sdk.delivered('n');
    await sdk.clicked('n');
    assert.equal((await sdk.endSession()).status, 200);
    for (const answer of sdk.answers) {
      assert.equal(answer.headers['access-control-allow-origin'], origin);
      assert.match(answer.headers.vary ?? '', /\bOrigin\b/i, 'a cache keeps one answer for each origin');
      assert.equal(answer.headers['access-control-allow-credentials'], undefined);
    }
    const subscription = await app.subscription(sdk.id);
    assert.deepEqual([subscription.topics, subscription.tags], [['t1'], ['g1']]);
    await sdk.unsubscribe();
  }
});

test('a page of another origin may not read or change anything', async (t) => {
  const app = await open(t);
  const others = ['https://evil.example.net', 'http://www.example.com', 'https://www.example.com:8443',
    'https://www.example.com.evil.net', 'https://evil-www.example.com', 'https://example.com', 'null'];
  for (const origin of others) {
    const sdk = app.sdk(WebSdk, { origin });
    const blocked = (error) => error instanceof Blocked;
    await assert.rejects(sdk.init(), blocked, origin);
    await assert.rejects(sdk.sync(), blocked, origin);
    sdk.id = 'S9cA4fr2doS24d2f6';
    await assert.rejects(sdk.setAttribute('user_id', 'x'), blocked, origin);
    for (const answer of sdk.answers) assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
  assert.deepEqual(await app.events(), []);
  assert.deepEqual(await server.list(`${app.path}/subscriptions`), []);
});

test('a channel that names no origin is for no page, one that names * for every page', async (t) => {
  const closed = await open(t, { allowedOrigins: [] });
  await assert.rejects(closed.sdk(WebSdk).init(), (error) => error instanceof Blocked);
  await assert.rejects(closed.sdk(WebSdk).sync(), (error) => error instanceof Blocked);
  const everybody = await open(t, { allowedOrigins: ['*'] });
  for (const origin of [ORIGIN, 'https://evil.example.net', 'http://localhost:3000', 'null']) {
    const sdk = await everybody.sdk(WebSdk, { origin }).init();
    await sdk.subscribe();
    await sdk.setTopics(['t1']);
  }
});

test('an origin that one channel allows may not ask another one', async (t) => {
  const [mine, other] = [await open(t, { allowedOrigins: ['https://mine.example.com'] }), await open(t)];
  const mineSdk = await mine.sdk(WebSdk, { origin: 'https://mine.example.com' }).init();
  await mineSdk.subscribe();
  const sdk = other.sdk(WebSdk, { origin: 'https://mine.example.com' });
  const blocked = (error) => error instanceof Blocked;
  await assert.rejects(sdk.init(), blocked);
  await assert.rejects(sdk.sync(), blocked);
  // Which channel a body is for is not known when the page asks whether it may send one: what
  // counts is that it cannot read the answer.
  sdk.id = (await other.sdk(IosSdk).subscribe()).id;
  await assert.rejects(sdk.setAttribute('user_id', 'x'), blocked);
});

test('an origin is changed at once', async (t) => {
  const app = await open(t);
  const sdk = app.sdk(WebSdk, { origin: 'https://new.example.com' });
  await assert.rejects(sdk.init(), (error) => error instanceof Blocked);
  await app.configure({ allowedOrigins: ['https://new.example.com'] });
  await sdk.init();
  await app.configure({ allowedOrigins: [] });
  await assert.rejects(sdk.init(), (error) => error instanceof Blocked);
});

test('a page may see why it was refused', async (t) => {
  const app = await open(t);
  const sdk = app.sdk(WebSdk);
  await assert.rejects(sdk.post('/subscription/topic/add', { channelId: app.channel }),
    (error) => !(error instanceof Blocked) && error.status === 400);
  await assert.rejects(sdk.post('/subscription/topic/add',
    { channelId: app.channel, topicId: 't1', subscriptionId: 'S9cA4fr2doS24d2f6' }),
  (error) => !(error instanceof Blocked) && error.status === 404);
});

test('asking whether one may ask opens nothing below /v1', async (t) => {
  const app = await open(t, { allowedOrigins: ['*'] });
  for (const target of ['/v1/channels', `${app.path}/subscriptions`, `${app.path}/config`, '/metrics', '/channels']) {
    const answer = await preflight(target, ORIGIN, { 'Access-Control-Request-Headers': 'authorization' });
    assert.equal(answer.headers['access-control-allow-origin'], undefined, target);
    const read = await server.call('GET', target, { headers: { Origin: ORIGIN } });
    assert.equal(read.headers['access-control-allow-origin'], undefined, target);
  }
});

test('an app, which has no origin, is told of none', async (t) => {
  const app = await open(t, { allowedOrigins: ['*'] });
  const sdk = await app.sdk(AndroidSdk).init();
  await sdk.subscribe();
  for (const answer of sdk.answers) assert.equal(answer.headers['access-control-allow-origin'], undefined);
});

// ---- what is not told ----

test('a channel and a subscription are known by their ids alone, and tell no more than its lists', async (t) => {
  const app = await open(t);
  const sdk = app.sdk(IosSdk);
  await sdk.sync();
  await sdk.setAttribute('user_id', 'secret-name');
  await sdk.setTopics(['t1']);
  await sdk.tag('g1');
  const answers = [
    await server.call('POST', `/subscription/sync/${app.channel}`, { key: null, body: { subscriptionId: sdk.id } }),
    await server.call('POST', `/subscription/sync/${app.channel}`, { key: null, body: { ...sdk.push } }),
    await server.call('GET', `/channel/${app.channel}/received-notifications`, { key: null }),
    await server.call('GET', `/channel/${app.channel}/config?subscriptionId=${sdk.id}`, { key: null }),
  ];
  for (const answer of [...answers, ...sdk.answers]) {
    for (const text of ['secret-name', 'user_id":', sdk.push.apnsToken, 'Europe/London', 'platformName', 'createdAt']) {
      assert.ok(!answer.text.includes(text), answer.text);
    }
  }
  const { id, topicsVersion, ...rest } = answers[0].json;
  assert.deepEqual([id, rest], [sdk.id, { topics: ['t1'], tags: ['g1'] }]);
  assert.ok(Number.isInteger(topicsVersion));
  // A stranger's sync gets nothing of anybody's.
  const stranger = await app.sdk(IosSdk).sync();
  assert.notEqual(stranger.id, sdk.id);
  assert.deepEqual([stranger.topics, stranger.tags], [[], []]);
});

test('another channel\'s subscription is the same as none', async (t) => {
  const [mine, other] = [await open(t), await open(t)];
  const sdk = mine.sdk(AndroidSdk);
  await mine.told(() => sdk.sync());
  const rows = [['topic/add', { topicId: 't1' }], ['topic/remove', { topicId: 't1' }], ['tag', { tagId: 'g1' }],
    ['untag', { tagId: 'g1' }], ['attribute', { attributeId: 'user_id', value: 'x' }],
    ['attribute/push-value', { attributeId: 'user_id', value: 'x' }],
    ['attribute/pull-value', { attributeId: 'user_id', value: 'x' }],
    ['attribute/clear', { attributeId: 'user_id' }], ['unsubscribe', {}]];
  for (const [rest, body] of rows) {
    const ask = (subscriptionId) => server.call('POST', `/subscription/${rest}`, {
      key: null, body: { channelId: other.channel, ...body, subscriptionId },
    });
    const [foreign, unknown] = [await ask(sdk.id), await ask('S9cA4fr2doS24d2f6')];
    assert.deepEqual([foreign.status, foreign.text], [unknown.status, unknown.text], rest);
  }
  for (const report of ['delivered', 'clicked']) {
    const ask = (subscriptionId) => server.call('POST', `/notification/${report}`, {
      key: null, body: { channelId: other.channel, notificationId: 'n', subscriptionId },
    });
    const [foreign, unknown] = [await ask(sdk.id), await ask('S9cA4fr2doS24d2f6')];
    assert.deepEqual([foreign.status, foreign.text], [unknown.status, unknown.text], report);
  }
  // The same push token elsewhere is somebody else, and its id too.
  const there = other.sdk(AndroidSdk);
  there.push = sdk.push;
  there.id = sdk.id;
  await there.sync();
  assert.notEqual(there.id, sdk.id);
  assert.deepEqual(await mine.told(() => {}), []);
  assert.equal((await mine.subscription(sdk.id)).inactive, false);
});

test('what the apps are told has no secret of the channel', async (t) => {
  const app = await open(t, {
    authorizer: { url: 'https://example.com/allow', authorization: 'authorizer-secret', routes: ['/subscription/tag'] },
  });
  for (const target of [`/channel/${app.channel}/config`, `/channel/${app.channel}/app-banners`,
    `/channel/${app.channel}/received-notifications`, `/channel-config?bundleId=com.example.${app.channel}`]) {
    const { status, text } = await server.call('GET', target, { key: null });
    assert.equal(status, 200, text);
    for (const secret of ['authorizer', 'example.com/allow', 'allowedOrigins', ORIGIN, 'bundleIds', 'whsec']) {
      assert.ok(!text.includes(secret), text);
    }
  }
});

// ---- keys ----

test('an SDK needs no key, and a wrong one does it no harm', async (t) => {
  const app = await open(t);
  for (const authorization of [undefined, 'Bearer x', 'Basic eDp5', server.key]) {
    const sdk = app.sdk(AndroidSdk, { added: authorization === undefined ? {} : { authorization } });
    await sdk.init();
    await sdk.subscribe();
    await sdk.addTopic('t1');
  }
});

test('what the customer\'s programs ask still wants a key', async (t) => {
  const app = await open(t);
  const { id } = await app.sdk(AndroidSdk).sync();
  const key = async (role) => (await server.must('POST', '/v1/keys', { body: { role, channel: app.channel } })).key;
  const keys = { manage: await key('manage'), ingest: await key('ingest'), read: await key('read') };
  const { path: v1 } = app;
  const rows = [
    ['GET', `${v1}/subscriptions`, 'read'], ['POST', `${v1}/subscriptions`, 'manage', {}],
    ['GET', `${v1}/subscriptions/${id}`, 'read'], ['PUT', `${v1}/subscriptions/x`, 'manage', {}],
    ['GET', `${v1}/subscriptions/${id}/topics`, 'read'],
    ['PUT', `${v1}/subscriptions/${id}/topics`, 'manage', { topics: [] }],
    ['GET', `${v1}/subscriptions/${id}/tags`, 'read'],
    ['PUT', `${v1}/subscriptions/${id}/tags`, 'manage', { tags: [] }],
    ['GET', `${v1}/subscriptions/${id}/attributes`, 'read'],
    ['PATCH', `${v1}/subscriptions/${id}/attributes`, 'manage', { user_id: 'x' }],
    ['GET', `${v1}/subscriptions/export`, 'manage'],
    ['GET', `${v1}/config`, 'read'], ['PATCH', `${v1}/config`, 'manage', { fcmId: '1' }],
    ['GET', `${v1}/topics`, 'read'], ['GET', `${v1}/tags`, 'read'], ['GET', `${v1}/attributes`, 'read'],
    ['GET', `${v1}/notifications`, 'read'], ['POST', `${v1}/notifications`, 'manage', { _id: 'n1' }],
    ['GET', '/channels', 'read'], ['GET', `/channel/${app.channel}/subscriptions`, 'read'],
    ['GET', `/channel/${app.channel}/subscription-count`, 'read'],
    ['GET', `/channel/${app.channel}/topics`, 'read'], ['GET', `/channel/${app.channel}/tags`, 'read'],
    ['GET', `/channel/${app.channel}/notifications`, 'read'],
    ['GET', `/subscription?channelId=${app.channel}&attributeId=user_id&attribute_value=x`, 'read'],
    ['DELETE', `${v1}/subscriptions/${id}`, 'manage'],
  ];
  for (const [method, target, role, body] of rows) {
    const ask = (more) => server.call(method, target, { body, ...more });
    for (const wrong of [null, 'x', `${keys.read.slice(0, -2)}00`]) {
      assert.equal((await ask({ key: wrong })).status, 401, `${method} ${target}`);
    }
    assert.equal((await ask({ key: keys.ingest })).status, 403, `${method} ${target}`);
    if (role === 'manage') assert.equal((await ask({ key: keys.read })).status, 403, `${method} ${target}`);
    // The raw key, as the platform's own programs send it.
    const answer = await ask({ key: null, headers: { authorization: keys[role] } });
    assert.ok(answer.status < 300, `${method} ${target}: ${answer.status} ${answer.text}`);
  }
});

test('another channel\'s key opens nothing', async (t) => {
  const [mine, other] = [await open(t), await open(t)];
  const { id } = await mine.sdk(AndroidSdk).sync();
  const { key } = await server.must('POST', '/v1/keys', { body: { role: 'manage', channel: other.channel } });
  for (const target of [`${mine.path}/subscriptions`, `${mine.path}/subscriptions/${id}`, `${mine.path}/config`,
    `${mine.path}/subscriptions/export`, `/channel/${mine.channel}/subscriptions`,
    `/channel/${mine.channel}/subscription-count`, `${other.path}/subscriptions/${id}`,
    `/subscription?channelId=${mine.channel}&attributeId=user_id&attribute_value=x`]) {
    const answer = await server.call('GET', target, { key });
    assert.ok([403, 404].includes(answer.status), `${target}: ${answer.status}`);
    assert.ok(!answer.text.includes('platformName'), answer.text);
  }
  const { channels } = await server.must('GET', '/channels', { key: null, headers: { authorization: key } });
  assert.deepEqual(channels.map((channel) => channel._id), [other.channel]);
});

test('the push tokens in an export are for nobody who may only read', async (t) => {
  const app = await open(t);
  const sdk = app.sdk(AndroidSdk);
  await sdk.sync();
  const { key } = await server.must('POST', '/v1/keys', { body: { role: 'read', channel: app.channel } });
  const platform = `/channel/${app.channel}/subscriptions`;
  for (const target of [`${app.path}/subscriptions`, `${app.path}/subscriptions/${sdk.id}`, platform,
    `${platform}?fields=fcmToken&fields=platformName`, `${app.path}/events`]) {
    const answer = await server.call('GET', target, { key });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(!answer.text.includes(JSON.stringify(sdk.push.fcmToken).slice(1, -1)), answer.text);
  }
});

test('an export has all subscriptions once, page by page', async (t) => {
  const app = await open(t);
  const ids = Array.from({ length: 5500 }, (_, i) => `s${i}`);
  for (let i = 0; i < ids.length; i += 500) {
    const lines = ids.slice(i, i + 500).map((_id) =>
      JSON.stringify({ _id, platformName: 'iOS', apnsToken: `${_id}-token` }));
    const answer = await server.call('POST', `${app.path}/subscriptions/import`, {
      type: 'application/x-ndjson', body: lines.join('\n'),
    });
    assert.ok(answer.status < 300, answer.text);
  }
  const rows = [];
  let pages = 0;
  let cursor;
  do {
    const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`;
    const answer = await server.call('GET', `${app.path}/subscriptions/export${query}`);
    assert.equal(answer.status, 200, answer.text);
    rows.push(...answer.text.trimEnd().split('\n').map((line) => JSON.parse(line)));
    cursor = answer.headers['next-cursor'];
    pages++;
  } while (cursor);
  assert.ok(pages > 1);
  assert.deepEqual(rows.map((row) => row._id), ids);
  for (const row of rows) assert.equal(row.apnsToken, `${row._id}-token`);
  assert.deepEqual(await app.events(), []);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
