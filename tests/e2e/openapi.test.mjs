// The API's document: it has every route and no other, is OpenAPI 3.1, and its examples are true.
// That all other answers are as it says is checked by the harness, in every test.
import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Receiver, Server, contract, eventually } from './harness.mjs';
import { routes, routesWritten } from './routes.mjs';

const { document } = contract;
const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const operations = Object.entries(document.paths).flatMap(([template, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({
    template, method: method.toUpperCase(), ...item[method], parameters: [...item.parameters ?? [],
      ...item[method].parameters ?? []].map((each) => contract.resolve(each)),
  })));
const nameOf = ({ method, template }) => `${method} ${template}`;

// ---- the document ----

test('the tables of routes and the document have the same operations', () => {
  assert.equal(routes.length, routesWritten());
  assert.deepEqual(operations.map(nameOf).sort(),
    routes.map(({ method, pattern }) => `${method} ${pattern}`).sort());
});

test('it is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, null, 1));
  assert.equal(validator.version, '3.1');
});

test('each operation has a name of its own, a summary, a tag and an answer', () => {
  const tags = document.tags.map(({ name }) => name);
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  for (const operation of operations) {
    assert.ok(operation.operationId && operation.summary && tags.includes(operation.tags[0]), nameOf(operation));
    assert.ok(Object.keys(operation.responses).length > 0, nameOf(operation));
    for (const [, name] of operation.template.matchAll(/\{(\w+)\}/g)) {
      assert.ok(operation.parameters.some((each) => each.in === 'path' && each.name === name), nameOf(operation));
    }
  }
});

const MAY = {
  MAY_ADMIN: ['admin'],
  MAY_MANAGE: ['admin', 'manage'],
  MAY_INGEST: ['admin', 'manage', 'ingest'],
  MAY_READ: ['admin', 'manage', 'read'],
  MAY_ASK: ['admin', 'manage', 'ingest', 'read'],
};

test('each operation says who may, as the tables do', () => {
  const access = { ROUTE_KEYED: 'key', ROUTE_NARROW: 'key', ROUTE_LOCAL: 'local', ROUTE_PUBLIC: 'public' };
  for (const operation of operations) {
    const row = routes.find(({ method, pattern }) => `${method} ${pattern}` === nameOf(operation));
    assert.equal(operation['x-access'], access[row.access], nameOf(operation));
    const roles = access[row.access] === 'key' ? MAY[row.may] : [];
    assert.deepEqual(operation['x-roles'], roles, nameOf(operation));
    assert.deepEqual(operation.security, roles.length > 0 ? undefined : [], nameOf(operation));
  }
});

// ---- examples ----

const examplesOf = (media) => (media.example === undefined ? Object.entries(media.examples ?? {})
  .map(([name, { value }]) => [name, value]) : [['example', media.example]]);

test('each example is as its own schema says', () => {
  let n = 0;
  const look = (contents, what) => {
    for (const [type, media] of Object.entries(contents ?? {})) {
      for (const [name, value] of examplesOf(media)) {
        contract.check(media.schema, value, `${what}, ${type}, ${name}`);
        n++;
      }
    }
  };
  for (const { post } of Object.values(document.webhooks)) look(post.requestBody.content, post.operationId);
  for (const operation of operations) {
    look(operation.requestBody?.content, `${nameOf(operation)}: body`);
    for (const [status, response] of Object.entries(operation.responses)) {
      look(contract.resolve(response).content, `${nameOf(operation)}: ${status}`);
    }
    for (const parameter of operation.parameters) {
      if (parameter.example !== undefined) {
        contract.check(parameter.schema, parameter.example, `${nameOf(operation)}: ${parameter.name}`);
      }
    }
  }
  assert.ok(n > 120, `${n} examples`);
});

test('each operation with a body or an answer shows one', () => {
  const bare = [];
  const look = (contents, what) => Object.values(contents ?? {}).forEach((media) => {
    if (examplesOf(media).length === 0) bare.push(what);
  });
  for (const operation of operations) {
    look(operation.requestBody?.content, `${nameOf(operation)}: body`);
    for (const status of Object.keys(operation.responses).filter((each) => each < 300)) {
      look(operation.responses[status].content, `${nameOf(operation)}: ${status}`);
    }
  }
  assert.deepEqual(bare, ['POST /v1/backup: 200']); // a file
});

test('what an answer may not have is found', () => {
  const channel = { _id: 'c', name: 'C', createdAt: '2024-03-04T09:50:51.375Z', updatedAt: '2024-03-04T09:50:51.375Z',
    trialEndsAt: null, trialEnded: false };
  const answer = (status, json, type = 'application/json') => ({
    status, headers: { 'content-type': type }, text: JSON.stringify(json), bytes: Buffer.from('{}'),
  });
  const check = (given, target = '/v1/channels/c') => contract.checkAnswer('GET', target, given);
  check(answer(200, channel));
  assert.throws(() => check(answer(200, { ...channel, more: 1 })), /additional properties/);
  assert.throws(() => check(answer(200, { ...channel, name: undefined })), /required property 'name'/);
  assert.throws(() => check(answer(200, { ...channel, createdAt: '2024-03-04' })), /createdAt/);
  assert.throws(() => check(answer(200, channel, 'text/plain')), /type text\/plain/);
  assert.throws(() => check(answer(202, channel)), /not documented/);
  assert.throws(() => check(answer(401, {}, 'application/problem+json')), /no WWW-Authenticate/);
  assert.throws(() => check(answer(200, channel), '/v1/nothing'), /unknown path/);
});

// ---- the server ----

