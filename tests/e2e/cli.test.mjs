// The commands as a person or a script uses them.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Program, Receiver, Server, TYPES, click, run, temporaryFolder } from './harness.mjs';

const server = await Server.start();
const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key, PUSHWIRE_CHANNEL: 'site' };

async function does(args, options = {}) {
  const done = await run(args, { env, ...options });
  assert.equal(done.code, 0, `${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

const json = async (args, options) => JSON.parse(await does([...args, '--json'], options));

async function fails(args, code, pattern, options = {}) {
  const done = await run(args, { env, ...options });
  assert.equal(done.code, code, `${args.join(' ')}: ${done.stdout}${done.stderr}`);
  assert.match(done.stderr, pattern, args.join(' '));
}

test('--version and --help answer everywhere', async () => {
  assert.match(await does(['--version']), /^pushwire \d+\.\d+\.\d+\n$/);
  const help = await does(['--help']);
  for (const command of ['serve', 'listen', 'send', 'channel', 'webhook', 'event', 'call', 'key']) {
    assert.match(help, new RegExp(`^ +${command}\\b`, 'm'));
    assert.match(await does([command, '--help']), /Usage: pushwire/);
    assert.match(await does([command, '--version']), /^pushwire \d/);
  }
  assert.match(await does(['webhook', 'create', '--help']), /--events/);
});

test('wrong usage ends with 2 and says what may have been meant', async () => {
  await fails([], 2, /Usage/);
  await fails(['sevre'], 2, /serve/);
  await fails(['webhook'], 2, /create/);
  await fails(['webhook', 'crate'], 2, /create/);
  await fails(['webhook', 'create'], 2, /URL/);
  await fails(['webhook', 'create', 'http://a/', '--evnets', 'click'], 2, /--events/);
  await fails(['webhook', 'create', 'http://a/', '--events', 'clack'], 2, /click/);
  await fails(['webhook', 'create', 'http://a/', '--header', 'nocolon'], 2, /NAME: VALUE/);
  await fails(['channel', 'list', 'extra'], 2, /extra/);
  await fails(['call', 'list', '--limit', 'x'], 2, /limit/);
  await fails(['channel', 'list', '--url', 'foo bar'], 2, /--url foo bar: expected a URL/);
  await fails(['channel', 'show', ''], 2, /ID is empty/);
  await fails(['key', 'create', '--role', 'ingest'], 2, /--channel ID is missing/, { env: { ...env, PUSHWIRE_CHANNEL: undefined } });
  await fails(['webhook', 'change', 'x', '--default-retry', '--factor', '3'], 2, /excludes/);
  await fails(['event', 'list'], 2, /--channel/, { env: { ...env, PUSHWIRE_CHANNEL: undefined } });
});

test('channels are created, listed, shown, changed and deleted', async () => {
  const made = await json(['channel', 'create', 'My site', '--id', 'site']);
  assert.equal(made._id, 'site');
  assert.match(await does(['channel', 'list']), /site\s.*My site/);
  assert.match(await does(['channel', 'show', 'site']), /My site/);
  await does(['channel', 'change', 'site', '--name', 'My shop']);
  assert.equal((await json(['channel', 'show', 'site'])).name, 'My shop');
  await fails(['channel', 'create', 'x', '--id', 'site'], 1, /site|exists/);
  const other = await json(['channel', 'create', 'other']);
  await does(['channel', 'delete', other._id]);
  await fails(['channel', 'show', other._id], 1, /no such|not found|unknown/i);
  assert.deepEqual((await json(['channel', 'list'])).data.map((c) => c._id), ['site']);
});

test('webhooks are created, changed, disabled, enabled, tested and deleted', async (t) => {
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  const made = await json(['webhook', 'create', receiver.url, '--events', 'optIn,optOut',
    '--header', 'X-Api-Key: a: b', '--header', 'X-B: c', '--description', 'for tests',
    '--max-retries', '3', '--initial-delay', '90s', '--factor', '1.5']);
  assert.deepEqual(made.events, ['optIn', 'optOut']);
  assert.deepEqual(made.headers, { 'X-Api-Key': 'a: b', 'X-B': 'c' });
  assert.deepEqual({ ...made.retry, maxDelay: 0 }, { maxRetries: 3, initialDelay: 90, factor: 1.5, maxDelay: 0 });
  assert.equal((await does(['webhook', 'secret', made._id])).trim(), made.secret);
  assert.match(await does(['webhook', 'show', made._id]), /^headers: +X-Api-Key: a: b, X-B: c$/m);
  await does(['webhook', 'change', made._id, '--factor', '3']);
  assert.deepEqual({ ...(await json(['webhook', 'show', made._id])).retry, maxDelay: 0 },
    { maxRetries: 3, initialDelay: 90, factor: 3, maxDelay: 0 });

  await does(['webhook', 'change', made._id, '--events', 'all', '--no-headers', '--default-retry']);
  const changed = await json(['webhook', 'show', made._id]);
  assert.deepEqual([changed.events.length, changed.headers, changed.retry.maxRetries], [7, {}, 8]);
  await does(['webhook', 'disable', made._id]);
  assert.equal((await json(['webhook', 'show', made._id])).enabled, false);
  assert.match(await does(['webhook', 'list']), new RegExp(`${made._id}\\s+false`));
  await does(['webhook', 'enable', made._id]);

  await does(['webhook', 'test', made._id, '--type', 'topicAdded']);
  const [call] = await receiver.count(1);
  assert.equal(JSON.parse(call.body).type, 'topicAdded');
  await does(['webhook', 'delete', made._id]);
  await fails(['webhook', 'show', made._id], 1, /no such|not found|unknown/i);
  await fails(['webhook', 'create', 'ftp://x/'], 1, /url/i);
});

test('samples of every type and own events are sent; events and calls are shown', async (t) => {
  let status = 500;
  const receiver = await Receiver.open((res) => res.writeHead(status).end('not now\u001b[31m'));
  t.after(() => receiver.close());
  await does(['channel', 'create', 'send', '--id', 'send']);
  const on = { env: { ...env, PUSHWIRE_CHANNEL: 'send' } };
  await does(['webhook', 'create', receiver.url, '--max-retries', '0'], on);
  for (const type of TYPES) assert.match(await does(['send', type], on), /evt_[0-9a-z]{13}/);
  await receiver.count(7);
  assert.deepEqual(receiver.calls.map((call) => JSON.parse(call.body).type).sort(), TYPES);

  const own = `${JSON.stringify(click('send', 'mine'))}`;
  const file = path.join(temporaryFolder(), 'event.json');
  writeFileSync(file, own);
  const [id] = /evt_[0-9a-z]+/.exec(await does(['send', '--data', file], on));
  assert.equal((await receiver.of(id)).body.toString(), own);
  const lines = `${own}\n${own}\n`;
  const ids = (await does(['send', '--data', '-'], { ...on, input: lines })).match(/evt_[0-9a-z]+/g);
  assert.equal(new Set(ids).size, 2);
  await does(['send', 'click', '--count', '20', '--subscription', 'many'], on);
  assert.equal((await json(['event', 'list', '--subscription', 'many'], on)).data.length, 20);

  assert.match(await does(['event', 'list', '--type', 'click', '--limit', '30'], on), new RegExp(id));
  assert.match(await does(['event', 'show', id], on), /mine/);
  await server.callOf('send', id, 'failed');
  const shown = await json(['event', 'show', id], on);
  assert.deepEqual(shown.payload, JSON.parse(own));
  const call = shown.calls[0]._id;
  assert.match(await does(['call', 'list', '--state', 'failed'], on), new RegExp(call));
  const told = await does(['call', 'show', call], on);
  assert.match(told, /500/);
  assert.match(told, /not now/);
  assert.ok(!told.includes('\u001b'), 'no escape reaches the terminal');

  status = 200;
  await does(['call', 'retry', call], on);
  await server.callOf('send', id, 'succeeded');
  await fails(['call', 'retry', 'call_x'], 1, /no such|not found|unknown/i, on);
  await fails(['send', 'clack'], 2, /click/, on);
  await fails(['send', '--data', '-'], 1, /type|JSON/i, { ...on, input: '{"a":1}' });
  await fails(['send', '--data', '/does/not/exist'], 1, /does\/not\/exist/, on);
});

test('an event as deep as it may be is sent, listed and shown', async () => {
  await does(['channel', 'create', 'deep', '--id', 'deep']);
  const on = { env: { ...env, PUSHWIRE_CHANNEL: 'deep' } };
  const input = JSON.stringify(click('deep', 's', { x: 0 })).replace(':0', `:${'['.repeat(63)}${']'.repeat(63)}`);
  for (const body of [input, `[${input}]`]) {
    const [id] = /evt_[0-9a-z]+/.exec(await does(['send', '--data', '-'], { ...on, input: body }));
    assert.match(await does(['event', 'list'], on), new RegExp(id));
    assert.ok((await json(['event', 'list'], on)).data.some((event) => event._id === id));
    assert.match(await does(['event', 'show', id], on), /\[{63}\]{63}/);
  }
});

test('what is no answer of Pushwire\'s is told with the reason', async (t) => {
  let answer = '{"data":[1,]}';
  let status = 200;
  const other = await Receiver.open((res) => res.writeHead(status).end(answer));
  t.after(() => other.close());
  const url = new URL(other.url).origin;
  await fails(['channel', 'list', '--url', url], 1, /does not look like .*at byte 11: expected a value/);
  answer = '[]';
  await fails(['channel', 'list', '--url', url], 1, /does not look like .*an array/);
  [status, answer] = [502, '<html>'];
  await fails(['channel', 'list', '--url', url], 1, /502: this does not look like .*at byte 0: expected a value/);
});

test('more lines than a request takes are sent in several', async () => {
  await does(['channel', 'create', 'lines', '--id', 'lines']);
  const on = { env: { ...env, PUSHWIRE_CHANNEL: 'lines' } };
  const event = JSON.stringify(click('lines', 's'));
  const sent = async (input) =>
    new Set((await does(['send', '--data', '-'], { ...on, input })).match(/evt_[0-9a-z]+/g)).size;
  assert.equal(await sent(`${event}\n\n`.repeat(2500)), 2500);
  const large = JSON.stringify(click('lines', 's', { x: 'x'.repeat(200_000) }));
  assert.equal(await sent(Array(12).fill(large).join('\n')), 12);
  await fails(['send', '--data', '-'], 1, /lines 1001 to 1500: 400 .*event 499/,
    { ...on, input: `${`${event}\n`.repeat(1499)}{}\n` });
});

test('a call that is due is shown as such, and wide names keep the columns', async (t) => {
  await does(['channel', 'create', '東京の店', '--id', 'due']);
  const on = { env: { ...env, PUSHWIRE_CHANNEL: 'due' } };
  const table = (await does(['channel', 'list'])).split('\n');
  const before = (line, what) => [...line.slice(0, line.indexOf(what))]
    .reduce((sum, c) => sum + (c > '\u2e80' ? 2 : 1), 0);
  assert.equal(before(table.find((line) => line.includes('東京')), '20'), before(table[0], 'CREATED'));

  const open = [];
  const receiver = await Receiver.open((res) => open.push(res));
  t.after(() => receiver.close());
  await does(['webhook', 'create', receiver.url], on);
  const [id] = /evt_[0-9a-z]+/.exec(await does(['send', 'click'], on));
  await receiver.of(id);
  assert.match(await does(['call', 'list'], on), /waiting +0 +now /);
  assert.match(await does(['event', 'show', id], on), / now\b/);
  open[0].end();
});

test('keys are created, listed and deleted', async () => {
  const made = await json(['key', 'create', '--role', 'ingest', '--channel', 'site']);
  assert.match(made.key, /^pw_ingest_/);
  assert.match(await does(['key', 'list']), new RegExp(`${made._id}.*ingest`));
  const own = { env: { ...env, PUSHWIRE_KEY: made.key } };
  await does(['send', 'click'], own);
  await fails(['event', 'list'], 1, /may not|role|403|forbidden/i, own);
  await does(['key', 'delete', made._id]);
  await fails(['send', 'click'], 1, /key/i, own);
});

test('the key is found in the server\'s data, and flags go before variables', async () => {
  const alone = { env: { PUSHWIRE_URL: server.url } };
  assert.match(await does(['channel', 'list', '--data', server.data], alone), /site/);
  assert.match(await does(['channel', 'list'], { ...alone, cwd: server.dir, env: { ...alone.env, PUSHWIRE_DATA: server.data } }), /site/);
  await fails(['channel', 'list', '--key', 'pw_admin_x'], 1, /key/i);
  await fails(['channel', 'list', '--data', '/does/not/exist'], 1, /admin\.key|key/i, alone);
});

test('what fails says what to do next', async () => {
  await fails(['retry'], 2, /did you mean call retry\?/);
  await fails(['rotate-secret', 'x'], 2, /did you mean webhook rotate-secret\?/);
  await fails(['call', 'list', '--channel', 'nowhere'], 1, /no such channel\nSee which there are: pushwire channel list\n/);
  await fails(['webhook', 'show', 'wh_x', '--channel', 'site'], 1, /no such webhook\nSee .*pushwire webhook list --channel ID\n/);
  await fails(['channel', 'list', '--url', server.url.replace('http:', 'https:')], 1, /speaks no TLS: try --url http:/);
});

test('a server that is not there is told as such', async () => {
  await fails(['channel', 'list', '--url', 'http://127.0.0.1:1'], 1, /127\.0\.0\.1:1/);
});

test('listen checks signatures and can misbehave', async (t) => {
  await does(['channel', 'create', 'heard', '--id', 'heard']);
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const listener = new Program(['listen', '--listen', '127.0.0.1:0', '--secret', secret, '--fail', '1', '--quiet']);
  t.after(() => listener.stop());
  const [, url] = await listener.line(/(http:\/\/127\.0\.0\.1:\d+)/);
  const retry = { maxRetries: 3, initialDelay: 1, factor: 1, maxDelay: 1 };
  await server.webhook('heard', url, { secret, retry });
  const other = await server.webhook('heard', url, { retry: { maxRetries: 0 }, enabled: false });
  const [id] = await server.send('heard', click('heard', 's'));
  const call = await server.callsOf('heard', id, 'settled', (each) => each.webhook === other._id || each.state === 'succeeded');
  const first = call.find((each) => each.webhook !== other._id);
  const { attemptLog } = await server.must('GET', `/v1/channels/heard/calls/${first._id}`);
  assert.deepEqual(attemptLog.map((attempt) => attempt.status), [503, 200]);
  await listener.lines.until('both calls', (all) => all.filter((line) => line.includes(id)).length >= 2);

  // The other webhook signs with a secret that the listener does not have.
  await server.must('PATCH', `/v1/channels/heard/webhooks/${other._id}`, { body: { enabled: true } });
  await listener.line(/(wrong|invalid|bad|not right|does not)/i);
  assert.deepEqual(await listener.stop(), { code: 0, signal: null });
});

test('listen checks the signatures of an ed25519 key with its public half', async (t) => {
  await does(['channel', 'create', 'public', '--id', 'public']);
  const key = 'whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=';
  const listener = new Program(['listen', '--listen', '127.0.0.1:0', '--secret', key, '--quiet']);
  t.after(() => listener.stop());
  const [, url] = await listener.line(/(http:\/\/127\.0\.0\.1:\d+)/);
  const made = await does(
    ['webhook', 'create', url, '--channel', 'public', '--secret-file', '-', '--json'],
    { input: 'whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n' },
  );
  const { _id, publicKey } = JSON.parse(made);
  assert.equal(publicKey, key);
  const [right] = await server.send('public', click('public', 's'));
  await listener.line(new RegExp(`${right}.*signature ok`));

  const shown = await does(['webhook', 'rotate-secret', _id, '--channel', 'public', '--overlap', '1h']);
  assert.match(shown, /secret: +whsk_\S+\n[^]*keyType +publicKey +expiresAt\n *ed25519 +whpk_A6EHv\S+ +\d{4}-/);
  await does(['webhook', 'rotate-secret', _id, '--channel', 'public', '--key-type', 'ed25519', '--overlap', '0']);
  const [wrong] = await server.send('public', click('public', 's'));
  await listener.line(new RegExp(`${wrong}.*signature BAD`));
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
