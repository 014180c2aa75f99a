// The registry's commands as a person or a script uses them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  BIN, Program, Receiver, Server, cleanEnv, eventually, run, temporaryFolder, within,
} from './harness.mjs';

const server = await Server.start();
const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key, PUSHWIRE_CHANNEL: 'shop' };
await server.channel('shop');

const folder = temporaryFolder();
const file = (name, text) => {
  const to = path.join(folder, name);
  if (text !== undefined) writeFileSync(to, text);
  return to;
};
const on = (channel, more = {}) => ({ env: { ...env, PUSHWIRE_CHANNEL: channel, ...more } });

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
  return done;
}

// A subscription as an export writes it: the same bytes come back.
const line = (channel, n) => JSON.stringify({
  _id: `device-${n}`,
  channel,
  inactive: n % 10 === 0,
  createdAt: '2024-03-04T09:50:51.375Z',
  syncedAt: new Date(1709545851375 + n * 1000).toISOString(),
  browserType: 'SDK',
  platformName: n % 2 ? 'iOS' : 'Android',
  language: 'de',
  country: 'DE',
  topics: n % 3 && n % 10 ? ['news', 'sport'] : [],
  customAttributes: { user_id: `Müller "${n}"`, age: n },
  ...(n % 10 ? { apnsToken: `token-${n}` } : {}),
});
const lines = (channel, n, from = 0) =>
  Array.from({ length: n }, (_, i) => `${line(channel, from + i)}\n`).join('');

// Names the first line that differs: all of them would be too much to read.
function same(text, wanted) {
  const [got, want] = [text.split('\n'), wanted.split('\n')];
  const at = want.findIndex((each, i) => got[i] !== each);
  if (at >= 0) assert.equal(got[at], want[at], `line ${at + 1}`);
  assert.equal(got.length, want.length, 'lines');
}

// A program that is fed bit by bit, and that a test may interrupt.
class Fed {
  constructor(args, options) {
    this.child = spawn(BIN, args, { ...options, env: cleanEnv(options.env), stdio: ['pipe', 'ignore', 'pipe'] });
    this.child.stdin.on('error', () => {});
    this.said = '';
    this.child.stderr.on('data', (part) => { this.said += part; });
    this.ended = once(this.child, 'close');
  }

  async end(input) {
    this.child.stdin.end(input);
    const [code] = await within(this.ended, 'the program to end');
    return code;
  }

  async kill() {
    this.child.kill('SIGKILL');
    await within(this.ended, 'the program to end');
  }
}

const count = async (channel, at = server) =>
  (await at.list(`/v1/channels/${channel}/subscriptions`)).length;

// ---- one by one ----

test('every command helps', async () => {
  const verbs = {
    subscription: ['list', 'show', 'put', 'delete', 'export', 'import'], notification: ['list', 'show', 'create'],
    topic: ['list', 'create', 'delete'], tag: ['list', 'create', 'delete'],
    attribute: ['list', 'create', 'delete'], config: ['show', 'change'],
  };
  const all = await does(['--help']);
  for (const [name, each] of Object.entries(verbs)) {
    assert.match(all, new RegExp(`^ +${name} `, 'm'));
    const group = await does([name, '--help']);
    for (const verb of each) {
      assert.match(group, new RegExp(`^ +${verb} `, 'm'));
      assert.match(await does([name, verb, '--help']), new RegExp(`^Usage: pushwire ${name} ${verb} `, 'm'));
    }
  }
});

