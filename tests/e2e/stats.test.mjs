// Figures against receivers whose behaviour is known; metrics, and what watches them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { ROOT, Receiver, Server, click, eventually, run } from './harness.mjs';

let server = await Server.start();
const good = await Receiver.open((res) => setTimeout(() => res.writeHead(204).end(), 40));
const bad = await Receiver.open((res) => res.writeHead(500).end());
await server.channel('site');
await server.channel('quiet');
const fine = await server.webhook('site', good.url);
const broken = await server.webhook('site', bad.url, { retry: { maxRetries: 0 } });
const lame = await server.webhook('site', bad.url);

const stats = (target, options) => server.must('GET', target, options);

await server.send('site', Array.from({ length: 20 }, (_, i) => click('site', `s-${i}`)));
await eventually('all attempts are recorded', async () =>
  (await stats('/v1/channels/site/stats?range=hour')).totals.attempts === 60);

test('a webhook has its events, attempts, failures and times', async () => {
  const { totals, series, webhook } = await stats(`/v1/channels/site/stats?range=hour&webhook=${fine._id}`);
  assert.equal(webhook, fine._id);
  assert.equal(totals.events, 20);
  assert.deepEqual([totals.attempts, totals.succeeded, totals.failed, totals.exhausted], [20, 20, 0, 0]);
  assert.equal(totals.successRate, 1);
  assert.ok(totals.latencyMs.p50 >= 36, 'no attempt took less than the receiver waits, to within a tenth');
  assert.ok(totals.latencyMs.p50 <= totals.latencyMs.p99 && totals.latencyMs.p99 <= totals.latencyMs.max);
  assert.equal(series.length, 60);
  assert.equal(series.reduce((sum, step) => sum + step.events, 0), 20);
});

test('a call without attempts left is exhausted, one with some waits', async () => {
  const none = await stats(`/v1/channels/site/stats?webhook=${broken._id}`);
  assert.deepEqual([none.totals.failed, none.totals.exhausted, none.backlog], [20, 20, 0]);
  assert.equal(none.totals.successRate, 0);
  const some = await stats(`/v1/channels/site/stats?webhook=${lame._id}`);
  assert.deepEqual([some.totals.failed, some.totals.exhausted, some.backlog], [20, 0, 20]);
  assert.equal(some.oldestDue, null, 'nothing is due for two minutes');
});

test('what waits is there in the step that is under way, and stays when nothing is sent', async () => {
  const { series } = await stats(`/v1/channels/site/stats?range=hour&webhook=${lame._id}`);
  assert.equal(series.at(-1).backlog, 20);
  assert.equal(series[0].backlog, 0, 'an hour ago there was no webhook');
  assert.equal((await stats('/v1/channels/quiet/stats?range=week')).series.at(-1).backlog, 0);
});

test('a channel is the sum of its webhooks, and all are the sum of channels', async () => {
  for (const target of ['/v1/channels/site/stats?range=day', '/v1/stats?range=week']) {
    const { totals, backlog } = await stats(target);
    assert.deepEqual([totals.events, totals.attempts, totals.succeeded, totals.failed, totals.exhausted],
      [20, 60, 20, 40, 20], target);
    assert.equal(totals.successRate, 0.333333);
    assert.equal(backlog, 20);
  }
  assert.equal((await stats('/v1/channels/quiet/stats')).totals.latencyMs, null);
  const { key } = await server.must('POST', '/v1/keys', { body: { role: 'read', channel: 'quiet' } });
  assert.equal((await stats('/v1/stats', { key })).totals.events, 0);
});

test('what a disabled webhook has is held', async () => {
  await server.must('PATCH', `/v1/channels/site/webhooks/${lame._id}`, { body: { enabled: false } });
  const { backlog, held } = await stats('/v1/channels/site/stats');
  assert.deepEqual([backlog, held], [0, 20]);
  const { series } = await stats('/v1/channels/site/stats?range=hour');
  assert.ok(series.at(-1).backlog >= 20, 'it is behind all the same');
});

test('webhooks are listed with their figures, page by page', async () => {
  const rows = await server.list('/v1/channels/site/webhooks/stats?range=hour', 2);
  assert.deepEqual(rows.map((row) => row.webhook), [fine._id, broken._id, lame._id]);
  assert.deepEqual(rows.map((row) => row.successRate), [1, 0, 0]);
  assert.deepEqual(rows.map((row) => row.held), [0, 0, 20]);
  assert.deepEqual(rows.map((row) => row.enabled), [true, true, false]);
});

test('figures are still there after a restart', async () => {
  const before = await stats('/v1/channels/site/stats?range=day');
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  server = await server.again();
  const after = await stats('/v1/channels/site/stats?range=day');
  assert.deepEqual(after.totals, before.totals);
  const highest = ({ series }) => Math.max(...series.map((step) => step.backlog));
  assert.equal(highest(after), highest(before));
});

