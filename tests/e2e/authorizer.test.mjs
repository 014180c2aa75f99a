// The customer's own service that says yes or no: what it is asked, what its answers mean, and
// that the token it is given is nowhere else.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test, { after } from 'node:test';
import { Receiver, Server, closedPort } from './harness.mjs';
import { AndroidSdk, App, IosSdk, ORIGIN, UNLIMITED, WebSdk } from './sdk.mjs';

const server = await Server.start({ args: [...UNLIMITED, '--log-level', 'debug'] });
after(() => server.stop());
const TOKEN = 'tok-3.b/c+d_e~7f';
let made = 0;

const ROUTES = ['/subscription/attribute', '/subscription/attribute/push-value', '/subscription/topic/add',
  '/subscription/tag'];

// A channel with an authorizer that answers this, and a subscription in it.
async function setting(t, answer, { routes = ROUTES, ...more } = {}) {
  const app = await App.open(t, server, `gate${++made}`);
  const authorizer = await Receiver.open(answer);
  t.after(() => authorizer.close());
  const config = { url: authorizer.url, authorization: 'a fixed secret', routes, ...more };
  const sdk = app.sdk(IosSdk);
  await app.told(() => sdk.sync());
  await app.configure({ authorizer: config });
  sdk.authorizationToken = TOKEN;
  return { app, authorizer, sdk };
}

const yes = (res) => res.writeHead(200).end();
const no = (res) => res.writeHead(403).end();
const refused = (error) => error.status === 403;

// One request that is refused: nothing is changed, nothing told.
async function isRefused(app, sdk, act) {
  const before = await app.subscription(sdk.id);
  assert.deepEqual(await app.told(() => assert.rejects(act(), refused)), []);
  const [answer] = sdk.answers.slice(-1);
  assert.deepEqual(Object.keys(answer.json), ['error']);
  assert.deepEqual(await app.subscription(sdk.id), before);
}

test('the authorizer is asked with the token, the path and the body', async (t) => {
  const { app, authorizer, sdk } = await setting(t, yes);
  const about = { channelId: app.channel };
  const id = sdk.id;
  const rows = [
    [() => sdk.setAttribute('user_id', 'a/b "ü"'), '/subscription/attribute',
      { ...about, attributeId: 'user_id', value: 'a/b "ü"', subscriptionId: id }],
    [() => sdk.pushAttribute('interests', 'x'), '/subscription/attribute/push-value',
      { ...about, attributeId: 'interests', value: 'x', subscriptionId: id }],
    [() => sdk.postTopic('add', 't1'), '/subscription/topic/add', { ...about, topicId: 't1', subscriptionId: id }],
    [() => sdk.tag('g1'), '/subscription/tag', { ...about, tagId: 'g1', subscriptionId: id }],
  ];
  for (const [i, [act, target, body]] of rows.entries()) {
    await act();
    const asked = (await authorizer.count(i + 1))[i];
    assert.equal(asked.method, 'POST');
    assert.equal(asked.path, '/');
    assert.equal(asked.headers.authorization, 'a fixed secret');
    assert.equal(asked.headers['x-subscription-token'], TOKEN);
    assert.equal(asked.headers['content-type'], 'application/json');
    assert.equal(asked.headers['content-length'], `${asked.body.length}`);
    const expected = { subscriptionToken: TOKEN, request: { path: target, body } };
    assert.equal(JSON.stringify(JSON.parse(asked.body)), JSON.stringify(expected), 'the order of its keys too');
  }
  assert.equal(authorizer.calls.length, rows.length);
  const shown = await app.subscription(id);
  assert.deepEqual([shown.topics, shown.tags], [['t1'], ['g1']]);
});

test('what the authorizer lets pass is done, and told', async (t) => {
  const { app, sdk } = await setting(t, yes);
  const seen = { ...(await app.subscription(sdk.id)), topics: [] };
  const customAttributes = { user_id: 'x' };
  await app.tells(() => sdk.setAttribute('user_id', 'x'), seen, ['attributeUpdate', { customAttributes }]);
  await app.tells(() => sdk.postTopic('add', 't1'), seen, ['topicAdded', {}, { newTopicsIds: ['t1'] }]);
});

