// Who may do what; and that another channel's things do not exist for a key.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Receiver, Server, click, eventually } from './harness.mjs';

const server = await Server.start();
const receiver = await Receiver.open();
await server.channel('mine');
await server.channel('other');
const webhook = await server.webhook('mine', receiver.url);
const [event] = await server.send('mine', click('mine', 's'));
const call = await server.callOf('mine', event, 'succeeded');

async function key(role, channel) {
  return server.must('POST', '/v1/keys', { body: { role, ...(channel && { channel }) } });
}

test('the first key is an admin key that only its owner can read', () => {
  const file = path.join(server.data, 'admin.key');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(readFileSync(file, 'utf8'), /^pw_admin_[^\n]{50,}\n$/);
});

test('without a known key there is 401 and how to ask', async () => {
  const unknown = `${server.key.slice(0, -1)}${server.key.endsWith('A') ? 'B' : 'A'}`;
  for (const each of [null, 'x', unknown, `${server.key}x`, server.key.slice(0, -1)]) {
    const answer = await server.call('GET', '/v1/channels', { key: each });
    assert.equal(answer.status, 401);
    assert.match(answer.headers['www-authenticate'], /^Bearer/);
  }
  for (const authorization of [server.key, `bearer ${server.key}`]) {
    const answer = await server.call('GET', '/v1/channels', { key: null, headers: { authorization } });
    assert.equal(answer.status, 200, authorization);
  }
  const basic = { authorization: `Basic ${Buffer.from(`x:${server.key}`).toString('base64')}` };
  assert.equal((await server.call('GET', '/v1/channels', { key: null, headers: basic })).status, 401);
});

// For each role the status of each route.
const routes = [
  ['GET', '/v1/channels/mine'],
  ['GET', '/v1/channels/mine/events'],
  ['GET', `/v1/channels/mine/calls/${call._id}`],
  ['POST', '/v1/channels/mine/events', () => click('mine', 's')],
  ['POST', `/v1/channels/mine/calls/${call._id}/retry`],
  ['GET', `/v1/channels/mine/webhooks/${webhook._id}/secret`],
  ['PATCH', `/v1/channels/mine/webhooks/${webhook._id}`, () => ({ description: 'x' })],
  ['POST', '/v1/channels', () => ({ name: 'x' })],
  ['GET', '/v1/keys'],
];
const table = {
  admin: [200, 200, 200, 202, 202, 200, 200, 201, 200],
  manage: [200, 200, 200, 202, 202, 200, 200, 403, 403],
  ingest: [403, 403, 403, 202, 403, 403, 403, 403, 403],
  read: [200, 200, 200, 403, 403, 403, 403, 403, 403],
};

for (const [role, statuses] of Object.entries(table)) {
  test(`a key of role ${role} may do what its role may`, async () => {
    const made = await key(role, role === 'admin' ? null : 'mine');
    assert.match(made.key, new RegExp(`^pw_${role}_`));
    const got = [];
    for (const [method, target, body] of routes) {
      got.push((await server.call(method, target, { key: made.key, body: body?.() })).status);
    }
    assert.deepEqual(got, statuses);
  });
}

test('for a channel\'s key another channel is the same as none', async () => {
  for (const role of ['manage', 'ingest', 'read']) {
    const made = await key(role, 'mine');
    const rows = [
      ['GET', ''], ['GET', '/webhooks'], ['GET', '/events'], ['GET', '/calls'],
      ['POST', '/events', click('other', 's')], ['DELETE', ''],
    ];
    for (const [method, rest, body] of rows) {
      const ask = (channel) =>
        server.call(method, `/v1/channels/${channel}${rest}`, { key: made.key, body });
      const [foreign, unknown] = [await ask('other'), await ask('nowhere')];
      assert.ok([403, 404].includes(foreign.status), `${role} ${method} ${rest}`);
      assert.equal(foreign.status, unknown.status, `${role} ${method} ${rest}`);
      assert.equal(foreign.text.replaceAll('other', 'nowhere'), unknown.text);
    }
  }
});