test('the command shows them as a table with bars, or as they are', async () => {
  const env = { PUSHWIRE_URL: server.url, PUSHWIRE_KEY: server.key };
  const show = async (args, more = {}) => {
    const done = await run(['stats', ...args], { env: { ...env, ...more } });
    assert.equal(done.code, 0, done.stderr);
    return done.stdout;
  };
  const table = await show(['--channel', 'site', '--range', 'hour'], { LC_ALL: 'C.UTF-8' });
  assert.match(table, /^events +20 +·*[▁-█]/mu);
  assert.match(table, /^success rate +33\.3333 %/m);
  assert.match(table, /^held +20/m);
  assert.match(table, /^backlog +0 +·*[▁-█]/mu);
  const plain = await show([], { LC_ALL: 'C', COLUMNS: '60' });
  assert.match(plain, /^failed +40 +\.*#\.*$/m);
  assert.doesNotMatch(plain, /[^\x20-\x7e\n]/);
  for (const line of plain.split('\n')) assert.ok(line.trimEnd().length < 60, line);
  const raw = JSON.parse(await show(['--channel', 'site', '--webhook', fine._id, '--json']));
  assert.equal(raw.totals.events, 20);
  const without = await run(['stats', '--webhook', fine._id], { env });
  assert.equal(without.code, 2);
  const each = await run(['webhook', 'stats', '--channel', 'site'], { env });
  assert.match(each.stdout, new RegExp(`${broken._id} +20 .*${bad.url}`));
});

// ---- metrics ----

const metrics = async () => (await server.call('GET', '/metrics', { key: null })).text;
const series = (text) => [...text.matchAll(/^([a-z][^ ]*) /gm)].map(([, name]) => name).sort();
const names = (text) => [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];

test('metrics are the same series however many webhooks and channels there are', async () => {
  const before = series(await metrics());
  for (let i = 0; i < 50; i++) {
    await server.channel(`many-${i}`);
    await Promise.all(Array.from({ length: 4 }, (_, n) => server.webhook(`many-${i}`, `${good.url}${i}/${n}`)));
  }
  const [id] = await server.send('many-0', click('many-0', 's'));
  await server.callsOf('many-0', id, 'succeeded', ({ state }) => state === 'succeeded');
  assert.deepEqual(series(await metrics()), before);
});

test('docs/operating.md says what each metric is, and of no other', async () => {
  const page = readFileSync(path.join(ROOT, 'docs/operating.md'), 'utf8');
  const said = [...page.matchAll(/^\| `((?:pushwire|process)_\w+)(?:\{(\w+)\})?` \| (\w+) \|/gm)]
    .map(([, name, label, type]) => `${name} ${label ?? ''} ${type}`);
  const text = await metrics();
  const there = names(text).map(([, name, type]) => {
    const [, label] = text.match(new RegExp(`^${name}\\{(\\w+)=`, 'm')) ?? [];
    return `${name} ${label ?? ''} ${type}`;
  });
  assert.deepEqual(said.sort(), there.sort());
});

// Every metric in the queries is one that there is, and so is every label's value.
function checkQueries(queries, text) {
  const known = new Map(names(text).map(([, name, type]) => [name, type]));
  let n = 0;
  for (const query of queries) {
    for (const [, name, selector] of query.matchAll(/\b((?:pushwire|process)_\w+)(?:\{([^}]*)\})?/g)) {
      const base = name.replace(/_(bucket|sum|count)$/, '');
      assert.ok(known.get(name) || known.get(base) === 'histogram', `${name} in ${query}`);
      for (const [, label, value] of (selector ?? '').matchAll(/(\w+)!?=~?"([^"]*)"/g)) {
        if (label === 'instance' || label === 'job') continue; // Prometheus adds them
        for (const each of value.split('|')) assert.match(text, new RegExp(`^${name}\\{${label}="${each}"`, 'm'));
      }
      n++;
    }
  }
  return n;
}

test('the Grafana dashboard asks for nothing that there is not, and for all there is', async () => {
  const board = JSON.parse(readFileSync(path.join(ROOT, 'docs/grafana/pushwire.json'), 'utf8'));
  const text = await metrics();
  const panels = board.panels.filter(({ type }) => type !== 'row');
  const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  assert.ok(board.schemaVersion >= 38, 'of Grafana 10 or newer');
  assert.ok(checkQueries(queries, text) >= queries.length);
  checkQueries(board.templating.list.map(({ definition }) => definition ?? ''), text);
  for (const [, name] of names(text)) assert.ok(queries.some((query) => query.includes(name)), name);
  assert.equal(new Set(board.panels.map(({ id }) => id)).size, board.panels.length);
  for (const { datasource, targets } of panels) {
    for (const each of [datasource, ...targets.map((target) => target.datasource)]) {
      assert.equal(each.uid, '${datasource}');
    }
  }
});

test('so do the alert rules', async () => {
  const rules = readFileSync(path.join(ROOT, 'docs/grafana/alerts.yml'), 'utf8');
  const queries = [...rules.matchAll(/^ +expr: (.*)$/gm)].map(([, query]) => query);
  assert.equal(queries.length, [...rules.matchAll(/- alert:/g)].length);
  assert.ok(checkQueries(queries, await metrics()) >= queries.length);
  for (const name of ['pushwire_calls', 'pushwire_oldest_due_seconds', 'pushwire_disk_room', 'pushwire_stalled']) {
    assert.ok(queries.some((query) => query.includes(name)), name);
  }
});

test('the server ends cleanly', async () => {
  await good.close();
  await bad.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