test('wrong usage ends with 2 and says what may have been meant', async () => {
  await fails(['subscription'], 2, /export/);
  await fails(['subscription', 'exprot'], 2, /did you mean export\?/);
  await fails(['subscription', 'show'], 2, /ID is missing/);
  await fails(['subscription', 'put', 'x'], 2, /--data FILE is missing/);
  await fails(['subscription', 'import'], 2, /FILE is missing/);
  await fails(['subscription', 'list', '--limit', '0'], 2, /--limit 0: expected/);
  await fails(['subscription', 'list', '--attribute', 'a'], 2, /go together/);
  await fails(['subscription', 'list', '--value', 'a'], 2, /go together/);
  await fails(['subscription', 'list', '--active', '--inactive'], 2, /exclude each other/);
  await fails(['subscription', 'list', '--synced-since', 'monday'], 2, /expected a time/);
  await fails(['subscription', 'list', '--platfrom', 'iOS'], 2, /did you mean --platform\?/);
  await fails(['notification', 'create', '--feed-guid', ''], 2, /expected GUID/);
  await fails(['topic', 'create'], 2, /NAME is missing/);
  await fails(['topic', 'list', '--limit', '5'], 2, /takes no --limit/);
  await fails(['attribute', 'create', 'a', 'b'], 2, /unexpected b/);
  await fails(['config', 'change'], 2, /--data FILE is missing/);
  const nowhere = { env: { ...env, PUSHWIRE_CHANNEL: undefined } };
  for (const args of [['subscription', 'export'], ['notification', 'list'], ['tag', 'list'], ['config', 'show']]) {
    await fails(args, 2, /--channel ID is missing/, nowhere);
  }
});

test('subscriptions are put, listed, shown and opted out', async () => {
  const body = {
    platformName: 'iOS', browserType: 'SDK', language: 'de', country: 'DE', topics: ['news', 'sport'],
    tags: ['vip'], customAttributes: { user_id: 'jane' }, apnsToken: 'secret-token',
  };
  const made = await json(['subscription', 'put', 'jane', '--data', file('jane.json', JSON.stringify(body))]);
  assert.deepEqual([made._id, made.topics, made.apnsToken], ['jane', ['news', 'sport'], undefined]);
  const joe = JSON.stringify({ _id: 'joe', platformName: 'Android', language: 'en', topics: ['news'] });
  assert.match(await does(['subscription', 'put', 'joe', '--data', '-'], { input: joe }), /^platformName: +Android$/m);

  const table = (await does(['subscription', 'list'])).split('\n');
  assert.match(table[0], /^ID +PLATFORM +BROWSER +LANGUAGE +COUNTRY +TOPICS +SYNCED$/);
  assert.match(table[1], /^jane +iOS +SDK +de +DE +news, sport +\d{4}-/);
  assert.match(table[2], /^joe +Android +- +en +- +news +\d{4}-/);
  assert.match(await does(['subscription', 'show', 'jane']), /^customAttributes: +user_id jane$/m);

  const found = async (...filter) => (await json(['subscription', 'list', ...filter])).data.map((s) => s._id);
  assert.deepEqual(await found('--topic', 'sport'), ['jane']);
  assert.deepEqual(await found('--tag', 'vip'), ['jane']);
  assert.deepEqual(await found('--platform', 'Android'), ['joe']);
  assert.deepEqual(await found('--language', 'en'), ['joe']);
  assert.deepEqual(await found('--country', 'DE'), ['jane']);
  assert.deepEqual(await found('--attribute', 'user_id', '--value', 'jane'), ['jane']);
  assert.deepEqual(await found('--topic', 'news', '--limit', '1'), ['jane']);
  assert.deepEqual(await found('--synced-since', '1h'), ['jane', 'joe']);
  assert.deepEqual(await found('--synced-since', '9999-01-01T00:00:00Z'), []);

  assert.match(await does(['subscription', 'delete', 'jane']), /^opted out.*tokens and topics/);
  assert.deepEqual(await found('--inactive'), ['jane']);
  assert.deepEqual(await found('--active'), ['joe']);
  assert.equal((await json(['subscription', 'show', 'jane'])).inactive, true);
  await fails(['subscription', 'show', 'nobody'], 1, /no such subscription/);
  await fails(['subscription', 'delete', 'nobody'], 1, /no such subscription/);
});