test('another channel\'s ids are the same as unknown ones', async () => {
  const rows = [['webhooks', webhook._id, 'wh_0000000000000'], ['events', event, 'evt_0000000000000'],
    ['calls', call._id, call._id.replace(/[^_]/g, '0').replace(/^0000/, 'call')]];
  const made = await key('manage', 'other');
  for (const [kind, foreign, unknown] of rows) {
    for (const who of [server.key, made.key]) {
      const ask = (id) => server.call('GET', `/v1/channels/other/${kind}/${id}`, { key: who });
      const [a, b] = [await ask(foreign), await ask(unknown)];
      assert.deepEqual([a.status, b.status], [404, 404], kind);
      assert.equal(a.text.replaceAll(foreign, unknown), b.text);
    }
  }
  const target = `/v1/channels/other/webhooks/${webhook._id}`;
  for (const [method, body] of [['PATCH', { enabled: false }], ['DELETE', undefined]]) {
    assert.equal((await server.call(method, target, { body })).status, 404);
  }
  assert.equal((await server.must('GET', `/v1/channels/mine/webhooks/${webhook._id}`)).enabled, true);
  assert.deepEqual(await server.list(`/v1/channels/other/calls?webhook=${webhook._id}`), []);
});

test('a channel\'s key lists its own channel alone', async () => {
  for (const role of ['read', 'manage']) {
    const made = await key(role, 'mine');
    const answer = await server.call('GET', '/v1/channels', { key: made.key });
    assert.equal(answer.status, 200, role);
    assert.deepEqual(answer.json.data.map((c) => c._id), ['mine'], role);
  }
  const made = await key('ingest', 'mine');
  assert.equal((await server.call('GET', '/v1/channels', { key: made.key })).status, 403);
});

test('a deleted key opens nothing from then on', async () => {
  const made = await key('manage', 'mine');
  const ask = () => server.call('GET', '/v1/channels/mine', { key: made.key });
  assert.equal((await ask()).status, 200);
  assert.equal((await server.call('DELETE', `/v1/keys/${made._id}`)).status, 204);
  assert.equal((await ask()).status, 401);
  assert.equal((await server.call('DELETE', `/v1/keys/${made._id}`)).status, 404);
});

test('a key opens nothing after its time', async () => {
  const expiresAt = new Date(Date.now() + 1500).toISOString();
  const made = await server.must('POST', '/v1/keys', { body: { role: 'read', channel: 'mine', expiresAt } });
  assert.equal(made.expiresAt, expiresAt);
  const ask = () => server.call('GET', '/v1/channels/mine', { key: made.key });
  const answer = await eventually('it has expired', async () => {
    const got = await ask();
    return got.status !== 200 && got;
  });
  assert.equal(answer.status, 401);
  assert.match(answer.json.detail, /expired/);
  assert.ok((await server.list('/v1/keys')).some((row) => row._id === made._id));
});

test('keys are listed without what opens', async () => {
  const made = await key('ingest', 'mine');
  const rows = await server.list('/v1/keys');
  const shown = rows.find((row) => row._id === made._id);
  const { key: text, ...rest } = made;
  assert.deepEqual(shown, rest);
  assert.ok(!JSON.stringify(rows).includes(text.slice(-43)));
});

test('a wrong key request is refused with its place', async () => {
  for (const [body, at] of [[{}, '/role'], [{ role: 'root' }, '/role'], [{ role: 'ingest' }, '/channel'],
    [{ role: 'ingest', channel: 'nowhere' }, '/channel'], [{ role: 'admin', name: 'x' }, '/name']]) {
    const answer = await server.call('POST', '/v1/keys', { body });
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(answer.json.path, at);
  }
});

test('nothing on disk holds a key', async () => {
  const made = await key('manage', 'mine');
  for (const name of readdirSync(server.data)) {
    if (name === 'admin.key') continue;
    const bytes = readFileSync(path.join(server.data, name));
    for (const text of [made.key, server.key]) {
      assert.ok(!bytes.includes(text.slice(-43)), name);
    }
  }
});

