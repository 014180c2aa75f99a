// Many calls mended in one action: replayed, tried again, cancelled; by jobs that outlive the program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { BIN, Receiver, Server, cleanEnv, click, eventually, run as command, within } from './harness.mjs';

const FAST = ['--drain-rate', '0', '--drain-total', '0'];
const ONCE = { maxRetries: 0 };
const START = '2024-01-01T00:00:00Z';

const server = await Server.start({ args: FAST });
let made = 0;

async function setting(t, answer) {
  const channel = await server.channel(`c${++made}`);
  const receiver = await Receiver.open(answer);
  t.after(() => receiver.close());
  return { channel, receiver, at: `/v1/channels/${channel}` };
}

const clicks = (channel, n, from = 0) =>
  JSON.stringify(Array.from({ length: n }, (_, i) => click(channel, `s${from + i}`)));
const ended = (at, job, on = server) => eventually(`${job._id} has ended`, async () => {
  const now = await on.must('GET', `${at}/jobs/${job._id}`);
  return ['done', 'failed', 'cancelled'].includes(now.state) && now;
});
const post = (target, body) => server.must('POST', target, { body });
const idsOf = (receiver) => receiver.calls.map((call) => call.id);

async function run(at, target, body) {
  const dry = await ended(at, await post(`${at}${target}`, { ...body, dryRun: true }));
  const job = await ended(at, await post(`${at}${target}`, body));
  assert.equal(dry.done, 0);
  assert.equal(dry.matched, job.matched, 'a dry run counts what a run does');
  assert.equal(job.progress, 1);
  assert.ok(job.finishedAt >= job.createdAt);
  return job;
}

test('a replay tries now what waits for its next attempt', async (t) => {
  const { channel, receiver, at } = await setting(t);
  let up = false;
  receiver.answer = (res) => res.writeHead(up ? 204 : 500).end();
  const webhook = await server.webhook(channel, receiver.url);
  const ids = await server.send(channel, clicks(channel, 20));
  for (const id of ids) await server.callsOf(channel, id, 'tried', (call) => call.attempts === 1);
  up = true;
  const job = await run(at, `/webhooks/${webhook._id}/replay`, { since: START });
  assert.deepEqual([job.state, job.done], ['done', 20]);
  for (const id of ids) await server.callsOf(channel, id, 'over', (call) => call.state === 'succeeded');
});

test('a replay brings what came before the webhook was there, oldest first', async (t) => {
  const { channel, receiver, at } = await setting(t);
  const ids = await server.send(channel, clicks(channel, 300));
  const [other] = await server.send(channel, click(channel, 'x', { type: 'delivery' }));
  const webhook = await server.webhook(channel, receiver.url, { events: ['click'] });
  const job = await run(at, `/webhooks/${webhook._id}/replay`, { since: START, pace: 10000 });
  assert.deepEqual([job.kind, job.state, job.matched, job.done, job.skipped], ['replay', 'done', 300, 300, 0]);
  assert.equal(job.webhook, webhook._id);
  assert.deepEqual(job.states, ['waiting', 'succeeded', 'failed', 'cancelled', 'missing']);
  assert.deepEqual(job.types, ['click'], "the webhook's own filter");
  await receiver.count(300);
  assert.deepEqual(new Set(idsOf(receiver)), new Set(ids), 'the id stays that of the event');
  assert.ok(!idsOf(receiver).includes(other));
  // Those that have gone can go again; what is missing, no more.
  const missing = await run(at, `/webhooks/${webhook._id}/replay`, { since: START, states: ['missing'] });
  assert.equal(missing.matched, 0);
  await server.callsOf(channel, ids[299], 'over', (call) => call.state === 'succeeded');
  const again = await run(at, `/webhooks/${webhook._id}/replay`, { since: START, states: ['succeeded'], pace: 10000 });
  assert.ok(again.done > 0);
  const wider = await run(at, `/webhooks/${webhook._id}/replay`, { since: START, types: ['delivery'] });
  assert.equal(wider.done, 1);
  await receiver.of(other);
});