test('a file that is no JSON object is told by its name', async () => {
  const put = (name, text) => ['subscription', 'put', 'x', '--data', file(name, text)];
  await fails(put('cut.json', '{"topics":["a"'), 1, /cut\.json is not valid JSON at byte 14/);
  await fails(put('list.json', '[]'), 1, /list\.json must hold a JSON object, not an array/);
  await fails(put('empty.json', ''), 1, /empty\.json is not valid JSON/);
  await fails(put('long.json', `{"x":"${'x'.repeat(1 << 18)}"}`), 1, /long\.json: more than 262144 bytes/);
  await fails(put('other.json', '{"_id":"y"}'), 1, /\/_id: must be the id of the path/);
  await fails(['config', 'change', '--data', '-'], 1, /standard input is not valid JSON/, { input: '{' });
  await fails(['config', 'change', '--data', '/does/not/exist'], 1, /does\/not\/exist: No such file/);
});

test('notifications are created, listed and shown', async () => {
  const made = await json(['notification', 'create', '--id', 'goal', '--title', 'Goal!',
    '--link', 'https://example.com/goal', '--feed-guid', 'guid-1', '--feed-guid', 'guid-2']);
  assert.deepEqual(made.feedGuid, ['guid-1', 'guid-2']);
  assert.deepEqual([made._id, made.title, made.url], ['goal', 'Goal!', 'https://example.com/goal']);
  const other = await json(['notification', 'create']);
  const table = await does(['notification', 'list']);
  assert.match(table, /^ID +TITLE +LINK +CREATED +DELIVERED +CLICKED$/m);
  assert.match(table, /^goal +Goal! +https:\/\/example\.com\/goal +\d{4}-\S+ +0 +0$/m);
  assert.deepEqual((await json(['notification', 'list'])).data.map((n) => n._id), [other._id, 'goal']);
  assert.equal((await json(['notification', 'list', '--limit', '1'])).data.length, 1);
  assert.match(await does(['notification', 'show', 'goal']), /^feedGuid: +guid-1, guid-2$/m);
  await fails(['notification', 'show', 'nothing'], 1, /no such notification/);
});

test('topics, tags and attributes are created, listed and deleted', async () => {
  for (const noun of ['topic', 'tag']) {
    const made = await json([noun, 'create', 'Good news', '--id', `${noun}-1`]);
    assert.deepEqual(made, { _id: `${noun}-1`, name: 'Good news' });
    assert.match(await does([noun, 'create', 'Other']), /^name: +Other$/m);
    assert.match(await does([noun, 'list']), new RegExp(`^ID +NAME\n${noun}-1 +Good news\n\\S+ +Other\n$`));
    await fails([noun, 'create', 'Twice', '--id', `${noun}-1`], 1, /409 Conflict/);
    assert.match(await does([noun, 'delete', `${noun}-1`]), /^deleted/);
    await fails([noun, 'delete', `${noun}-1`], 1, new RegExp(`no such ${noun}`));
    assert.deepEqual((await json([noun, 'list'])).data.map((each) => each.name), ['Other']);
  }
  assert.deepEqual(await json(['attribute', 'create', 'user_id']), { id: 'user_id', name: 'user_id' });
  await does(['attribute', 'create', 'age', '--name', 'Age']);
  assert.match(await does(['attribute', 'list']), /^ID +NAME\nuser_id +user_id\nage +Age\n$/);
  assert.match(await does(['attribute', 'delete', 'age']), /^deleted/);
  assert.deepEqual((await json(['attribute', 'list'])).data, [{ id: 'user_id', name: 'user_id' }]);
});

