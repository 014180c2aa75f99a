// What a person at a terminal sees: tables that fit it, colours that may be off.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Server, click, run, runAtTerminal } from './harness.mjs';

const server = await Server.start();
const receiver = await Receiver.open((res) => res.writeHead(503).end('no\u001b[31m \u202Eway'));
const env = {
  PUSHWIRE_URL: server.url,
  PUSHWIRE_KEY: server.key,
  PUSHWIRE_CHANNEL: 'site',
  NO_COLOR: undefined,
  COLUMNS: undefined,
};
test.after(async () => {
  await receiver.close();
  await server.stop();
});

// Columns on the screen: colours none, wide characters two, marks that join another none.
const plain = (text) => text.replace(/\u001b\[[0-9;]*m/g, '');
const width = (line) => [...plain(line)].reduce((sum, c) =>
  sum + (/\p{Mn}/u.test(c) ? 0 : /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]|\p{Emoji_Presentation}/u.test(c) ? 2 : 1), 0);

const names = {
  plain: 'A name that is so long that no terminal of eighty columns has room for all of it',
  wide: '東京の店'.repeat(12),
  joined: 'e\u0301'.repeat(60),
  right: 'חנות בתל אביב '.repeat(8),
  turned: '\u202Eevil\u202C\u200F\u2028 and more\u001b[2J\u0007',
  emoji: '🛒'.repeat(50),
};
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const made = { webhooks: [], calls: [], events: [] };

test('there is something to show', async () => {
  await server.channel('site');
  for (const [id, name] of Object.entries(names)) {
    await server.must('POST', '/v1/channels', { body: { _id: id, name } });
    const webhook = await server.webhook('site', `${receiver.url}${'path/'.repeat(20)}${id}`, { description: name, secret, retry: { maxRetries: 1 } });
    made.webhooks.push(webhook._id);
  }
  for (let i = 0; i < 3; i++) made.events.push(...(await server.send('site', click('site', 'subscription-'.repeat(4) + i))));
  for (const event of made.events) {
    const calls = await server.callsOf('site', event, 'attempted', (call) => call.attempts === 1);
    made.calls.push(...calls.map((call) => call._id));
  }
});

const lists = {
  'channel list': () => Object.keys(names),
  'webhook list': () => made.webhooks,
  'call list': () => made.calls,
  'event list': () => made.events,
  'key list': () => [],
};

for (const columns of [60, 80, 200]) {
  test(`at ${columns} columns no row of a list is wider, and ids are whole`, async () => {
    for (const [command, ids] of Object.entries(lists)) {
      const { code, text } = await runAtTerminal(columns, command.split(' '), { env });
      assert.equal(code, 0, text);
      const lines = plain(text).split('\n');
      for (const line of lines.filter((each) => !each.startsWith('Too narrow'))) assert.ok(width(line) <= columns, `${command}: ${width(line)} columns: ${line}`);
      for (const id of ids()) assert.ok(lines.some((line) => line.startsWith(`${id} `)), `${command}: ${id}`);
      assert.doesNotMatch(plain(text), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e]/);
    }
  });

  test(`at ${columns} columns the tables inside a record fit, too`, async () => {
    const table = (text, title) => plain(text).split(`${title}:\n`)[1].split('\n\n')[0].split('\n')
      .filter((line) => !line.startsWith('    ')); // sentences below it
    const call = await runAtTerminal(columns, ['call', 'show', made.calls[0]], { env });
    for (const line of table(call.text, 'attemptLog')) assert.ok(width(line) <= columns, line);
    const event = await runAtTerminal(columns, ['event', 'show', made.events[0]], { env });
    for (const line of table(event.text, 'calls')) assert.ok(width(line) <= columns, line);
    assert.ok(made.calls.slice(0, 6).some((id) => table(event.text, 'calls').some((line) => line.includes(id))));
  });
}

test('a narrow terminal says which columns it has no room for, a wide one shows them', async () => {
  const narrow = await runAtTerminal(60, ['call', 'list'], { env });
  assert.match(plain(narrow.text), /Too narrow for ATTEMPTS, NEXT ATTEMPT: --json/);
  const wide = await runAtTerminal(200, ['call', 'list'], { env });
  assert.doesNotMatch(wide.text, /Too narrow/);
  assert.match(plain(wide.text), /waiting +1 +in \d+(min|s)/);
});

test('what goes to a file or a pipe is whole and has no colours', async () => {
  const { stdout } = await run(['webhook', 'list'], { env: { ...env, TERM: 'xterm', COLUMNS: '40' } });
  assert.ok(!stdout.includes('\u001b') && !stdout.includes('…'));
  assert.ok(stdout.includes('path/'.repeat(20)));
  assert.ok(stdout.includes(names.plain));
  const calls = (await run(['call', 'list'], { env })).stdout;
  assert.match(calls, /waiting +1 +\d{4}-\d\d-\d\dT/);
});

test('states and headings are coloured at a terminal, and only there', async () => {
  const colours = async (args, more) => {
    const { text, code } = await runAtTerminal(120, ['call', 'list', ...args], { env: { ...env, ...more } });
    assert.equal(code, 0, text);
    assert.match(plain(text), /waiting/);
    return text.includes('\u001b[');
  };
  assert.equal(await colours([]), true);
  assert.equal(await colours([], { NO_COLOR: '1' }), false);
  assert.equal(await colours([], { NO_COLOR: 'no' }), false);
  assert.equal(await colours([], { NO_COLOR: '' }), true);
  assert.equal(await colours([], { TERM: 'dumb' }), false);
  assert.equal(await colours(['--color', 'never']), false);
  assert.equal(await colours(['--color', 'always'], { NO_COLOR: '1' }), true);

  const piped = await run(['call', 'list', '--color', 'always'], { env });
  assert.match(piped.stdout, /\u001b\[1mID\u001b\[0m .*\n.*\u001b\[33mwaiting\u001b\[0m/);
  const shown = await run(['call', 'show', made.calls[0], '--color', 'always'], { env });
  assert.match(shown.stdout, /\u001b\[1mstate:\u001b\[0m +\u001b\[33mwaiting\u001b\[0m\n/);
  assert.match(shown.stdout, /\u001b\[33mtemporary\u001b\[0m/);
  const wrong = await run(['call', 'list', '--color', 'alwyas'], { env });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /did you mean always\?/);
});