test('one window of one call receives a replay in the order of the events', async (t) => {
  const narrow = await Server.start({ args: [...FAST, '--window', '1'] });
  const receiver = await Receiver.open();
  t.after(async () => { await receiver.close(); await narrow.stop(); });
  const channel = await narrow.channel('c');
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push(...await narrow.send(channel, clicks(channel, 100, i * 100)));
  const webhook = await narrow.webhook(channel, receiver.url);
  await narrow.must('POST', `/v1/channels/c/webhooks/${webhook._id}/replay`, { body: { since: START, pace: 10000 } });
  await receiver.count(500);
  assert.deepEqual(idsOf(receiver), ids);
});

test('all that failed is tried again, by what it failed with', async (t) => {
  const answer = { status: 500 };
  const { channel, receiver, at } = await setting(t, (res) => res.writeHead(answer.status).end());
  const webhook = await server.webhook(channel, receiver.url, { retry: ONCE });
  const first = await server.send(channel, clicks(channel, 20));
  for (const id of first) await server.callOf(channel, id, 'failed');
  answer.status = 404;
  const second = await server.send(channel, clicks(channel, 10, 20));
  for (const id of second) await server.callOf(channel, id, 'failed');
  answer.status = 204;
  const some = await run(at, '/calls/retry', { webhook: webhook._id, error: 'Status 404' });
  assert.deepEqual([some.kind, some.states, some.done, some.error], ['retry', ['failed'], 10, 'Status 404']);
  for (const id of second) await server.callOf(channel, id, 'succeeded');
  assert.equal((await server.list(`${at}/calls?state=failed`)).length, 20);
  const one = await run(at, '/calls/retry', { since: START, subscription: 's3' });
  assert.equal(one.done, 1);
  const [call] = (await server.must('GET', `${at}/events/${first[0]}`)).calls;
  const named = await run(at, '/calls/retry', { ids: [call._id, call._id, 'call_0000000000001_0000000000001'] });
  assert.deepEqual([named.matched, named.done, named.skipped], [1, 1, 1]);
  const rest = await run(at, '/calls/retry', { webhook: webhook._id });
  assert.equal(rest.done, 18);
  for (const id of first) await server.callOf(channel, id, 'succeeded');
});

test('what waits is cancelled, one or many, and comes again only when it is asked for', async (t) => {
  const { channel, receiver, at } = await setting(t, (res) => res.writeHead(503).end());
  const webhook = await server.webhook(channel, receiver.url);
  const held = await server.webhook(channel, receiver.url, { enabled: false });
  const ids = await server.send(channel, clicks(channel, 30));
  await eventually('each was tried', async () =>
    (await server.list(`${at}/calls?webhook=${webhook._id}`)).every((call) => call.attempts > 0));
  const [one] = (await server.must('GET', `${at}/events/${ids[0]}`)).calls.filter((call) => call.webhook === webhook._id);
  assert.deepEqual(await post(`${at}/calls/${one._id}/cancel`), { _id: one._id, state: 'cancelled' });
  const twice = await server.call('POST', `${at}/calls/${one._id}/cancel`);
  assert.equal(twice.status, 409);
  assert.match(twice.json.detail, /ended, or is cancelled already/);
  const job = await run(at, '/calls/cancel', { webhook: webhook._id });
  assert.deepEqual([job.kind, job.done, job.states], ['cancel', 29, ['waiting', 'held']]);
  const others = await run(at, '/calls/cancel', { since: START });
  assert.equal(others.done, 30, 'those that are held, too');
  assert.equal((await server.list(`${at}/calls?state=cancelled`)).length, 60);
  receiver.answer = (res) => res.writeHead(204).end();
  await post(`${at}/calls/${one._id}/retry`);
  await server.callsOf(channel, ids[0], 'there', (call) =>
    call.state === (call.webhook === webhook._id ? 'succeeded' : 'cancelled'));
  const back = await run(at, '/calls/retry', { webhook: webhook._id, states: ['cancelled'] });
  assert.equal(back.done, 29);
  for (const id of ids) {
    await server.callsOf(channel, id, 'there', (call) =>
      call.state === (call.webhook === held._id ? 'cancelled' : 'succeeded'));
  }
});