test('a channel\'s settings are shown and changed', async () => {
  await server.channel('set');
  const settings = {
    fcmId: '123', topics: [{ _id: 'news', name: 'News' }], sdk: { channelName: 'x' },
    allowedOrigins: ['https://www.example.com'],
  };
  const changed = await json(['config', 'change', '--data', '-'], { ...on('set'), input: JSON.stringify(settings) });
  assert.deepEqual(changed.topics, settings.topics);
  await does(['config', 'change', '--data', file('bundles.json', '{"bundleIds":["com.example"]}')], on('set'));
  const shown = await does(['config', 'show'], on('set'));
  assert.match(shown, /^fcmId: +123$/m);
  assert.match(shown, /^bundleIds: +com\.example$/m);
  assert.match(shown, /^topics:\n_id +name\nnews +News$/m);
  assert.deepEqual((await json(['config', 'show'], on('set'))).allowedOrigins, settings.allowedOrigins);
  await fails(['config', 'change', '--data', '-'], 1, /\/allowedOrigins\/0: must be/, { ...on('set'), input: '{"allowedOrigins":["x"]}' });
});

test('a command whose --data is a file finds the key with --data-dir', async () => {
  const alone = { env: { PUSHWIRE_URL: server.url, PUSHWIRE_CHANNEL: 'shop' }, input: '{}' };
  await does(['subscription', 'put', 'keyed', '--data', '-', '--data-dir', server.data], alone);
  await fails(['subscription', 'put', 'keyed', '--data', '-', '--data-dir', folder], 1, /PUSHWIRE_DATA or --data-dir/, alone);
  await fails(['subscription', 'show', 'keyed', '--data', folder], 1, /PUSHWIRE_DATA or --data:/, alone);
  await fails(['config', 'change', '--data', '-', '--key', 'pw_admin_x'], 1, /401.*\n.*--data-dir DIR/, alone);
});

// ---- all of them ----

test('what is imported is exported again, line by line and in its order', async () => {
  await server.channel('many');
  const text = lines('many', 5000);
  const from = file('many.ndjson', text);
  assert.equal(await does(['subscription', 'import', from], on('many')),
    '5000 subscriptions: 5000 created, 0 replaced, 0 events\n');
  same(await does(['subscription', 'export'], on('many')), text);

  const to = file('out.ndjson', 'what was there before');
  chmodSync(to, 0o644);
  assert.match(await does(['subscription', 'export', '--output', to], on('many')), /^5000 subscriptions in .*out\.ndjson/);
  same(readFileSync(to, 'utf8'), text);
  assert.equal(statSync(to).mode & 0o777, 0o600, 'push tokens are for their owner alone');
  assert.deepEqual(await json(['subscription', 'export', '--output', to], on('many')), { exported: 5000 });
  same(await does(['subscription', 'export', '--output', '-', '--json'], on('many')), text);
  assert.ok(!readdirSync(folder).some((name) => name.startsWith('out.ndjson.')), 'nothing is left beside it');

  // Once more, and with a few that are other ones now.
  const other = lines('many', 7).replaceAll('"de"', '"en"');
  assert.deepEqual(await json(['subscription', 'import', '-'], { ...on('many'), input: text }),
    { created: 0, replaced: 5000, events: 0 });
  assert.equal(await does(['subscription', 'import', '-'], { ...on('many'), input: other }),
    '7 subscriptions: 0 created, 7 replaced, 0 events\n');
  same(await does(['subscription', 'export'], on('many')), other + text.slice(lines('many', 7).length));
  assert.equal((await json(['subscription', 'list', '--limit', '450'], on('many'))).data.length, 450);
});

test('nothing is imported, and nothing exported, without complaint', async () => {
  await server.channel('none');
  assert.equal(await does(['subscription', 'export'], on('none')), '');
  assert.match(await does(['subscription', 'import', '-'], on('none')), /^0 subscriptions: 0 created/);
  assert.match(await does(['subscription', 'import', '-'], { ...on('none'), input: '\n \n\n' }), /^0 subscriptions/);
});

test('an import makes events only with --emit', async (t) => {
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  await server.channel('loud');
  await server.webhook('loud', receiver.url, { events: ['optIn'] });
  assert.equal((await json(['subscription', 'import', '-'], { ...on('loud'), input: line('loud', 1) })).events, 0);
  const made = await json(['subscription', 'import', '-', '--emit'], { ...on('loud'), input: line('loud', 2) });
  assert.deepEqual(made, { created: 1, replaced: 0, events: 3 });
  const [call] = await receiver.count(1);
  assert.equal(JSON.parse(call.body).subscription._id, 'device-2');
  assert.equal((await json(['subscription', 'import', '-', '--emit'], { ...on('loud'), input: line('loud', 2) })).events, 0);
});

