// The program as a process: its options, its lock, its end.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Receiver, Server, click, eventually, pause, run, temporaryFolder } from './harness.mjs';

test('a second process on the same data is refused and harms nothing', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const second = await run(['serve', '--listen', '127.0.0.1:0', '--data', server.data, '--dev']);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another pushwire is using/);
  assert.doesNotMatch(second.stdout, /listening/);
  await server.channel('still-works');
});

test('the lock of a killed process is no lock', async (t) => {
  const server = await Server.start();
  await server.stop('SIGKILL');
  const again = await server.again();
  t.after(() => again.stop());
  assert.equal(again.key, server.key);
});

test('an address that is taken is refused with its name', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const address = new URL(server.url).host;
  const second = await run(['serve', '--listen', address, '--data', path.join(temporaryFolder(), 'd')]);
  assert.equal(second.code, 1);
  assert.ok(second.stderr.includes(address), second.stderr);
});

test('certificates that cannot be read are refused before anything listens', async () => {
  const folder = temporaryFolder();
  const empty = path.join(folder, 'empty.pem');
  writeFileSync(empty, '');
  for (const [file, why] of [['/nope', 'No such file or directory'], [folder, 'Is a directory'], [empty, 'is empty']]) {
    const refused = await run(['serve', '--listen', '127.0.0.1:0', '--data', path.join(folder, 'd'), '--ca-file', file]);
    assert.equal(refused.code, 1, file);
    assert.ok(refused.stderr.includes(`--ca-file ${file}: `) && refused.stderr.includes(why), refused.stderr);
    assert.doesNotMatch(refused.stdout, /listening/);
  }
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} finishes what is in flight and exits 0`, async (t) => {
    const server = await Server.start();
    await server.channel('c');
    const open = [];
    const receiver = await Receiver.open((res) => open.push(res));
    t.after(() => receiver.close());
    await server.webhook('c', receiver.url);
    const [id] = await server.send('c', click('c', 's'));
    await receiver.of(id);
    server.signal(signal);
    await eventually('no new connection is taken', async () => {
      try {
        return (await server.call('GET', '/readyz')).status === 503;
      } catch {
        return true;
      }
    });
    assert.equal(server.end, undefined);
    open[0].writeHead(200).end();
    assert.deepEqual(await server.finish(), { code: 0, signal: null });
    const again = await server.again();
    t.after(() => again.stop());
    assert.equal((await again.callOf('c', id, 'succeeded')).attempts, 1);
    assert.equal(receiver.calls.length, 1);
  });
}

test('SIGHUP ends nothing: the log says what was read again', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  server.signal('SIGHUP');
  await server.line(/SIGHUP: /);
  await server.channel('still-works');
});

test('a receiver that hangs does not hold the end up: its call is given back', async (t) => {
  const server = await Server.start({ args: ['--drain', '1s'] });
  await server.channel('c');
  let hang = true;
  const receiver = await Receiver.open((res) => (hang ? null : res.end()));
  t.after(() => receiver.close());
  await server.webhook('c', receiver.url);
  const [id] = await server.send('c', click('c', 's'));
  await receiver.of(id);
  const began = process.hrtime.bigint();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  // The deadline of an attempt is 15 s: it was not waited for.
  assert.ok(Number(process.hrtime.bigint() - began) / 1e9 < 12);
  hang = false;
  const again = await server.again();
  t.after(() => again.stop());
  const call = await again.callOf('c', id, 'succeeded');
  assert.equal(call.attempts, 1, 'what was given back cost no attempt');
  await receiver.count(2);
});

test('a second SIGTERM ends the wait: nothing is lost, the attempt is made again', async (t) => {
  const server = await Server.start();
  await server.channel('c');
  let hang = true;
  const receiver = await Receiver.open((res) => (hang ? null : res.end()));
  t.after(() => receiver.close());
  await server.webhook('c', receiver.url);
  const [id] = await server.send('c', click('c', 's'));
  await receiver.of(id);
  server.signal('SIGTERM');
  await eventually('it ends', () => {
    server.signal('SIGTERM');
    return server.end;
  });
  hang = false;
  const again = await server.again();
  t.after(() => again.stop());
  await again.callOf('c', id, 'succeeded');
});

test('ten ends under load repeat nothing that was finished', async (t) => {
  const args = ['--drain-rate', '0', '--drain-total', '0'];
  let server = await Server.start({ args });
  await server.channel('c');
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  await server.webhook('c', receiver.url);
  const acknowledged = [];
  let n = 0;
  for (let round = 0; round < 10; round++) {
    let ending = false;
    const posting = Array.from({ length: 4 }, async () => {
      for (;;) {
        // Events may come in faster than calls go out: the load must not grow for that.
        while (!ending && acknowledged.length - receiver.calls.length > 1000) await pause(5);
        const batch = Array.from({ length: 20 }, () => click('c', `s${n++}`));
        try {
          const answer = await server.call('POST', '/v1/channels/c/events', { body: batch });
          if (answer.status !== 202) return; // it is ending
          acknowledged.push(...answer.json.data.map((event) => event._id));
        } catch {
          return;
        }
      }
    });
    await receiver.count(acknowledged.length + 200 + Math.floor(Math.random() * 200));
    ending = true;
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    await Promise.all(posting);
    server = await server.again({ args });
  }
  t.after(() => server.stop());
  await receiver.arrivals.until('every acknowledged event', (all) => {
    if (all.length < acknowledged.length) return false;
    const got = new Set(all.map((call) => call.id));
    return acknowledged.every((id) => got.has(id));
  });
  const times = new Map();
  for (const call of receiver.calls) times.set(call.id, (times.get(call.id) ?? 0) + 1);
  assert.deepEqual([...times].filter(([, count]) => count > 1), []);
});

// ---- options ----

const folder = temporaryFolder();
const data = path.join(folder, 'data');
const serve = (args, options) => run(['serve', '--data', data, ...args], { cwd: folder, ...options });

test('a wrong option is refused with what it may have meant', async () => {
  for (const [args, pattern] of [
    [['--lisen', 'x'], /--listen/], [['--windw', '3'], /--window/], [['--window', 'many'], /window/],
    [['--window', '0'], /window/], [['--window'], /window/], [['--max-request', '1XB'], /max-request/],
    [['--deadline', '5 parsecs'], /deadline/], [['--log', 'xml'], /text.*json|json.*text/],
    [['--listen', 'nowhere'], /listen/], [['--listen', '127.0.0.1:99999'], /listen/],
    [['--allow', 'nonsense'], /--allow nonsense/], [['--deny', '10.0.0.0/40'], /--deny/],
    [['--ports', '443,0'], /--ports/], [['--dns', 'nowhere:x'], /--dns/],
  ]) {
    const { code, stderr } = await serve(args);
    assert.equal(code, 2, `${args}: ${stderr}`);
    assert.match(stderr, pattern);
  }
});

test('a wrong line of the configuration file is named', async () => {
  const file = path.join(folder, 'pushwire.conf');
  for (const [text, pattern] of [
    ['# fine\nwindow = 3\nwindou = 4\n', /:3\b.*window|line 3.*window/s],
    ['window = 3\nslots = many\n', /:2\b|line 2/], ['window 3\n', /:1\b|line 1/],
  ]) {
    writeFileSync(file, text);
    const { code, stderr } = await serve(['--config', file]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, pattern);
  }
  const missing = await serve(['--config', path.join(folder, 'missing.conf')]);
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /missing\.conf/);
});

test('a wrong variable of the environment is refused by its name', async () => {
  const { code, stderr } = await serve([], { env: { PUSHWIRE_WINDOW: 'many' } });
  assert.equal(code, 2);
  assert.match(stderr, /PUSHWIRE_WINDOW/);
});

test('an option comes from the flag, else the environment, else the file', async (t) => {
  const file = path.join(folder, 'order.conf');
  writeFileSync(file, 'max-events = 1\n');
  const accepts = async (options, n) => {
    const server = await Server.start(options);
    t.after(() => server.stop());
    await server.channel('c');
    const batch = (count) => Array.from({ length: count }, () => click('c', 's'));
    const status = async (count) => (await server.call('POST', '/v1/channels/c/events', { body: batch(count) })).status;
    assert.deepEqual([await status(n), await status(n + 1)], [202, 413]);
  };
  await accepts({ args: ['--config', file] }, 1);
  await accepts({ args: ['--config', file], env: { PUSHWIRE_MAX_EVENTS: '2' } }, 2);
  await accepts({ args: ['--config', file, '--max-events', '3'], env: { PUSHWIRE_MAX_EVENTS: '2' } }, 3);
});

test('every attempt is one line of JSON with fixed keys', async (t) => {
  const server = await Server.start({ args: ['--log', 'json'] });
  t.after(() => server.stop());
  await server.channel('c');
  const receiver = await Receiver.open((res) => res.writeHead(503).end());
  t.after(() => receiver.close());
  const webhook = await server.webhook('c', receiver.url);
  const [id] = await server.send('c', click('c', 's'));
  const [text] = await server.line(new RegExp(`^.*${id}.*$`));
  const line = JSON.parse(text);
  const values = Object.values(line);
  assert.ok(values.includes(id) && values.includes(webhook._id), text);
  assert.ok(values.includes(503) || values.includes('503'), text);
});