test('a call that is cancelled while it is under way is recorded, and not tried again', async (t) => {
  let answer;
  const { channel, receiver, at } = await setting(t, (res) => { answer = res; });
  await server.webhook(channel, receiver.url);
  const [id] = await server.send(channel, clicks(channel, 1));
  await receiver.of(id);
  const [call] = (await server.must('GET', `${at}/events/${id}`)).calls;
  await post(`${at}/calls/${call._id}/cancel`);
  answer.writeHead(503).end();
  const shown = await eventually('its attempt is there', async () => {
    const now = await server.must('GET', `${at}/calls/${call._id}`);
    return now.attempts === 1 && now;
  });
  assert.equal(shown.state, 'cancelled');
  assert.equal(shown.attemptLog[0].status, 503);
});

test('a job can be paused, resumed and cancelled, and what has ended cannot', async (t) => {
  const { channel, receiver, at } = await setting(t);
  await server.send(channel, clicks(channel, 100));
  const webhook = await server.webhook(channel, receiver.url);
  const job = await post(`${at}/webhooks/${webhook._id}/replay`, { since: START, pace: 1 });
  assert.deepEqual([job.state, job.pace, job.finishedAt, job.reason], ['running', 1, null, null]);
  const target = `${at}/jobs/${job._id}`;
  assert.equal((await post(`${target}/pause`)).state, 'paused');
  assert.equal((await post(`${target}/pause`)).state, 'paused', 'and again');
  const paused = await server.must('GET', target);
  assert.ok(paused.done < 100);
  assert.equal((await post(`${target}/resume`)).state, 'running');
  assert.equal((await post(`${target}/cancel`)).state, 'cancelled');
  for (const verb of ['pause', 'resume', 'cancel']) {
    assert.equal((await server.call('POST', `${target}/${verb}`)).status, 409);
  }
  const jobs = await server.list(`${at}/jobs`, 1);
  assert.deepEqual(jobs.map((each) => each._id), [job._id]);
  assert.equal((await server.call('GET', `${at}/jobs/job_0000000000001`)).status, 404);
});

test('so many jobs run in a channel, and no more', async (t) => {
  const { channel, receiver, at } = await setting(t);
  await server.send(channel, clicks(channel, 100));
  const webhook = await server.webhook(channel, receiver.url);
  const replay = { body: { since: START, pace: 1 } };
  const jobs = [];
  for (let i = 0; i < 16; i++) jobs.push(await post(`${at}/webhooks/${webhook._id}/replay`, replay.body));
  const more = await server.call('POST', `${at}/webhooks/${webhook._id}/replay`, replay);
  assert.equal(more.status, 429);
  assert.ok(Number(more.headers['retry-after']) > 0);
  assert.match(more.json.detail, /16 jobs of this channel are running/);
  for (const job of jobs) await post(`${at}/jobs/${job._id}/cancel`);
  assert.equal((await server.call('POST', `${at}/webhooks/${webhook._id}/replay`, replay)).status, 202);
});

test('a replay to a disabled webhook is held and says so; one to a deleted webhook fails', async (t) => {
  const { channel, receiver, at } = await setting(t);
  await server.send(channel, clicks(channel, 5));
  const webhook = await server.webhook(channel, receiver.url, { enabled: false });
  const job = await post(`${at}/webhooks/${webhook._id}/replay`, { since: START });
  assert.match(job.reason, /disabled: its calls are held/);
  await ended(at, job);
  assert.equal((await server.list(`${at}/calls?state=held`)).length, 5);
  const slow = await post(`${at}/webhooks/${webhook._id}/replay`, { since: START, states: ['cancelled'], pace: 1 });
  await ended(at, slow);
  await server.must('PATCH', `${at}/webhooks/${webhook._id}`, { body: { enabled: true } });
  await receiver.count(5);
  const last = await post(`${at}/webhooks/${webhook._id}/replay`, { since: START, pace: 1 });
  await server.call('DELETE', `${at}/webhooks/${webhook._id}`);
  const failed = await ended(at, last);
  assert.deepEqual([failed.state, failed.reason], ['failed', 'the webhook was deleted']);
});