test('a broken line is named, and the import repeated when it is mended', async () => {
  await server.channel('mend');
  const good = lines('mend', 2500);
  const broken = `${lines('mend', 1700)}\n\r\n{"_id":"x","topics":5}\n${lines('mend', 800, 1700)}`;
  const from = file('broken.ndjson', broken);
  const { stderr, stdout } = await fails(['subscription', 'import', from], 1,
    /broken\.ndjson:1703: \/topics: must be an array of ids\n1000 lines are stored\. It can be run again/, on('mend'));
  assert.equal(stdout, '');
  assert.ok(!stderr.includes('\r'), 'no progress where there is no terminal');
  assert.equal(await count('mend'), 1000);
  writeFileSync(from, good);
  assert.deepEqual(await json(['subscription', 'import', from], on('mend')), { created: 1500, replaced: 1000, events: 0 });
  same(await does(['subscription', 'export'], on('mend')), good);

  const one = (input, pattern) => fails(['subscription', 'import', '-'], 1, pattern, { ...on('mend'), input });
  await one(`${line('mend', 1)}\n{"_id":`, /standard input:2: \/_id: not valid JSON at byte 7.*\nNo line is stored\.\n$/);
  await one('[]', /standard input:1: must be an object/);
  await one('{"topics":[]}', /standard input:1: \/_id: is missing/);
  await one('{"_id":"x","\\u001b[31mred":1}', /unknown member/);
  await one('{"_id":"x","channel":"shop"}', /:1: \/channel: must be the channel/);
  await one(`${line('mend', 1)}\n${'x'.repeat((1 << 20) + 1)}`, /standard input:2: the line is longer than 1 MiB/);
  await fails(['subscription', 'import', '/does/not/exist'], 1, /does\/not\/exist: No such file/, on('mend'));
  await fails(['subscription', 'import', from], 1, /import: 404 Not Found: no such channel\n/, on('nowhere'));
});

test('an import that was killed in the middle is repeated', async () => {
  await server.channel('killed');
  const text = lines('killed', 3500);
  const first = new Fed(['subscription', 'import', '-'], on('killed'));
  first.child.stdin.write(lines('killed', 2200));
  await eventually('two requests are stored', async () => (await count('killed')) === 2000);
  await first.kill();
  assert.equal(await count('killed'), 2000);
  assert.deepEqual(await json(['subscription', 'import', '-'], { ...on('killed'), input: text }),
    { created: 1500, replaced: 2000, events: 0 });
  same(await does(['subscription', 'export'], on('killed')), text);
});

test('an import that loses its server says how far it came, and is repeated', async () => {
  const lost = await Server.start();
  await lost.channel('lost');
  const at = (which) => on('lost', { PUSHWIRE_URL: which.url, PUSHWIRE_KEY: which.key });
  const text = lines('lost', 3500);
  const importer = new Fed(['subscription', 'import', '-'], at(lost));
  importer.child.stdin.write(lines('lost', 2200));
  await eventually('two requests are stored', async () => (await count('lost', lost)) === 2000);
  await lost.stop('SIGKILL');
  assert.equal(await importer.end(lines('lost', 1300, 2200)), 1);
  // The last answer may not have reached it any more.
  assert.match(importer.said, /standard input, lines (2001 to 3000: [^]*\n2|1001 to 2000: [^]*\n1)000 lines are stored, and perhaps/);

  const again = await lost.again();
  assert.deepEqual(await json(['subscription', 'import', '-'], { ...at(again), input: text }),
    { created: 1500, replaced: 2000, events: 0 });
  same(await does(['subscription', 'export'], at(again)), text);
  assert.deepEqual(await again.stop(), { code: 0, signal: null });
});