test('keys and their roles are there after a crash', async (t) => {
  const crashed = await Server.start();
  await crashed.channel('c');
  const made = await crashed.must('POST', '/v1/keys', { body: { role: 'ingest', channel: 'c' } });
  await crashed.stop('SIGKILL');
  const revived = await crashed.again();
  t.after(() => revived.stop());
  const ask = (method, body) => revived.call(method, '/v1/channels/c/events', { key: made.key, body });
  assert.equal((await ask('POST', click('c', 's'))).status, 202);
  assert.equal((await ask('GET')).status, 403);
});

test('health and readiness need no key', async () => {
  for (const [target, text] of [['/healthz', 'ok\n'], ['/readyz', 'ready\n']]) {
    const answer = await server.call('GET', target, { key: null });
    assert.deepEqual([answer.status, answer.text], [200, text]);
  }
});

test('metrics are Prometheus text and count what happened', async () => {
  const answer = await server.call('GET', '/metrics', { key: null });
  assert.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const { types, samples } = prometheus(answer.text);
  const find = (pattern, labels = {}) => samples.filter((sample) => pattern.test(sample.name) &&
    Object.entries(labels).every(([name, value]) => sample.labels[name] === value));
  const one = (pattern, labels) => {
    const found = find(pattern, labels);
    assert.equal(found.length, 1, `${pattern} ${JSON.stringify(labels)}`);
    return found[0].value;
  };
  assert.ok(one(/^pushwire_events_total$/, { type: 'click' }) >= 1);
  assert.ok(one(/^pushwire_calls$/, { state: 'succeeded' }) >= 1);
  assert.ok(one(/^pushwire_attempts_total$/, { verdict: 'ok' }) >= 1);
  assert.equal(one(/^pushwire_oldest_due_seconds$/), 0);
  assert.match(find(/^pushwire_build_info$/)[0].labels.version, /^\d+\.\d+\.\d+$/);
  assert.ok([...types.values()].filter((type) => type === 'histogram').length >= 2);
});

// Reads the format strictly: a type before its samples, each sample once, whole histograms.
function prometheus(text) {
  const types = new Map();
  const samples = [];
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      assert.ok(!types.has(type[1]), line);
      types.set(type[1], type[2]);
      continue;
    }
    if (/^# HELP [a-z_]+ .+$/.test(line)) continue;
    const sample = /^([a-z_]+)(?:\{(.*)\})? (-?[0-9.e+-]+|\+Inf|NaN)$/.exec(line);
    assert.ok(sample, line);
    const labels = {};
    for (const pair of sample[2]?.match(/[a-zA-Z_]+="(?:[^"\\]|\\.)*"/g) ?? []) {
      const [, name, value] = /^(.+?)="(.*)"$/.exec(pair);
      labels[name] = value;
    }
    samples.push({ name: sample[1], labels, value: Number(sample[3]) });
    const family = sample[1].replace(/_(bucket|sum|count)$/, '');
    assert.ok(types.has(sample[1]) || types.get(family) === 'histogram', line);
  }
  const seen = samples.map(({ name, labels }) => name + JSON.stringify(labels));
  assert.equal(new Set(seen).size, seen.length);
  for (const [family, type] of types) {
    if (type === 'histogram') wholeHistogram(samples, family);
  }
  return { types, samples };
}

function wholeHistogram(samples, family) {
  const others = ({ le, ...rest }) => JSON.stringify(rest);
  const counts = samples.filter((sample) => sample.name === `${family}_count`);
  assert.ok(counts.length > 0, family);
  for (const count of counts) {
    const buckets = samples.filter((sample) =>
      sample.name === `${family}_bucket` && others(sample.labels) === others(count.labels));
    assert.equal(buckets.at(-1).labels.le, '+Inf', family);
    assert.equal(buckets.at(-1).value, count.value, family);
    buckets.reduce((before, bucket) => (assert.ok(bucket.value >= before, family), bucket.value), 0);
  }
}

test('the server ends cleanly', async () => {
  await receiver.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