test('what is asked for wrongly is said with its place', async (t) => {
  const { channel, receiver, at } = await setting(t);
  const webhook = await server.webhook(channel, receiver.url);
  const rows = [
    ['/calls/retry', {}, undefined, /needs ids, or at least one of webhook and since/],
    ['/calls/retry', { error: 'x' }, undefined, /needs ids/],
    ['/calls/retry', { ids: ['call_x'] }, '/ids/0', /id of a call/],
    ['/calls/retry', { ids: [] }, '/ids', /empty/],
    ['/calls/retry', { ids: ['call_0000000000001_0000000000001'], since: START }, undefined, /nothing else/],
    ['/calls/retry', { ids: Array(1001).fill('call_0000000000001_0000000000001') }, '/ids', /1000/],
    ['/calls/cancel', { since: START, states: ['failed'] }, '/states/0', /one of waiting, held/],
    ['/calls/retry', { since: START, states: ['missing'] }, '/states/0', /must be one of/],
    [`/webhooks/${webhook._id}/replay`, {}, '/since', /missing/],
    [`/webhooks/${webhook._id}/replay`, { since: 'yesterday' }, '/since', /must be a time/],
    [`/webhooks/${webhook._id}/replay`, { since: '2024-02-01T00:00:00Z', until: START }, '/until', /after since/],
    [`/webhooks/${webhook._id}/replay`, { since: START, pace: 0 }, '/pace', /1 to 10000/],
    [`/webhooks/${webhook._id}/replay`, { since: START, types: ['clock'] }, '/types/0', /click/],
    [`/webhooks/${webhook._id}/replay`, { since: START, ids: ['x'] }, '/ids', /./],
    [`/webhooks/${webhook._id}/replay`, { since: START, states: ['held'] }, '/states/0', /missing/],
    ['/calls/retry', { since: START, error: 'x'.repeat(201) }, '/error', /200 bytes/],
  ];
  for (const [target, body, place, detail] of rows) {
    const answer = await server.call('POST', `${at}${target}`, { body });
    assert.equal(answer.status, 400, `${target} ${JSON.stringify(body)}: ${answer.text}`);
    if (place) assert.equal(answer.json.path, place);
    assert.match(answer.json.detail, detail);
  }
  assert.equal((await server.call('POST', `${at}/webhooks/wh_0000000000001/replay`, { body: { since: START } })).status, 404);
  assert.equal((await server.call('POST', `${at}/calls/retry`, { body: { webhook: 'wh_0000000000001' } })).status, 404);
});

test('the command line replays, retries and cancels, and waits for it', async (t) => {
  const answer = { status: 500 };
  const { channel, receiver, at } = await setting(t, (res) => res.writeHead(answer.status).end());
  const webhook = await server.webhook(channel, receiver.url, { retry: ONCE });
  const ids = await server.send(channel, clicks(channel, 12));
  for (const id of ids) await server.callOf(channel, id, 'failed');
  answer.status = 204;
  const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key };
  const told = async (...args) => {
    const { code, stdout, stderr } = await command([...args, '--channel', channel], { env });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.equal(await told('call', 'retry', '--failed', '--dry-run'), '12 calls fit; nothing was done.\n');
  const [one, two, three] = await server.list(`${at}/calls?state=failed`);
  assert.equal(await told('call', 'retry', one._id), 'will be tried now\n');
  assert.equal(await told('call', 'retry', two._id, three._id, '--wait'), '2 calls put in order.\n');
  assert.equal(await told('call', 'retry', '--webhook', webhook._id, '--error', '500', '--wait'), '9 calls put in order.\n');
  const id = (await told('webhook', 'replay', webhook._id, '--since', '1h', '--type', 'click', '--pace', '1')).split(' ')[0];
  assert.match(await told('job', 'list'), new RegExp(`${id} +replay +running`));
  assert.equal(await told('job', 'pause', id), 'paused\n');
  assert.match(await told('job', 'show', id), /state: +paused/);
  assert.equal(await told('job', 'resume', id), 'running\n');
  assert.equal(await told('job', 'cancel', id), 'cancelled\n');
  const gone = await command(['job', 'wait', id, '--channel', channel], { env });
  assert.equal(gone.code, 1);
  assert.match(gone.stdout, /^The job is cancelled\. \d+ calls? put in order/);
  const json = JSON.parse(await told('webhook', 'replay', webhook._id, '--since', '1h', '--state', 'missing', '--wait', '--json'));
  assert.deepEqual([json.state, json.done], ['done', 0]);
  await server.must('PATCH', `${at}/webhooks/${webhook._id}`, { body: { enabled: false } });
  await server.send(channel, clicks(channel, 3));
  assert.equal(await told('call', 'cancel', '--webhook', webhook._id, '--wait'), '3 calls cancelled.\n');
  for (const words of [['call', 'retry'], ['call', 'cancel', one._id, '--since', '1h'], ['call', 'cancel', '--state', 'held'],
    ['webhook', 'replay', webhook._id], ['webhook', 'replay', webhook._id, '--since', '1h', '--state', 'held']]) {
    assert.equal((await command([...words, '--channel', channel], { env })).code, 2, words.join(' '));
  }
});