test('the token is taken out of the body wherever it stands', async (t) => {
  const { app, authorizer, sdk } = await setting(t, yes);
  const rest = `"channelId":"${app.channel}","topicId":"t1","subscriptionId":"${sdk.id}"`;
  const token = `"authorizationToken":"${TOKEN}"`;
  const bodies = [
    `{${token},${rest}}`, `{${rest},${token}}`, `{"channelId":"${app.channel}",${token},"topicId":"t1",` +
    `"subscriptionId":"${sdk.id}"}`, `{ ${rest} , "authorization\\u0054oken" : "${TOKEN}" }`,
    `{${rest},"authorizationToken":"${TOKEN.replaceAll('/', '\\/')}"}`,
  ];
  for (const [i, body] of bodies.entries()) {
    const answer = await server.call('POST', '/subscription/topic/add', { key: null, body });
    assert.equal(answer.status, 200, answer.text);
    const asked = (await authorizer.count(i + 1))[i];
    assert.equal(asked.headers['x-subscription-token'], TOKEN);
    assert.equal(JSON.stringify(JSON.parse(asked.body).request.body), `{${rest}}`, body);
  }
});

test('a token in the query is one too, and stands in no path', async (t) => {
  const { app, authorizer, sdk } = await setting(t, yes);
  const body = { channelId: app.channel, topicId: 't1', subscriptionId: sdk.id };
  const target = `/subscription/topic/add?authorizationToken=${encodeURIComponent(TOKEN)}`;
  const answer = await server.call('POST', target, { key: null, body });
  assert.equal(answer.status, 200, answer.text);
  const [asked] = await authorizer.count(1);
  assert.equal(asked.headers['x-subscription-token'], TOKEN);
  assert.deepEqual(JSON.parse(asked.body),
    { subscriptionToken: TOKEN, request: { path: '/subscription/topic/add', body } });
});

test('only a 200 lets a request pass, and no answer is asked for twice', async (t) => {
  for (const status of [201, 202, 204, 206, 299, 300, 400, 401, 403, 404, 410, 429, 500, 503]) {
    const { app, authorizer, sdk } = await setting(t, (res) => res.writeHead(status, { 'Retry-After': '0' }).end());
    await isRefused(app, sdk, () => sdk.setAttribute('user_id', 'x'));
    assert.equal(authorizer.calls.length, 1, `${status}`);
  }
});

test('a redirect is a no, and nobody is asked where it leads', async (t) => {
  const second = await Receiver.open(yes);
  t.after(() => second.close());
  for (const status of [301, 302, 303, 307, 308]) {
    const { app, authorizer, sdk } = await setting(t, (res) => res.writeHead(status, { Location: second.url }).end());
    await isRefused(app, sdk, () => sdk.postTopic('add', 't1'));
    assert.equal(authorizer.calls.length, 1, `${status}`);
  }
  assert.equal(second.calls.length, 0);
});

test('whatever the body of the answer says, its status counts', async (t) => {
  const bad = await setting(t, (res) => res.writeHead(403).end('{"allow":true}'));
  await isRefused(bad.app, bad.sdk, () => bad.sdk.tag('g1'));
  const fine = await setting(t, (res) => res.writeHead(200).end('{"allow":false}'));
  await fine.sdk.tag('g1');
  assert.deepEqual((await fine.app.subscription(fine.sdk.id)).tags, ['g1']);
});

test('an authorizer that cannot be reached is a no', async (t) => {
  const { app, sdk } = await setting(t, yes);
  const broken = await Receiver.open((res) => res.destroy());
  t.after(() => broken.close());
  for (const url of [`http://127.0.0.1:${await closedPort()}/`, 'http://does-not-exist.invalid/', broken.url]) {
    await app.configure({ authorizer: { url, authorization: 'a fixed secret', routes: ROUTES } });
    await isRefused(app, sdk, () => sdk.setAttribute('user_id', 'x'));
  }
  assert.equal(broken.calls.length, 1);
});

test('an authorizer that says nothing for 5 s is a no, and holds nobody else up', async (t) => {
  const { app, authorizer, sdk } = await setting(t, () => {});
  const began = process.hrtime.bigint();
  let seconds;
  const waiting = assert.rejects(sdk.setAttribute('user_id', 'x'), refused).finally(() => {
    seconds = Number(process.hrtime.bigint() - began) / 1e9;
  });
  await authorizer.count(1);
  // Meanwhile: what is not gated, and other channels.
  await sdk.sync();
  const other = await setting(t, yes);
  await other.sdk.setAttribute('user_id', 'x');
  assert.equal(seconds, undefined, 'the first one waits still');
  await waiting;
  assert.ok(seconds > 4.9, `${seconds} s`);
  assert.equal(authorizer.calls.length, 1);
  assert.deepEqual(await app.told(() => {}), []);
  assert.equal((await app.subscription(sdk.id)).customAttributes, undefined);
});

