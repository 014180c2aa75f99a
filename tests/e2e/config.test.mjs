// What the customer says of a channel: its settings, its lists, its notifications; and the same
// in the push platform's form.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Server } from './harness.mjs';

let server = await Server.start();
let made = 0;

const configs = []; // a bundle id is one channel's: whoever had some gives them back
async function setting() {
  for (const before of configs) await server.call('PATCH', before, { body: { bundleIds: [] } });
  const channel = await server.channel(`c${++made}`);
  const base = `/v1/channels/${channel}`;
  const config = `${base}/config`;
  configs.push(config);
  return { channel, base, config };
}

async function refused(answer, status, path, detail) {
  const got = await answer;
  assert.equal(got.status, status, got.text);
  assert.equal(got.headers['content-type'], 'application/problem+json');
  if (path !== undefined) assert.equal(got.json.path, path, got.text);
  if (detail) assert.match(got.json.detail, detail);
  return got.json;
}

// A public request, as an SDK makes it.
async function sdk(method, target, body) {
  const answer = await server.call(method, target, { key: null, body });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

// A request of a program that was written for the push platform: the raw key, no scheme.
async function customer(target, { method = 'GET', key = server.key, body } = {}) {
  return server.call(method, target, { key: null, headers: { authorization: key }, body });
}

async function customers(target, options) {
  const answer = await customer(target, options);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

const MADE_ID = /^[2-9A-HJ-NP-TW-Za-km-z]{17}$/;
const SECRET = 'Basic never-to-be-seen-again';
const AUTHORIZER = {
  url: 'http://127.0.0.1:9/allow',
  authorization: SECRET,
  routes: ['/subscription/attribute', '/subscription/topic/add'],
};
const ALL = {
  fcmId: '123456789012',
  topics: [
    { _id: 't1', name: 'Sport', sort: 1, customData: { a: [1, null, ' b '] } },
    { _id: 't2', name: 'Kultur & Ümläut', parentTopic: 't1' },
  ],
  tags: [{ _id: 'g1', name: 'reader', autoAssignPath: '/a "b" \\' }],
  attributes: [{ id: 'user_id', name: 'User' }],
  sdk: { confirmAlertHideChannelTopics: true, channelEvents: [{ _id: 'e1', name: 'buy' }] },
  allowedOrigins: ['https://www.example.com', 'http://localhost:3000', '*'],
  bundleIds: ['com.example.app', 'com.example.other'],
  authorizer: AUTHORIZER,
};
const EMPTY = {
  fcmId: null, topics: [], tags: [], attributes: [], sdk: {}, allowedOrigins: [], bundleIds: [],
  authorizer: null,
};

// As it is shown: without what is write-only, the routes in their own order.
function shown(config) {
  if (!config.authorizer) return config;
  const { url, routes } = config.authorizer;
  return { ...config, authorizer: { url, routes: [...routes].reverse() } };
}

// ---- settings ----

test('a new channel has empty settings', async () => {
  const { channel, config } = await setting();
  assert.deepEqual(await server.must('GET', config), EMPTY);
  assert.deepEqual(await sdk('GET', `/channel/${channel}/config`), {
    channelId: channel, channelTopics: [], channelTags: [], customAttributes: [], channelEvents: [],
  });
});

test('what is set is shown, and told to apps', async () => {
  const { channel, config } = await setting();
  const answer = await server.must('PATCH', config, { body: JSON.stringify(ALL, null, 4) });
  assert.deepEqual(answer, shown(ALL));
  const got = await server.call('GET', config);
  assert.deepEqual(got.json, shown(ALL));
  assert.equal(got.text, JSON.stringify(got.json), 'without white space');

  const told = {
    channelId: channel, fcmId: ALL.fcmId, channelTopics: ALL.topics, channelTags: ALL.tags,
    customAttributes: ALL.attributes, ...ALL.sdk,
  };
  const answers = [`/channel/${channel}/config`, '/channel-config?bundleId=com.example.app',
    `/channel/${channel}/config?platformName=iOS`, '/channel-config?bundleId=com.example.other'];
  for (const target of answers) {
    const config_ = await server.call('GET', target, { key: null });
    assert.equal(config_.status, 200, target);
    assert.deepEqual(config_.json, told, target);
    assert.equal(config_.text, JSON.stringify(config_.json), 'without white space');
  }
  await server.must('PATCH', config, { body: { bundleIds: [] } });
  const gone = await server.call('GET', '/channel-config?bundleId=com.example.app', { key: null });
  assert.equal(gone.status, 404);
});

test('a member that is given is replaced whole, and the others stay', async () => {
  const { config } = await setting();
  await server.must('PATCH', config, { body: ALL });
  let now = shown(ALL);
  const changes = [
    {},
    { topics: [{ _id: 't9', name: 'One' }] },
    { sdk: { alertTimeout: 3 } },
    { allowedOrigins: [], bundleIds: ['x'] },
    { authorizer: { ...AUTHORIZER, routes: ['/subscription/sync'] } },
    { fcmId: null, attributes: [], tags: [] },
    { sdk: null },
    { authorizer: null },
  ];
  for (const body of changes) {
    now = { ...now, ...shown(body), ...(body.sdk === null && { sdk: {} }) };
    assert.deepEqual(await server.must('PATCH', config, { body }), now);
    assert.deepEqual(await server.must('GET', config), now);
  }
});

test('a change is seen in updatedAt, and changes nothing else of the channel', async () => {
  const { base, config } = await setting();
  const before = await server.must('GET', base);
  await server.must('PATCH', config, { body: { fcmId: '1' } });
  const after = await server.must('GET', base);
  assert.ok(after.updatedAt >= before.updatedAt);
  assert.deepEqual({ ...after, updatedAt: null }, { ...before, updatedAt: null });
  await server.must('PATCH', base, { body: { name: 'another name' } });
  assert.equal((await server.must('GET', config)).fcmId, '1');
});

test('origins are kept as browsers write them', async () => {
  const { channel, config } = await setting();
  const rows = [
    ['HTTPS://WWW.Example.COM', 'https://www.example.com'],
    ['https://a.example:443', 'https://a.example'],
    ['http://a.example:80', 'http://a.example'],
    ['http://a.example:443', 'http://a.example:443'],
    ['https://b.example:8443', 'https://b.example:8443'],
    ['http://[2001:DB8::1]:8080', 'http://[2001:db8::1]:8080'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['http://127.0.0.1', 'http://127.0.0.1'],
  ];
  const body = { allowedOrigins: rows.map(([given]) => given) };
  const { allowedOrigins } = await server.must('PATCH', config, { body });
  assert.deepEqual(allowedOrigins, rows.map(([, kept]) => kept));
  for (const [origin, allowed] of [['https://a.example', true], ['https://evil.example', false]]) {
    const answer = await server.call('GET', `/channel/${channel}/config`, { key: null, headers: { origin } });
    assert.equal(answer.headers['access-control-allow-origin'], allowed ? origin : undefined);
  }
});

const topic = (id, more = {}) => ({ _id: id, name: 'x', ...more });
const authorizer = (more) => ({ authorizer: { ...AUTHORIZER, ...more } });
const without = (name) => {
  const { [name]: gone, ...rest } = AUTHORIZER;
  return { authorizer: rest };
};
const refusals = [
  [{ unknown: 1 }, '/unknown', /fcmId, topics, tags/],
  [{ fcmId: 123 }, '/fcmId'], [{ fcmId: '' }, '/fcmId'], [{ fcmId: '12a' }, '/fcmId', /digits/],
  [{ fcmId: ' 12' }, '/fcmId'], [{ fcmId: '1'.repeat(21) }, '/fcmId'],
  ...['topics', 'tags', 'attributes'].flatMap((list) => {
    const id = list === 'attributes' ? 'id' : '_id';
    const one = { [id]: 'a', name: 'x' };
    return [
      [{ [list]: null }, `/${list}`], [{ [list]: {} }, `/${list}`], [{ [list]: 'x' }, `/${list}`],
      [{ [list]: ['x'] }, `/${list}/0`], [{ [list]: [one, []] }, `/${list}/1`],
      [{ [list]: [{ name: 'x' }] }, `/${list}/0/${id}`, /missing/],
      [{ [list]: [{ [id]: 'a' }] }, `/${list}/0/name`, /missing/],
      [{ [list]: [{ ...one, [id]: 'a b' }] }, `/${list}/0/${id}`],
      [{ [list]: [{ ...one, [id]: 7 }] }, `/${list}/0/${id}`],
      [{ [list]: [{ ...one, [id]: '..' }] }, `/${list}/0/${id}`],
      [{ [list]: [{ ...one, [id]: 'x'.repeat(65) }] }, `/${list}/0/${id}`],
      [{ [list]: [{ ...one, name: '' }] }, `/${list}/0/name`],
      [{ [list]: [{ ...one, name: null }] }, `/${list}/0/name`],
      [{ [list]: [{ ...one, name: 'x'.repeat(201) }] }, `/${list}/0/name`],
      [{ [list]: [one, { ...one, [id]: 'b' }, one] }, `/${list}/2/${id}`, /twice/],
      [{ [list]: Array.from({ length: 1001 }, (_, i) => ({ ...one, [id]: `a${i}` })) }, `/${list}`, /1000/],
    ];
  }),
  [{ attributes: [{ id: 'a', name: 'x', more: 1 }] }, '/attributes/0/more'],
  [{ sdk: [] }, '/sdk'], [{ sdk: 'x' }, '/sdk'],
  ...['channelId', 'fcmId', 'channelTopics', 'channelTags', 'customAttributes'].map((name) =>
    [{ sdk: { a: 1, [name]: null } }, `/sdk/${name}`]),
  ['{"sdk":{"channel\\u0049d":"x"}}', '/sdk/channelId'],
  [{ allowedOrigins: 'https://a.example' }, '/allowedOrigins'],
  ...['https://a.example/', 'https://a.example/x', 'a.example', '//a.example', 'https://', 'https:a', 'null',
    'https://a.example:', 'https://a.example:0', 'https://a.example:65536', 'https://a.example:8x',
    'https://u@a.example', 'https://a.example?x', 'https://*.example', '1http://a', 'http://[::1', 'http://[]',
    'http://[::1]x', 'https://ä.example', ' https://a.example', '', 5, null, 'https://' + 'a'.repeat(293),
  ].map((origin) => [{ allowedOrigins: ['*', origin] }, '/allowedOrigins/1']),
  [{ allowedOrigins: ['https://a.example', 'HTTPS://A.example:443'] }, '/allowedOrigins/1', /twice/],
  [{ allowedOrigins: Array.from({ length: 101 }, (_, i) => `https://a${i}`) }, '/allowedOrigins', /100/],
  [{ bundleIds: {} }, '/bundleIds'], [{ bundleIds: ['a', ''] }, '/bundleIds/1'],
  [{ bundleIds: ['x'.repeat(301)] }, '/bundleIds/0'], [{ bundleIds: ['a', 'b', 'a'] }, '/bundleIds/2', /twice/],
  [{ bundleIds: Array.from({ length: 101 }, (_, i) => `a${i}`) }, '/bundleIds', /100/],
  [{ authorizer: 'x' }, '/authorizer'], [{ authorizer: {} }, '/authorizer/url', /missing/],
  [without('url'), '/authorizer/url', /missing/], [without('routes'), '/authorizer/routes', /missing/],
  [without('authorization'), '/authorizer/authorization', /missing/],
  [authorizer({ more: 1 }), '/authorizer/more'],
  [authorizer({ url: 'ftp://example.com' }), '/authorizer/url'], [authorizer({ url: 'x' }), '/authorizer/url'],
  [authorizer({ url: '' }), '/authorizer/url'], [authorizer({ url: null }), '/authorizer/url'],
  ...['', ' x', 'x ', 'a\r\nb: c', 'a\nb', 'ä', 'a\u0000', 'x'.repeat(4097), null].map((authorization) =>
    [authorizer({ authorization }), '/authorizer/authorization']),
  [authorizer({ routes: [] }), '/authorizer/routes'], [authorizer({ routes: '/subscription/sync' }), '/authorizer/routes'],
  [authorizer({ routes: ['/subscription/sync', '/x'] }), '/authorizer/routes/1', /\/subscription\/sync, .*\/clear/],
  ['[]', ''], ['{"fcmId":', undefined],
];

test('each wrong setting is refused with its place, and nothing changes', async () => {
  const { config } = await setting();
  await server.must('PATCH', config, { body: ALL });
  for (const [body, path, detail] of refusals) {
    // What is right in the same request must not be taken either.
    const whole = typeof body === 'string' ? body : { ...('fcmId' in body ? {} : { fcmId: '9' }), ...body };
    await refused(server.call('PATCH', config, { body: whole }), 400, path, detail);
  }
  assert.deepEqual(await server.must('GET', config), shown(ALL));
});

test('what is just within the limits is taken', async () => {
  const { config } = await setting();
  const body = {
    fcmId: '1'.repeat(20),
    topics: Array.from({ length: 1000 }, (_, i) => topic(`t${i}`)),
    tags: [{ _id: 'x'.repeat(64), name: 'ü'.repeat(100) }],
    bundleIds: Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(300, 'x')),
    allowedOrigins: Array.from({ length: 100 }, (_, i) => `https://a${i}.example`),
    authorizer: { ...AUTHORIZER, authorization: `a${' '.repeat(4094)}b` },
  };
  assert.deepEqual(await server.must('PATCH', config, { body }), shown({ ...EMPTY, ...body }));
  await refused(server.call('POST', config.replace('config', 'topics'), { body: topic('more') }), 413);
});

test('all settings together have a limit, which a change alone may keep', async () => {
  const { base, config } = await setting();
  const half = 'x'.repeat(150_000);
  await server.must('PATCH', config, { body: { sdk: { half } } });
  const body = { topics: [topic('a', { half })] };
  await refused(server.call('PATCH', config, { body }), 413, undefined, /262144/);
  await refused(server.call('POST', `${base}/topics`, { body: topic('a', { half }) }), 413, undefined, /262144/);
  await server.must('POST', `${base}/topics`, { body: topic('a') });
  await refused(server.call('PATCH', `${base}/topics/a`, { body: { half } }), 413, undefined, /262144/);
  assert.deepEqual(await server.must('GET', config), { ...EMPTY, sdk: { half }, topics: [topic('a')] });
  await server.must('PATCH', config, { body: { ...body, sdk: null } });
  await refused(server.call('PATCH', config, { body: `{"sdk":{"x":"${'x'.repeat(262_144)}"}}` }), 413);
});

test('what an authorizer is asked with is never shown', async () => {
  const { channel, base, config } = await setting();
  const answers = [await server.call('PATCH', config, { body: ALL })];
  for (const target of [config, base, '/v1/channels', '/channels', `/channel/${channel}/config`]) {
    answers.push(await server.call('GET', target));
  }
  answers.push(await server.call('PATCH', config, { body: { fcmId: '5' } }));
  answers.push(await server.call('PATCH', config, { body: authorizer({ authorization: `${SECRET}\n` }) }));
  for (const answer of answers) assert.ok(!answer.text.includes('never-to-be-seen'), answer.text);
  assert.ok(!server.output.includes('never-to-be-seen'));
});

test('changes of different members at the same time all survive', async () => {
  const { base, config } = await setting();
  const ids = Array.from({ length: 20 }, (_, i) => `t${i}`);
  const bodies = Object.entries(ALL).filter(([name]) => name !== 'topics');
  const answers = await Promise.all([
    ...bodies.map(([name, value]) => server.call('PATCH', config, { body: { [name]: value } })),
    ...ids.map((id) => server.call('POST', `${base}/topics`, { body: topic(id) })),
    server.call('PATCH', base, { body: { name: 'renamed' } }),
  ]);
  for (const answer of answers) assert.ok(answer.status < 300, answer.text);
  const { topics, ...rest } = await server.must('GET', config);
  const { topics: ignored, ...want } = shown(ALL);
  assert.deepEqual(rest, want);
  assert.deepEqual(topics.map(({ _id }) => _id).sort(), [...ids].sort());
  assert.equal((await server.must('GET', base)).name, 'renamed');
});

test('a bundle id is one channel\'s', async () => {
  const [one, two] = [await setting(), await setting()];
  const bundle = (id) => ({ body: { bundleIds: [id] } });
  await server.must('PATCH', one.config, bundle('com.example.mine'));
  await server.must('PATCH', one.config, bundle('com.example.mine')); // its own again
  const taken = await server.call('PATCH', two.config, bundle('com.example.mine'));
  assert.equal(taken.status, 409);
  assert.match(taken.json.detail, /com\.example\.mine/);
  await server.must('PATCH', one.config, { body: { bundleIds: [] } });
  await server.must('PATCH', two.config, bundle('com.example.mine'));
});

// ---- roles ----

test('each role may do what it may, of its own channel alone', async () => {
  const { channel, base, config } = await setting();
  const other = await setting();
  await server.must('PATCH', config, { body: ALL });
  const rows = [
    ['GET', config], ['PATCH', config, { fcmId: '7' }],
    ['GET', `${base}/topics`], ['POST', `${base}/tags`, { name: 'x' }],
    ['PATCH', `${base}/topics/t1`, { name: 'y' }], ['DELETE', `${base}/topics/nothing`],
    ['POST', `${base}/notifications`, { title: 'x' }], ['PUT', `${base}/notifications/n`, {}],
    ['GET', `${base}/notifications`], ['GET', `${base}/notifications/n`],
    ['GET', `/channel/${channel}/topics`], ['GET', `/channel/${channel}/notifications`], ['GET', '/channels'],
    ['GET', `/channel/${channel}/subscription-count`],
  ];
  const table = {
    manage: [200, 200, 200, 201, 200, 404, 201, 201, 200, 200, 200, 200, 200, 200],
    read: [200, 403, 200, 403, 403, 403, 403, 403, 200, 200, 200, 200, 200, 200],
    ingest: [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403],
  };
  for (const [role, statuses] of Object.entries(table)) {
    const { key } = await server.must('POST', '/v1/keys', { body: { role, channel } });
    const got = [];
    for (const [method, target, body] of rows) {
      got.push((await server.call(method, target, { key, body })).status);
    }
    assert.deepEqual(got, statuses, role);
    for (const [method, target, body] of rows.filter(([, each]) => each !== '/channels')) {
      const foreign = target.replace(`/${channel}`, `/${other.channel}`);
      const answer = await server.call(method, foreign, { key, body });
      assert.equal(answer.status, 404, `${role} ${method} ${foreign}`);
    }
  }
  for (const [method, target, body] of rows) {
    assert.equal((await server.call(method, target, { key: null, body })).status, 401, target);
  }
});

// ---- lists ----

const kinds = [
  ['topics', '_id', 'channelTopics', /no such topic/], ['tags', '_id', 'channelTags', /no such tag/],
  ['attributes', 'id', 'customAttributes', /no such attribute/],
];

for (const [list, id, told, none] of kinds) {
  test(`${list} are added, changed and deleted one by one`, async () => {
    const { channel, base, config } = await setting();
    const target = `${base}/${list}`;
    const all = async () => {
      const { data } = await server.must('GET', target);
      assert.deepEqual((await server.must('GET', config))[list], data);
      assert.deepEqual((await sdk('GET', `/channel/${channel}/config`))[told], data);
      return data;
    };
    assert.deepEqual(await all(), []);
    for (const each of ['a', 'b', 'c']) {
      const body = `{ "${id}" : "${each}" ,\n "name" : "the ${each} " }`;
      const answer = await server.call('POST', target, { body });
      assert.equal(answer.status, 201);
      assert.equal(answer.text, `{"${id}":"${each}","name":"the ${each} "}`);
    }
    const [a, b, c] = await all();
    await refused(server.call('POST', target, { body: { [id]: 'b', name: 'x' } }), 409, undefined, /"b"/);

    const changed = await server.must('PATCH', `${target}/b`, { body: { name: 'new', [id]: 'b' } });
    assert.deepEqual(changed, { [id]: 'b', name: 'new' });
    assert.deepEqual(await server.must('PATCH', `${target}/b`, { body: {} }), changed);
    assert.deepEqual(await all(), [a, changed, c]);
    await refused(server.call('PATCH', `${target}/b`, { body: { [id]: 'z' } }), 400, `/${id}`);
    await refused(server.call('PATCH', `${target}/b`, { body: { name: '' } }), 400, '/name');
    await refused(server.call('PATCH', `${target}/b`, { body: { name: null } }), 400, '/name');
    await refused(server.call('PATCH', `${target}/b`, { body: '[]' }), 400, '');
    assert.deepEqual(await all(), [a, changed, c]);

    for (const gone of ['z', 'A', 'x'.repeat(65), '%62']) {
      await refused(server.call('PATCH', `${target}/${gone}`, { body: { name: 'x' } }), 404, undefined, none);
      await refused(server.call('DELETE', `${target}/${gone}`), 404, undefined, none);
    }
    for (const [gone, left] of [['b', [a, c]], ['a', [c]], ['c', []]]) {
      const answer = await server.call('DELETE', `${target}/${gone}`);
      assert.deepEqual([answer.status, answer.text], [204, '']);
      assert.deepEqual(await all(), left);
      await refused(server.call('DELETE', `${target}/${gone}`), 404);
    }
  });

  test(`wrong ${list} are refused with their place`, async () => {
    const { base } = await setting();
    for (const [body, path] of [
      [{ [id]: 'a' }, '/name'], [{ [id]: 'a b', name: 'x' }, `/${id}`], [{ [id]: null, name: 'x' }, `/${id}`],
      [{ [id]: '.', name: 'x' }, `/${id}`], [{ [id]: 'a', name: 'x'.repeat(201) }, '/name'], ['[]', ''],
      ...(list === 'attributes' ? [[{ name: 'x' }, '/id'], [{ id: 'a', name: 'x', more: 1 }, '/more']] : []),
    ]) {
      await refused(server.call('POST', `${base}/${list}`, { body }), 400, path);
    }
    assert.deepEqual(await server.must('GET', `${base}/${list}`), { data: [] });
  });
}

for (const list of ['topics', 'tags']) {
  test(`${list} without an id get one, and have what members they like`, async () => {
    const { base } = await setting();
    const target = `${base}/${list}`;
    const free = { name: 'x', sort: 1, 'a "b"': [{ c: null }], customData: { k: ' v ' } };
    const first = await server.must('POST', target, { body: free });
    const second = await server.must('POST', target, { body: { name: 'x' } });
    for (const { _id } of [first, second]) assert.match(_id, MADE_ID);
    assert.notEqual(first._id, second._id);
    assert.deepEqual(first, { _id: first._id, ...free });

    const body = '{ "sort": null, "a \\u0022b\\u0022": 2, "customData": { "k2": 1 }, "more": [ ] }';
    const changed = await server.must('PATCH', `${target}/${first._id}`, { body });
    assert.deepEqual(changed, { _id: first._id, name: 'x', 'a "b"': 2, customData: { k2: 1 }, more: [] });
    const got = await server.call('GET', target);
    assert.deepEqual(got.json, { data: [changed, second] });
    assert.equal(got.text, JSON.stringify(got.json), 'without white space');
  });
}

test('what is as deep as a body may be is still read after a restart', async () => {
  const { channel, base, config } = await setting();
  const deep = (n) => `${'['.repeat(n)}${']'.repeat(n)}`;
  await refused(server.call('POST', `${base}/topics`, { body: `{"name":"x","deep":${deep(64)}}` }), 400);
  await server.must('POST', `${base}/topics`, { body: `{"_id":"deep","name":"x","deep":${deep(63)}}` });
  await server.must('PATCH', `${base}/topics/deep`, { body: { name: 'y' } });
  await server.must('PATCH', config, { body: `{"sdk":{"deep":${deep(62)}}}` });
  server = await restarted(server);
  await server.must('PATCH', `${base}/topics/deep`, { body: { name: 'z' } });
  const told = await sdk('GET', `/channel/${channel}/config`);
  assert.equal(JSON.stringify(told.channelTopics[0].deep), deep(63));
  assert.equal(JSON.stringify(told.deep), deep(62));
});

async function restarted(was) {
  assert.deepEqual(await was.stop(), { code: 0, signal: null });
  return was.again();
}

// ---- notifications ----

const NOTE = {
  feedGuid: ['https://www.example.com/1?a=b', 'ü "x"'], title: 'T', text: 'a\nb', url: 'https://www.example.com/',
  iconUrl: 'https://www.example.com/i.png', mediaUrl: 'https://www.example.com/m.png',
};

test('a notification is made, shown and replaced', async () => {
  const { base } = await setting();
  const target = `${base}/notifications`;
  const first = await server.call('POST', target, { body: NOTE });
  assert.equal(first.status, 201);
  const { _id, createdAt, ...rest } = first.json;
  assert.match(_id, MADE_ID);
  assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, { ...NOTE, delivered: 0, clicked: 0 });
  assert.deepEqual(await server.must('GET', `${target}/${_id}`), first.json);

  const again = await server.call('POST', target, { body: { _id, title: '', feedGuid: [] } });
  assert.equal(again.status, 200);
  assert.deepEqual(again.json, { _id, feedGuid: [], title: '', createdAt, delivered: 0, clicked: 0 });
  const put = await server.call('PUT', `${target}/${_id}`, { body: { _id, url: '', title: null, feedGuid: null } });
  assert.equal(put.status, 200);
  assert.deepEqual(put.json, { _id, url: '', createdAt, delivered: 0, clicked: 0 });
  const bare = await server.call('PUT', `${target}/own-id`, { body: {} });
  assert.equal(bare.status, 201);
  assert.deepEqual(Object.keys(bare.json), ['_id', 'createdAt', 'delivered', 'clicked']);
  assert.equal((await server.call('PUT', `${target}/own-id`, { body: {} })).status, 200);
  assert.deepEqual(await server.must('GET', target), { data: [bare.json, put.json], nextCursor: null });
});

test('notifications are listed newest first, page by page', async () => {
  const { base } = await setting();
  const target = `${base}/notifications`;
  assert.deepEqual(await server.list(target), []);
  const ids = [];
  for (let i = 0; i < 7; i++) ids.unshift((await server.must('POST', target, { body: { _id: `n${i}` } }))._id);
  for (const limit of [1, 3, 7, 200]) {
    assert.deepEqual((await server.list(target, limit)).map(({ _id }) => _id), ids, `limit ${limit}`);
  }
  await server.must('PUT', `${target}/n3`, { body: { title: 'replaced, not made anew' } });
  assert.deepEqual((await server.list(target)).map(({ _id }) => _id), ids);
  await refused(server.call('GET', `${target}?cursor=x`), 400);
  await refused(server.call('GET', `${target}?limit=0`), 400);
});

test('another channel\'s notification is another one', async () => {
  const [one, other] = [await setting(), await setting()];
  await server.must('PUT', `${one.base}/notifications/n`, { body: { title: 'one' } });
  await refused(server.call('GET', `${other.base}/notifications/n`), 404, undefined, /no such notification/);
  assert.equal((await server.call('PUT', `${other.base}/notifications/n`, { body: {} })).status, 201);
  assert.equal((await server.must('GET', `${one.base}/notifications/n`)).title, 'one');
});

test('wrong notifications are refused with their place', async () => {
  const { base } = await setting();
  const target = `${base}/notifications`;
  const longest = { title: 1000, text: 5000, url: 2048, iconUrl: 2048, mediaUrl: 2048 };
  const rows = [
    [{ unknown: 1 }, '/unknown'], [{ _id: 'a b' }, '/_id'], [{ _id: 5 }, '/_id'], [{ _id: '..' }, '/_id'],
    [{ feedGuid: 'x' }, '/feedGuid'], [{ feedGuid: ['a', 1] }, '/feedGuid/1'],
    [{ feedGuid: ['x'.repeat(2049)] }, '/feedGuid/0'], [{ feedGuid: Array(101).fill('x') }, '/feedGuid', /100/],
    [{ feedGuid: ['a\u0000'] }, '/feedGuid/0'], [{ feedGuid: Array(100).fill('"'.repeat(1200)) }, '/feedGuid'],
    ...Object.entries(longest).flatMap(([name, max]) =>
      [[{ [name]: 'x'.repeat(max + 1) }, `/${name}`], [{ [name]: 1 }, `/${name}`]]),
    ['[]', ''],
  ];
  for (const [body, path, detail] of rows) {
    await refused(server.call('POST', target, { body }), 400, path, detail);
    await refused(server.call('PUT', `${target}/x`, { body }), 400, path, detail);
  }
  await refused(server.call('PUT', `${target}/x`, { body: { _id: 'y' } }), 400, '/_id');
  for (const id of ['a%20b', '..%2f', 'x'.repeat(65)]) {
    await refused(server.call('PUT', `${target}/${id}`, { body: {} }), 400);
    await refused(server.call('GET', `${target}/${id}`), 404);
  }
  assert.deepEqual(await server.list(target), []);
  const body = Object.fromEntries(Object.entries(longest).map(([name, max]) => [name, 'x'.repeat(max)]));
  const feedGuid = Array(100).fill('x'.repeat(2048));
  const got = await server.must('PUT', `${target}/x`, { body: { ...body, feedGuid } });
  assert.deepEqual([got.title, got.feedGuid], [body.title, feedGuid]);
});

// A subscription that reports one delivery and one click of each notification.
async function report(channel, ids) {
  const { id: subscriptionId } = await sdk('POST', `/subscription/sync/${channel}`, { fcmToken: `token of ${channel}` });
  for (const notificationId of ids) {
    const body = { channelId: channel, subscriptionId, notificationId };
    await sdk('POST', '/notification/delivered', body);
    await sdk('POST', '/notification/clicked', body);
  }
  return subscriptionId;
}

test('reports are counted, and webhooks hear of which article they are', async (t) => {
  const { channel, base } = await setting();
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  await server.must('PUT', `${base}/notifications/n1`, { body: NOTE });
  await server.must('PUT', `${base}/notifications/n2`, { body: { title: 'no article' } });
  await server.webhook(channel, receiver.url, { events: ['delivery', 'click'] });
  await report(channel, ['n1', 'n2', 'n-unknown']);
  const seen = (await receiver.count(6)).map((call) => JSON.parse(call.body).notification);
  for (const { _id, ...rest } of seen) {
    assert.deepEqual(rest, _id === 'n1' ? { feedGuid: NOTE.feedGuid } : {}, _id);
  }
  for (const id of ['n1', 'n2']) {
    const { delivered, clicked } = await server.must('GET', `${base}/notifications/${id}`);
    assert.deepEqual([delivered, clicked], [1, 1], id);
  }
  const again = await server.must('PUT', `${base}/notifications/n1`, { body: {} });
  assert.deepEqual([again.delivered, again.clicked], [1, 1], 'what is replaced keeps its counts');
});

// ---- the platform's form ----

test('the customer sees the channels that its key may see', async () => {
  const { channel } = await setting();
  const all = await customers('/channels');
  assert.deepEqual(Object.keys(all), ['channels']);
  assert.deepEqual(all.channels.map(({ _id }) => _id), Array.from({ length: made }, (_, i) => `c${i + 1}`));
  const { key } = await server.must('POST', '/v1/keys', { body: { role: 'read', channel } });
  const { channels } = await customers('/channels', { key });
  // Of trials the platform's form knows nothing.
  const { trialEndsAt, trialEnded, ...known } = await server.must('GET', `/v1/channels/${channel}`);
  assert.deepEqual([trialEndsAt, trialEnded], [null, false]);
  assert.deepEqual(channels, [known]);
});

test('the customer sees a channel\'s topics and tags', async () => {
  const { channel, config } = await setting();
  const tags = Array.from({ length: 5 }, (_, i) => ({ _id: `g${i}`, name: `tag ${i}`, more: { a: [] } }));
  await server.must('PATCH', config, { body: { topics: ALL.topics, tags } });
  assert.deepEqual(await customers(`/channel/${channel}/topics`), { topics: ALL.topics });
  assert.deepEqual(await customers(`/channel/${channel}/tags`), { tags });
  for (const [query, want] of [['limit=2', tags.slice(0, 2)], ['skip=3', tags.slice(3)], ['limit=0', []],
    ['limit=2&skip=1&other=x', tags.slice(1, 3)], ['skip=9', []], ['limit=&skip=', tags]]) {
    assert.deepEqual(await customers(`/channel/${channel}/tags?${query}`), { tags: want }, query);
  }
});

test('the customer sees notifications, the newest first', async () => {
  const { channel, base } = await setting();
  const target = `/channel/${channel}/notifications`;
  assert.deepEqual(await customers(target), { notifications: [] });
  const want = [];
  for (let i = 0; i < 3; i++) {
    const note = await server.must('POST', `${base}/notifications`, { body: { ...NOTE, _id: `n${i}` } });
    want.unshift({ ...note, channel, status: 'sent' });
  }
  const at = (note) => Math.floor(Date.parse(note.createdAt) / 1000);
  const [newest, , oldest] = want;
  for (const [query, notifications] of [
    ['', want], ['status=sent', want], ['status=', want], ['status=scheduled', []], ['limit=2', want.slice(0, 2)],
    ['limit=2&offset=2', want.slice(2)], ['offset=1', want.slice(1)], ['offset=3', []], ['limit=0', []],
    [`startDate=${at(oldest)}&endDate=${at(newest)}`, want], [`startDate=${at(newest) + 1}`, []],
    [`endDate=${at(oldest) - 1}`, []], [`startDate=${at(oldest) - 1000}&limit=1&offset=1`, want.slice(1, 2)],
    ['cursor=what&ever', want],
  ]) {
    assert.deepEqual(await customers(`${target}?${query}`), { notifications }, query);
  }
  assert.deepEqual(await customers(`/channel/${channel}/notification/n1`), { notification: want[1] });
});

test('more notifications than are read in one go are found all the same', async () => {
  const { channel, base } = await setting();
  const ids = Array.from({ length: 450 }, (_, i) => `n${i}`);
  await Promise.all(ids.map((_id) => server.must('POST', `${base}/notifications`, { body: { _id } })));
  const target = `/channel/${channel}/notifications`;
  const { notifications } = await customers(`${target}?limit=1000`);
  const found = notifications.map(({ _id }) => _id);
  assert.deepEqual([...found].sort(), [...ids].sort());
  const { notifications: last } = await customers(`${target}?limit=7&offset=440`);
  assert.deepEqual(last.map(({ _id }) => _id), found.slice(440, 447));
  assert.deepEqual((await server.list(`${base}/notifications`, 199)).map(({ _id }) => _id), found);
});

test('the customer sees counts', async () => {
  const { channel, base } = await setting();
  const counts = `/channel/${channel}/subscription-count`;
  assert.deepEqual(await customers(counts), { subscriptions: 0, inactiveSubscriptions: 0 });
  await server.must('PUT', `${base}/notifications/n1`, { body: NOTE });
  const subscriptionId = await report(channel, ['n1']);
  assert.deepEqual(await customers(`/channel/${channel}/notification/n1/statistics`), {
    statistics: { delivered: 1, clicked: 1 },
  });
  assert.deepEqual(await customers(counts), { subscriptions: 1, inactiveSubscriptions: 0 });
  await sdk('POST', '/subscription/unsubscribe', { channelId: channel, subscriptionId });
  assert.deepEqual(await customers(counts), { subscriptions: 0, inactiveSubscriptions: 1 });
});

test('what the customer asks wrongly is answered in the platform\'s form', async () => {
  const { channel } = await setting();
  const list = `/channel/${channel}/notifications`;
  const rows = [
    ['/channel/nowhere/topics', 404, /channel not found/], [`/channel/${channel}/notification/n`, 404, /not found/],
    [`/channel/${channel}/notification/n/statistics`, 404, /notification not found/],
    [`${list}?limit=x`, 400, /limit/], [`${list}?limit=-1`, 400, /limit/], [`${list}?offset=1.5`, 400, /offset/],
    [`${list}?startDate=2024-01-01`, 400, /startDate/], [`${list}?endDate=${'9'.repeat(30)}`, 400, /endDate/],
    [`/channel/${channel}/tags?skip=two`, 400, /skip/], [`/channel/${channel}/tags?limit=%2b1`, 400, /limit/],
  ];
  for (const [target, status, words] of rows) {
    const answer = await customer(target);
    assert.equal(answer.status, status, target);
    assert.deepEqual(Object.keys(answer.json), ['error'], target);
    assert.match(answer.json.error, words, target);
  }
  const body = { channel, title: 'x' };
  const send = await customer('/notification/send', { method: 'POST', body });
  assert.equal(send.status, 501);
  assert.deepEqual(send.json, {
    error: 'Pushwire tells of pushes and does not send them: register a notification with '
      + 'POST /v1/channels/{c}/notifications',
  });
  assert.equal((await customer('/notification/send', { method: 'POST', body, key: 'x' })).status, 401);
});

// ---- the end ----

test('all of it is there after a restart', async () => {
  const { channel, base, config } = await setting();
  await server.must('PATCH', config, { body: ALL });
  await server.must('POST', `${base}/topics`, { body: topic('t3') });
  await server.must('PUT', `${base}/notifications/n1`, { body: NOTE });
  await report(channel, ['n1']);
  const targets = [config, `${base}/topics`, `${base}/notifications`, `/channel/${channel}/config`,
    `/channel/${channel}/notification/n1`, '/channel-config?bundleId=com.example.app'];
  const ask = () => Promise.all(targets.map(async (target) => (await server.call('GET', target)).text));
  const before = await ask();
  server = await restarted(server);
  assert.deepEqual(await ask(), before);
  assert.deepEqual(JSON.parse(before[0]), shown({ ...ALL, topics: [...ALL.topics, topic('t3')] }));
});

test('a deleted channel takes its settings with it', async () => {
  const { channel, base, config } = await setting();
  await server.must('PATCH', config, { body: { bundleIds: ['com.example.gone'] } });
  await server.must('PUT', `${base}/notifications/n`, { body: {} });
  assert.equal((await server.call('DELETE', base)).status, 204);
  for (const target of [config, `${base}/topics`, `${base}/notifications`, `${base}/notifications/n`,
    `/channel/${channel}/config`, '/channel-config?bundleId=com.example.gone']) {
    assert.equal((await server.call('GET', target)).status, 404, target);
  }
  assert.equal((await server.call('PUT', `${base}/notifications/n`, { body: {} })).status, 404);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