test('a terminal shows how far a job is', async (t) => {
  const { channel, receiver } = await setting(t);
  await server.send(channel, clicks(channel, 60));
  const webhook = await server.webhook(channel, receiver.url);
  const script = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
  const child = spawn('python3', ['-c', script, BIN, 'webhook', 'replay', webhook._id, '--channel', channel, '--since', '1h', '--pace', '40', '--wait'],
    { env: { ...cleanEnv({ PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key }), COLUMNS: '80' }, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (part) => { said += part; });
  const [code] = await within(once(child, 'close'), 'the program in its terminal');
  assert.equal(code, 0, said);
  assert.match(said, /\r\[[#-]+\] +\d+ %  \d+ calls[^]*\r\[#+\] 100 %  60 calls[^\r]*\x1b\[K\r\n60 calls put in order\./);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test('a replay goes on where a kill -9 found it, and loses and repeats nothing by itself', async (t) => {
  const EVENTS = 20_000;
  // What may have been answered and not yet recorded when the program was killed.
  const UNRECORDED = 32 + 512;
  let here = await Server.start({ args: FAST });
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  const channel = await here.channel('c');
  const sent = new Set();
  for (let i = 0; i < EVENTS; i += 1000) {
    for (const id of await here.send(channel, clicks(channel, 1000, i))) sent.add(id);
  }
  const webhook = await here.webhook(channel, receiver.url);
  const job = await here.must('POST', `/v1/channels/c/webhooks/${webhook._id}/replay`,
    { body: { since: START, pace: 10_000 } });
  const target = `/v1/channels/c/jobs/${job._id}`;
  let before = 0;
  for (const part of [0.2, 0.5]) {
    await receiver.count(EVENTS * part);
    before = (await here.must('GET', target)).done;
    assert.ok(before < EVENTS, 'it is killed in the middle');
    await here.stop('SIGKILL');
    here = await here.again({ args: FAST });
    const after = await here.must('GET', target);
    assert.ok(after.done >= before, `${after.done} after ${before}`);
    assert.equal(after.state, 'running');
  }
  const done = await ended('/v1/channels/c', job, here);
  assert.deepEqual([done.state, done.done, done.matched, done.skipped], ['done', EVENTS, EVENTS, 0]);
  await eventually('nothing waits any more', async () =>
    (await here.must('GET', '/v1/channels/c/calls?state=waiting&limit=1')).data.length === 0);
  const arrived = new Set(idsOf(receiver));
  assert.equal(arrived.size, EVENTS);
  assert.ok([...sent].every((id) => arrived.has(id)));
  const repeats = receiver.calls.length - EVENTS;
  assert.ok(repeats <= 2 * UNRECORDED, `${repeats} repeats`);
  await here.stop();
});