test('without a token the answer is no, and nobody is asked', async (t) => {
  const { app, authorizer, sdk } = await setting(t, yes);
  for (const token of [undefined, null, '', 7, {}, [], 'a\nb', 'a b\u0000', 'ü']) {
    sdk.authorizationToken = token;
    await isRefused(app, sdk, () => sdk.setAttribute('user_id', 'x'));
  }
  assert.equal(authorizer.calls.length, 0);
});

test('only the routes that it is set for are asked about', async (t) => {
  const { app, authorizer, sdk } = await setting(t, no, { routes: ['/subscription/tag'] });
  const events = await app.told(async () => {
    await sdk.setAttribute('user_id', 'x');
    await sdk.pushAttribute('interests', 'x');
    await sdk.addTopic('t1');
    await sdk.untag('g1');
    await sdk.delivered('n');
    await sdk.clicked('n');
    await sdk.startSession();
    await sdk.init();
  });
  assert.equal(authorizer.calls.length, 0);
  assert.deepEqual(events.map((event) => event.type),
    ['attributeUpdate', 'attributeUpdate', 'topicAdded', 'delivery', 'click']);
  await isRefused(app, sdk, () => sdk.tag('g1'));
  assert.equal(authorizer.calls.length, 1);
  sdk.authorizationToken = undefined;
  await sdk.setAttribute('user_id', 'y');
});

test('every route that can be gated is', async (t) => {
  const routes = ['/subscription/sync', '/subscription/unsubscribe', '/subscription/topic/add',
    '/subscription/topic/remove', '/subscription/tag', '/subscription/untag', '/subscription/attribute',
    '/subscription/attribute/push-value', '/subscription/attribute/pull-value', '/subscription/attribute/clear'];
  const { app, authorizer, sdk } = await setting(t, no, { routes });
  const { id } = sdk;
  const acts = [
    () => sdk.sync(), () => sdk.unsubscribe(), () => sdk.postTopic('add', 't1'), () => sdk.postTopic('remove', 't1'),
    () => sdk.tag('g1'), () => sdk.untag('g1'), () => sdk.setAttribute('user_id', 'x'),
    () => sdk.pushAttribute('user_id', 'x'), () => sdk.pullAttribute('user_id', 'x'),
    () => sdk.clearAttribute('user_id'),
  ];
  for (const [i, act] of acts.entries()) {
    sdk.id = id;
    await app.told(() => assert.rejects(act(), refused));
    sdk.id = id;
    const asked = (await authorizer.count(i + 1))[i];
    const { path: target, body } = JSON.parse(asked.body).request;
    assert.ok(target.startsWith(routes[i]), target);
    assert.equal(body.authorizationToken, undefined);
  }
  assert.equal(authorizer.calls.length, acts.length);
  assert.deepEqual((await app.events()).map((event) => event.type), ['optIn']);
  // The customer himself is not asked.
  await server.must('PUT', `${app.path}/subscriptions/${id}/tags`, { body: { tags: ['g1'] } });
  assert.equal(authorizer.calls.length, acts.length);
});

test('a yes is for one request: one subscription\'s waits for no other', async (t) => {
  const { app, authorizer, sdk } = await setting(t, (res, call) =>
    res.writeHead(JSON.parse(call.body).request.body.value === 'yes' ? 200 : 403).end());
  const values = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 'yes' : 'no'));
  const outcomes = await Promise.allSettled(values.map((value, i) => sdk.setAttribute(`a${i}`, value)));
  for (const [i, outcome] of outcomes.entries()) {
    assert.equal(outcome.status, values[i] === 'yes' ? 'fulfilled' : 'rejected');
  }
  assert.equal(authorizer.calls.length, values.length);
  const { customAttributes } = await app.subscription(sdk.id);
  assert.deepEqual(Object.keys(customAttributes).sort(),
    values.flatMap((value, i) => (value === 'yes' ? [`a${i}`] : [])).sort());
});

test('an SDK that tries again asks again: each time it is one question', async (t) => {
  const { app, authorizer } = await setting(t, no);
  const sdk = app.sdk(AndroidSdk, { authorizationToken: TOKEN });
  await app.told(() => sdk.sync());
  await isRefused(app, sdk, () => sdk.setAttribute('user_id', 'x'));
  assert.equal(authorizer.calls.length, 4, 'the four attempts of Android');
});

test('a page is told no so that it can read it', async (t) => {
  const { app, authorizer } = await setting(t, no);
  const sdk = app.sdk(WebSdk, { authorizationToken: TOKEN });
  await sdk.sync();
  await assert.rejects(sdk.tag('g1'), refused);
  const [answer] = sdk.answers.slice(-1);
  assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
  assert.equal(authorizer.calls.length, 1);
});