const server = await Server.start();
const receiver = await Receiver.open((res) => res.writeHead(503).end()); // so that calls wait
await server.channel('roles');

test('it is served as it is, small to whoever takes it so, and once', async () => {
  const plain = await server.call('GET', '/openapi.json', { key: null });
  assert.deepEqual(plain.json, document);
  assert.equal(plain.headers['access-control-allow-origin'], undefined);
  const packed = await server.call('GET', '/openapi.json', { key: null, headers: { 'accept-encoding': 'gzip' } });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.deepEqual(gunzipSync(packed.bytes), plain.bytes);
  const again = await server.call('GET', '/openapi.json', { key: null, headers: { 'if-none-match': plain.headers.etag } });
  assert.deepEqual([again.status, again.text], [304, '']);
});

const fill = (operation, values = {}) => operation.template.replaceAll(/\{(\w+)\}/g, (_, name) =>
  values[name] ?? operation.parameters.find((each) => each.in === 'path' && each.name === name).example);
const keyed = operations.filter((each) => each['x-access'] === 'key');

test('each role may what the document says, and nothing else', async () => {
  const keys = { admin: server.key };
  for (const role of ['manage', 'ingest', 'read']) {
    keys[role] = (await server.must('POST', '/v1/keys', { body: { role, channel: 'roles' } })).key;
  }
  for (const operation of keyed) {
    for (const [role, key] of Object.entries(keys)) {
      // A parameter that there is not is looked at behind the role, and before anything is done.
      const target = `${fill(operation, { c: 'roles' })}?no-such-parameter=1`;
      const { status, text } = await server.call(operation.method, target, { key });
      assert.equal(status === 403, !operation['x-roles'].includes(role), `${role}: ${nameOf(operation)}: ${text}`);
    }
  }
});

test('each operation takes the query parameters that are documented', async () => {
  for (const operation of keyed.filter(({ template }) => template.startsWith('/v1/'))) {
    const { status, json } = await server.call(operation.method, `${fill(operation, { c: 'roles' })}?no-such=1`);
    assert.equal(status, 400, nameOf(operation));
    const [, taken] = /there are (.*)$/.exec(json.detail) ?? [null, ''];
    const documented = operation.parameters.filter((each) => each.in === 'query').map(({ name }) => name);
    assert.deepEqual(taken.split(', ').filter(Boolean).sort(), documented.sort(), nameOf(operation));
  }
});

// ---- every example of a request, in the order of the document; deletions come last ----

const order = [...operations.filter(({ method }) => method !== 'DELETE'),
  ...operations.filter(({ method }) => method === 'DELETE').reverse()];
const real = new Map([['https://example.com/', receiver.url]]); // what stands for what in the examples

const translate = (text) => [...real].reduce((all, [from, to]) => all.replaceAll(from, to), text);

// The ids that the server gave in the place of the example's.
const learn = {
  createWebhook: ({ _id }) => real.set('wh_7c2q9x4t8w1ra', _id),
  createKey: ({ _id }) => real.set('key_a1vbrs6g5mhna', _id),
  sendEvents: ({ data: [{ _id }] }) => {
    const webhook = real.get('wh_7c2q9x4t8w1ra');
    real.set('call_0ampmfggr0000_7c2q9x4t8w1ra', `call_${_id.slice(4)}_${webhook.slice(3)}`);
    real.set('evt_0ampmfggr0000', _id);
  },
};

const before = {
  // One that is at work long enough.
  showJob: async () => {
    const job = await server.must('POST', `/v1/channels/shop/webhooks/${real.get('wh_7c2q9x4t8w1ra')}/replay`, {
      body: { since: '2024-01-01T00:00:00Z', pace: 1 },
    });
    real.set('job_5d2m7q0x9c3ft', job._id);
  },
};

function queryOf({ parameters }) {
  const given = parameters.filter((each) => each.in === 'query' && each.example !== undefined);
  return given.length === 0 ? '' : `?${given.map(({ name, example }) => `${name}=${encodeURIComponent(example)}`).join('&')}`;
}

// Bodies by their type, or none.
function requestsOf(operation) {
  const all = Object.entries(operation.requestBody?.content ?? {}).flatMap(([type, media]) =>
    examplesOf(media).map(([name, value]) => ({
      name, type, body: translate(typeof value === 'string' ? value : JSON.stringify(value)),
    })));
  return all.length > 0 ? all : [{}];
}

const refused = Object.keys(document.paths['/notification/send'].post.responses);
assert.ok(refused.every((status) => status >= 400));
const ALLOWED = { platformSend: [501], dashboardFile: [404] }; // no file has such a name for long

for (const operation of order) {
  test(`the example works: ${nameOf(operation)}`, async () => {
    await before[operation.operationId]?.();
    for (const { name, type, body } of requestsOf(operation)) {
      const target = translate(fill(operation)) + queryOf(operation);
      const key = operation['x-access'] === 'key' ? server.key : null;
      const answer = await server.call(operation.method, target, { body, type, key });
      const fine = answer.status < 300 || ALLOWED[operation.operationId]?.includes(answer.status);
      assert.ok(fine, `${name}: ${answer.status} ${answer.text}`);
      if (learn[operation.operationId] && !learn[operation.operationId].done) {
        learn[operation.operationId].done = true;
        learn[operation.operationId](answer.json);
        if (operation.operationId === 'sendEvents') {
          await eventually('its call was tried', async () =>
            (await server.must('GET', translate('/v1/channels/shop/calls/call_0ampmfggr0000_7c2q9x4t8w1ra'))).attempts > 0);
        }
      }
    }
  });
}

test('the server ends cleanly', async () => {
  await receiver.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