test('a server that takes less at once is given less', async () => {
  for (const limit of [['--max-request', '16KiB'], ['--max-events', '7']]) {
    const small = await Server.start({ args: limit });
    await small.channel('small');
    const at = on('small', { PUSHWIRE_URL: small.url, PUSHWIRE_KEY: small.key });
    const text = lines('small', 1200);
    assert.deepEqual(await json(['subscription', 'import', '-'], { ...at, input: text }),
      { created: 1200, replaced: 0, events: 0 });
    same(await does(['subscription', 'export'], at), text);
    if (limit[0] === '--max-request') {
      const long = JSON.stringify({ _id: 'long', topics: Array.from({ length: 400 }, (_, i) => `topic-${i}-${'x'.repeat(40)}`) });
      await fails(['subscription', 'import', '-'], 1, /standard input:3: 413 .*\n2 lines are stored/,
        { ...at, input: `${lines('small', 2)}${long}\n${lines('small', 2)}` });
    }
    assert.deepEqual(await small.stop(), { code: 0, signal: null });
  }
});

test('exports need a key that may manage', async () => {
  const { key } = await server.must('POST', '/v1/keys', { body: { role: 'read', channel: 'shop' } });
  const reader = on('shop', { PUSHWIRE_KEY: key });
  assert.match(await does(['subscription', 'list'], reader), /^joe/m);
  const to = file('not-made.ndjson');
  await fails(['subscription', 'export', '--output', to], 1, /403.*\nThis needs a key with another role/, reader);
  assert.ok(!readdirSync(folder).some((name) => name.startsWith('not-made')));
});

// ---- a server that misbehaves ----

const NDJSON = 'application/x-ndjson';

async function faked(t, answer) {
  const fake = await Receiver.open(answer);
  t.after(() => fake.close());
  return { fake, options: on('shop', { PUSHWIRE_URL: new URL(fake.url).origin }) };
}

test('a server that is busy is asked again when it says so', async (t) => {
  const busy = (res, status, after) => res.writeHead(status, { 'Retry-After': after }).end('{}');
  const past = 'Sun, 06 Nov 1994 08:49:37 GMT';
  const importing = await faked(t, (res, call, n) => {
    if (n === 1) busy(res, 503, '0');
    else if (n === 2) busy(res, 429, past);
    else res.writeHead(200).end('{"created":2,"replaced":1,"events":0}');
  });
  assert.equal(await does(['subscription', 'import', '-'], { ...importing.options, input: '{}\n{}\n{}\n' }),
    '3 subscriptions: 2 created, 1 replaced, 0 events\n');
  assert.deepEqual(importing.fake.calls.map((call) => [call.path, call.body.toString(), call.headers['content-type']]),
    Array(3).fill(['/v1/channels/shop/subscriptions/import', '{}\n{}\n{}\n', NDJSON]));

  const exporting = await faked(t, (res, call, n) => {
    if (n === 1) res.writeHead(200, { 'Content-Type': NDJSON, 'Next-Cursor': 'a b' }).end('{"_id":"1"}\n');
    else if (n === 2) busy(res, 503, '0');
    else res.writeHead(200, { 'Content-Type': NDJSON }).end('{"_id":"2"}\n');
  });
  same(await does(['subscription', 'export'], exporting.options), '{"_id":"1"}\n{"_id":"2"}\n');
  assert.deepEqual(exporting.fake.calls.map((call) => new URL(call.path, 'http://x').searchParams.get('cursor')),
    [null, 'a b', 'a b']);

  const never = await faked(t, (res) => busy(res, 503, '3600'));
  await fails(['subscription', 'import', '-'], 1, /standard input:1: 503.*\nTry again in a moment\.\nNo line is stored\.\n$/,
    { ...never.options, input: '{}' });
  assert.equal(never.fake.calls.length, 1, 'an hour is too long to wait');
});

