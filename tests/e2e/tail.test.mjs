// pushwire tail, as a person and a script use it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { BIN, Program, Receiver, Server, click, run } from './harness.mjs';

let server = await Server.start();
const receiver = await Receiver.open();
await server.channel('c');
const webhook = await server.webhook('c', receiver.url);
const env = () => ({ PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key, PUSHWIRE_CHANNEL: 'c' });
const tail = (...args) => new Program(['tail', ...args], { env: env() });
const rows = (program) => program.lines.all.filter((line) => line.startsWith('{')).map(JSON.parse);

test('a line for each event and each attempt, as they happen', async () => {
  const program = tail('--since', '1h');
  await program.line(/^TIME \(UTC\) +EVENT OR CALL +STATE +RESULT$/);
  const [id] = await server.send('c', click('c', 'someone'));
  await program.line(new RegExp(`^\\d\\d-\\d\\d [\\d:]{8} +${id} +click of someone$`));
  await program.line(new RegExp(`call_${id.slice(4)}_\\w+ +succeeded +click: 204 in [\\d.]+ ms, attempt 1$`));
  assert.deepEqual(await program.stop('SIGINT'), { code: 0, signal: null });
});

test('--json is an object a line, and its cursor the place to go on from', async () => {
  const first = await run(['tail', '--json', '--no-follow', '--since', '1h'], { env: env() });
  assert.equal(first.code, 0, first.stderr);
  const all = first.stdout.trim().split('\n').map(JSON.parse);
  assert.ok(all.length >= 2);
  for (const row of all) assert.deepEqual(Object.keys(row), ['cursor', 'kind', 'data']);
  assert.deepEqual(all.filter(({ kind }) => kind === 'event').map(({ data }) => data),
    (await server.list('/v1/channels/c/events')).reverse());
  const rest = await run(['tail', '--json', '--no-follow', '--after', all[0].cursor], { env: env() });
  assert.deepEqual(rest.stdout.trim().split('\n').map(JSON.parse), all.slice(1));
  const none = await run(['tail', '--json', '--no-follow', '--after', all.at(-1).cursor], { env: env() });
  assert.deepEqual(none, { code: 0, signal: null, stdout: '', stderr: '' });
});

test('on a terminal it has colours and fits, unless NO_COLOR says otherwise', async () => {
  const command = `${BIN} tail --no-follow --since 1h`;
  const shown = async (more) => {
    const program = new Program(['-qec', command, '/dev/null'], { bin: 'script', env: { ...env(), COLUMNS: '76', TERM: 'xterm', ...more } });
    assert.deepEqual(await program.finish(), { code: 0, signal: null });
    return program.lines.all.slice(0, -1);
  };
  const lines = await shown({});
  assert.ok(lines.some((line) => /call_\w+ +\x1b\[32msucceeded\x1b/.test(line)), lines.join('\n'));
  for (const line of lines) assert.ok([...line.replaceAll(/\x1b\[\d+m/g, '')].length <= 76, line);
  assert.ok(!(await shown({ NO_COLOR: '1' })).join('').includes('\x1b'));
});

test('what is not asked for is not shown', async () => {
  const since = ['tail', '--json', '--no-follow', '--since', '1h'];
  const kinds = async (...more) => {
    const { stdout } = await run([...since, ...more], { env: env() });
    return new Set(stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line).kind));
  };
  assert.deepEqual(await kinds('--kind', 'attempt', '--webhook', webhook._id), new Set(['attempt']));
  assert.deepEqual(await kinds('--kind', 'event', '--subscription', 'someone'), new Set(['event']));
  assert.deepEqual(await kinds('--type', 'optOut'), new Set());
  const wrong = await run(['tail', '--kind', 'call'], { env: env() });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /event, attempt/);
});

test('it goes on by itself when the server is there again, with nothing lost and nothing twice', async () => {
  const program = tail('--json', '--kind', 'event', '--since', '1h');
  const shown = () => rows(program).map(({ data }) => data._id);
  const listed = async () => (await server.list('/v1/channels/c/events')).map(({ _id }) => _id).reverse();
  const all = async () => {
    const ids = await listed();
    await program.lines.until('all events', () => shown().length >= ids.length);
    assert.deepEqual(shown(), ids);
  };
  await all();
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    await server.send('c', Array.from({ length: 20 }, (_, i) => click('c', `s${i}`)));
    await server.stop(signal);
    server = await server.again({ listen: new URL(server.url).host });
    await server.send('c', click('c', signal));
    await all();
  }
  assert.deepEqual(await program.stop('SIGINT'), { code: 0, signal: null });
});

test('what cannot work is said at once', async () => {
  const unknown = await run(['tail', '--channel', 'nowhere'], { env: env() });
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /no such channel/);
  const cursor = await run(['tail', '--after', 'x'], { env: env() });
  assert.equal(cursor.code, 1);
  assert.match(cursor.stderr, /after must be the id/);
  const nobody = await run(['tail'], { env: { ...env(), PUSHWIRE_URL: 'http://127.0.0.1:1' } });
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /cannot connect/);
});

test('what is too long ago is said, apart from the rows', async () => {
  const { stdout, stderr } = await run(['tail', '--no-follow', '--since', '30d'], { env: env() });
  assert.match(stderr, /^from \d{4}-\S+ to \S+ is too long ago/);
  assert.match(stdout, /^TIME[^]*evt_/);
});

test('the server ends cleanly', async () => {
  await receiver.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
