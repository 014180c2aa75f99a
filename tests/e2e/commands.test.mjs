// Whatever the API can do, a command can do, too.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, run } from './harness.mjs';

const CHANNEL = '/v1/channels/{c}';
const COMMANDS = {
  'GET /v1/me': 'whoami',
  'GET /v1/channels': 'channel list',
  'POST /v1/channels': 'channel create',
  [`GET ${CHANNEL}`]: 'channel show',
  [`PATCH ${CHANNEL}`]: 'channel change',
  [`DELETE ${CHANNEL}`]: 'channel delete',
  'GET /v1/keys': 'key list',
  'POST /v1/keys': 'key create',
  'DELETE /v1/keys/{k}': 'key delete',
  'POST /v1/backup': 'backup',
  'GET /v1/stats': 'stats',
  [`GET ${CHANNEL}/stats`]: 'stats',
  'GET /v1/notices': 'notice list',
  [`GET ${CHANNEL}/notices`]: 'notice list',
  [`GET ${CHANNEL}/stream`]: 'tail',
  [`POST ${CHANNEL}/events`]: 'send',
  [`GET ${CHANNEL}/events`]: 'event list',
  [`GET ${CHANNEL}/events/{e}`]: 'event show',
  [`GET ${CHANNEL}/calls`]: 'call list',
  [`GET ${CHANNEL}/calls/{id}`]: 'call show',
  [`POST ${CHANNEL}/calls/{id}/retry`]: 'call retry',
  [`POST ${CHANNEL}/calls/retry`]: 'call retry',
  [`POST ${CHANNEL}/calls/{id}/cancel`]: 'call cancel',
  [`POST ${CHANNEL}/calls/cancel`]: 'call cancel',
  [`GET ${CHANNEL}/jobs`]: 'job list',
  [`GET ${CHANNEL}/jobs/{j}`]: 'job show',
  [`POST ${CHANNEL}/jobs/{j}/pause`]: 'job pause',
  [`POST ${CHANNEL}/jobs/{j}/resume`]: 'job resume',
  [`POST ${CHANNEL}/jobs/{j}/cancel`]: 'job cancel',
  [`GET ${CHANNEL}/webhooks`]: 'webhook list',
  [`POST ${CHANNEL}/webhooks`]: 'webhook create',
  [`GET ${CHANNEL}/webhooks/stats`]: 'webhook stats',
  [`GET ${CHANNEL}/webhooks/{w}`]: 'webhook show',
  [`PATCH ${CHANNEL}/webhooks/{w}`]: 'webhook change',
  [`DELETE ${CHANNEL}/webhooks/{w}`]: 'webhook delete',
  [`GET ${CHANNEL}/webhooks/{w}/secret`]: 'webhook secret',
  [`POST ${CHANNEL}/webhooks/{w}/secret/rotate`]: 'webhook rotate-secret',
  [`POST ${CHANNEL}/webhooks/{w}/test`]: 'webhook test',
  [`POST ${CHANNEL}/webhooks/{w}/replay`]: 'webhook replay',
  [`GET ${CHANNEL}/subscriptions`]: 'subscription list',
  [`POST ${CHANNEL}/subscriptions`]: 'subscription put',
  [`GET ${CHANNEL}/subscriptions/export`]: 'subscription export',
  [`POST ${CHANNEL}/subscriptions/import`]: 'subscription import',
  [`GET ${CHANNEL}/subscriptions/{s}`]: 'subscription show',
  [`PUT ${CHANNEL}/subscriptions/{s}`]: 'subscription put',
  [`DELETE ${CHANNEL}/subscriptions/{s}`]: 'subscription delete',
  [`GET ${CHANNEL}/config`]: 'config show',
  [`PATCH ${CHANNEL}/config`]: 'config change',
  [`GET ${CHANNEL}/notifications`]: 'notification list',
  [`POST ${CHANNEL}/notifications`]: 'notification create',
  [`GET ${CHANNEL}/notifications/{i}`]: 'notification show',
  [`PUT ${CHANNEL}/notifications/{i}`]: 'notification create',
};
for (const part of ['topics', 'tags', 'attributes']) {
  const group = part.slice(0, -1);
  Object.assign(COMMANDS, {
    [`GET ${CHANNEL}/${part}`]: `${group} list`,
    [`POST ${CHANNEL}/${part}`]: `${group} create`,
    [`PATCH ${CHANNEL}/${part}/{i}`]: `${group} change`,
    [`DELETE ${CHANNEL}/${part}/{i}`]: `${group} delete`,
    // a part of what these show and take
    [`GET ${CHANNEL}/subscriptions/{s}/${part}`]: 'subscription show',
    [`${part === 'attributes' ? 'PATCH' : 'PUT'} ${CHANNEL}/subscriptions/{s}/${part}`]: 'subscription put',
  });
}

test('every route of the API has its command', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { paths } = await server.must('GET', '/openapi.json');
  const routes = Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, item]) => Object.keys(item)
      .filter((key) => ['get', 'post', 'put', 'patch', 'delete'].includes(key))
      .map((method) => `${method.toUpperCase()} ${path}`));
  assert.deepEqual(routes.sort(), Object.keys(COMMANDS).sort());
  for (const command of new Set(Object.values(COMMANDS))) {
    const { code, stdout } = await run(['help', ...command.split(' ')]);
    assert.equal(code, 0, command);
    assert.match(stdout, new RegExp(`Usage: pushwire ${command}\\b`));
  }
});

test('what is in a catalog gets another name, and webhooks are listed with their figures', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key, PUSHWIRE_CHANNEL: 'shop' };
  const does = async (...args) => {
    const { code, stdout, stderr } = await run(args, { env });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  await does('channel', 'create', 'Shop', '--id', 'shop');
  for (const group of ['topic', 'tag']) {
    await does(group, 'create', 'News', '--id', 'news');
    assert.match(await does(group, 'change', 'news', '--name', 'Fresh'), /^name: +Fresh$/m);
  }
  await does('attribute', 'create', 'age');
  assert.match(await does('attribute', 'change', 'age', '--name', 'Age'), /^name: +Age$/m);
  const made = JSON.parse(await does('webhook', 'create', 'http://127.0.0.1:9/', '--json'));
  assert.match(await does('webhook', 'stats', '--range', 'hour'), new RegExp(`^WEBHOOK .*\\n${made._id} +0 `));
});