test('an answer that says nothing leaves it open what is stored', async (t) => {
  const { options } = await faked(t, (res) => res.socket.destroy());
  await fails(['subscription', 'import', '-'], 1, /Nobody knows whether those lines are stored/, { ...options, input: '{}\n{}' });
});

test('a list goes on behind pages without rows until it has enough', async (t) => {
  const page = (data, nextCursor) => JSON.stringify({ data, nextCursor });
  const { fake, options } = await faked(t, (res, call, n) => {
    const pages = [page([], 'a'), page([], 'b'), page([{ _id: 'x' }], 'c'), page([{ _id: 'y' }], 'd')];
    res.writeHead(200).end(pages[n - 1]);
  });
  const done = await run(['subscription', 'list', '--topic', 'a&b', '--active', '--limit', '2'], options);
  assert.match(done.stdout, /^ID .*\nx .*\ny .*\n$/);
  assert.match(done.stderr, /There is more/);
  const asked = fake.calls.map((call) => Object.fromEntries(new URL(call.path, 'http://x').searchParams));
  const same = { topic: 'a&b', inactive: 'false' };
  assert.deepEqual(asked, [{ ...same, limit: '2' }, { ...same, limit: '2', cursor: 'a' },
    { ...same, limit: '2', cursor: 'b' }, { ...same, limit: '1', cursor: 'c' }]);
});

test('an export that fails leaves the file as it was', async (t) => {
  const { options, fake } = await faked(t, (res, call, n) => {
    if (n === 1) res.writeHead(200, { 'Content-Type': NDJSON, 'Next-Cursor': 'a' }).end('{"_id":"1"}\n');
    else if (n === 2) res.writeHead(500).end('{"title":"Internal Server Error"}');
    else if (n === 3) res.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>');
    else if (n <= 5) res.writeHead(200, { 'Content-Type': NDJSON, 'Next-Cursor': 'same' }).end('{}\n');
    else if (n === 6) res.writeHead(200, { 'Content-Type': NDJSON, 'Next-Cursor': 'a' }).end('{"_id":"1"}\n');
  });
  const to = file('kept.ndjson', 'kept');
  const args = ['subscription', 'export', '--output', to];
  const unchanged = () => {
    assert.equal(readFileSync(to, 'utf8'), 'kept');
    assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('kept.')), ['kept.ndjson']);
  };
  await fails(args, 1, /500 Internal Server Error/, options);
  unchanged();
  await fails(args, 1, /does not look like a Pushwire server: its answer is text\/html/, options);
  unchanged();
  await fails(args, 1, /pages do not end/, options);
  unchanged();

  // A signal while the second page is awaited.
  const program = new Program(args, options);
  await fake.count(7);
  assert.equal(readdirSync(folder).filter((name) => name.startsWith('kept.')).length, 2, 'it is written beside');
  assert.deepEqual(await program.stop('SIGINT'), { code: null, signal: 'SIGINT' });
  unchanged();
  await fails(['subscription', 'export', '--output', '/does/not/exist'], 1, /does\/not\/exist: No such file/);
});

test('a terminal is told how far it is', async () => {
  const script = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
  const terminal = async (...args) => {
    const child = spawn('python3', ['-c', script, BIN, ...args], { env: cleanEnv(on('many').env), stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (part) => { said += part; });
    const [code] = await within(once(child, 'close'), 'the program in its terminal');
    assert.equal(code, 0, said);
    return said;
  };
  const from = file('many.ndjson');
  assert.match(await terminal('subscription', 'import', from), /\r\[#+-+\]  \d+ %  1000 subscriptions\x1b\[K[^]*\r\[#+\] 100 %  5000 subscriptions[^\r]*\x1b\[K\r\n5000 subscriptions: 0 created/);
  assert.match(await terminal('subscription', 'export', '--output', file('shown.ndjson')),
    /\r5000 subscriptions[^\r]*\x1b\[K\r\n5000 subscriptions in /);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