test('an authorizer that is changed or taken away is that at once', async (t) => {
  const { app, authorizer, sdk } = await setting(t, no);
  await isRefused(app, sdk, () => sdk.tag('g1'));
  const second = await Receiver.open(yes);
  t.after(() => second.close());
  await app.configure({ authorizer: { url: second.url, authorization: 'another', routes: ROUTES } });
  await sdk.tag('g1');
  assert.equal((await second.count(1))[0].headers.authorization, 'another');
  await app.configure({ authorizer: null });
  await sdk.tag('g2');
  assert.deepEqual([authorizer.calls.length, second.calls.length], [1, 1]);
});

test('what cannot be an authorizer is refused', async (t) => {
  const { app } = await setting(t, yes);
  const fine = { url: 'https://example.com/allow', authorization: 'x', routes: ['/subscription/tag'] };
  const rows = [
    [{ ...fine, url: 'ftp://example.com/' }, '/authorizer/url'], [{ ...fine, url: 7 }, '/authorizer/url'],
    [{ ...fine, url: undefined }, '/authorizer/url'], [{ ...fine, authorization: 'a\nb' }, '/authorizer/authorization'],
    [{ ...fine, routes: ['/subscription/nope'] }, '/authorizer/routes/0'],
    [{ ...fine, routes: ['/subscription/tag', '/notification/clicked'] }, '/authorizer/routes/1'],
    [{ ...fine, routes: 'x' }, '/authorizer/routes'], [{ ...fine, rotues: [] }, '/authorizer/rotues'],
    ['x', '/authorizer'],
  ];
  for (const [authorizer, at] of rows) {
    const answer = await server.call('PATCH', `${app.path}/config`, { body: { authorizer } });
    assert.equal(answer.status, 400, JSON.stringify(authorizer));
    assert.equal(answer.json.path, at, answer.text);
  }
});

test('without --dev neither http nor a private target is asked', async (t) => {
  const strict = await Server.start({ dev: false });
  t.after(() => strict.stop());
  await strict.channel('c');
  for (const url of ['http://example.com/', 'https://127.0.0.1/', 'https://[::1]/', 'https://10.0.0.1/',
    'https://169.254.169.254/', 'https://localhost/']) {
    const answer = await strict.call('PATCH', '/v1/channels/c/config', {
      body: { authorizer: { url, authorization: 'x', routes: ['/subscription/tag'] } },
    });
    assert.equal(answer.status, 400, url);
    assert.equal(answer.json.path, '/authorizer/url');
  }
});

test('the token is in no log, no file, no answer and no webhook', async (t) => {
  const secret = 'never-to-be-seen-4711';
  const { app, sdk } = await setting(t, yes);
  sdk.authorizationToken = secret;
  await sdk.init();
  await app.told(async () => {
    await sdk.setAttribute('user_id', 'x');
    await sdk.setTopics(['t1']);
    await sdk.postTopic('add', 't2');
    await sdk.delivered('n');
    await sdk.clicked('n');
    await sdk.startSession();
    await sdk.get(`/channel/${app.channel}/app-banners?platformName=iOS`);
    await sdk.get('/nope').catch(() => {});
    await sdk.post('/subscription/nope', {}).catch(() => {});
    await sdk.post('/subscription/topic/add', { topicId: {} }).catch(() => {});
    await sdk.setAttribute('user_id', undefined).catch(() => {});
    await server.call('POST', `/subscription/sync/${app.channel}`, {
      key: null, body: `{"authorizationToken":"${secret}"`,
    });
  });
  const url = `http://127.0.0.1:${await closedPort()}/`;
  await app.configure({ authorizer: { url, authorization: 'x', routes: ROUTES } });
  await assert.rejects(sdk.tag('g1'), refused);
  const metrics = (await server.call('GET', '/metrics')).text;
  const exported = (await server.call('GET', `${app.path}/subscriptions/export`)).text;
  const events = JSON.stringify(await app.events());
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  const texts = {
    log: server.output, metrics, exported, events,
    answers: sdk.answers.map((answer) => `${JSON.stringify(answer.headers)} ${answer.text}`).join('\n'),
    webhooks: app.receiver.calls.map((call) => `${JSON.stringify(call.headers)} ${call.body}`).join('\n'),
  };
  for (const [what, text] of Object.entries(texts)) {
    assert.ok(!text.includes(secret), what);
    assert.ok(!text.includes(TOKEN), what);
  }
  const files = readdirSync(server.data);
  assert.ok(files.length > 0);
  for (const name of files) {
    const bytes = readFileSync(path.join(server.data, name));
    for (const each of [secret, TOKEN, TOKEN.replaceAll('/', '\\/')]) {
      assert.ok(!bytes.includes(each), `${name}: ${each}`);
    }
  }
});
