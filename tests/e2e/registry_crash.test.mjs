// kill -9 at random moments while devices change: what all events together say is what the
// subscriptions are, so that there is never a change without its event nor an event without its
// change; and every change that was acknowledged is there.
import assert from 'node:assert/strict';
import test from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { Receiver, Server, eventually, pause } from './harness.mjs';
import { AndroidSdk, CONFIG, IosSdk, UNLIMITED, WebSdk } from './sdk.mjs';

const ROUNDS = Number(process.env.PUSHWIRE_REGISTRY_CRASH_ROUNDS ?? 15);
const SEED = Number(process.env.PUSHWIRE_CRASH_SEED ?? Date.now() % 1_000_000);
const DEVICES = 4; // of each SDK

// mulberry32
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const sorted = (list) => [...list].sort();

// ---- a device ----

const NOBODY = { active: false, topics: [], tags: [], attributes: {} };

// A person who does one thing after the other. `state` is what has been acknowledged; `next` what
// it would be with what is under way.
class Device {
  constructor(Kind, n, draw) {
    this.Kind = Kind;
    this.n = n;
    this.draw = draw;
    this.state = this.next = NOBODY;
    this.reports = new Set(); // that were acknowledged, as told by their events
    this.tried = new Set(); // that were sent
    this.acknowledged = 0;
  }

  // The same device at the server that came after a crash.
  connect(server) {
    const { sdk } = this;
    this.sdk = new this.Kind(server.url, 'c');
    if (!sdk) return;
    for (const name of ['push', 'id', 'topics', 'topicsVersion', 'visits']) this.sdk[name] = sdk[name];
  }

  pick(list) {
    return list[Math.floor(this.draw() * list.length)];
  }

  // What it does next, and what that makes of it.
  choose() {
    const { sdk, state, draw } = this;
    if (!state.active) {
      return [{ ...state, active: true }, () => sdk.sync()];
    }
    const topic = `t${Math.floor(draw() * 6)}`;
    const tag = `g${Math.floor(draw() * 3)}`;
    const name = `a${Math.floor(draw() * 3)}`;
    const value = `v${Math.floor(draw() * 4)}`;
    const has = state.topics.includes(topic);
    const others = state.topics.filter((each) => each !== topic);
    const { [name]: old, ...rest } = state.attributes;
    const list = Array.isArray(old) ? old : [];
    const set = (values) => ({ ...state, attributes: { ...rest, ...values } });
    return this.pick([
      () => [state, () => sdk.sync()],
      () => [{ ...state, topics: has ? state.topics : [...state.topics, topic] }, () => sdk.addTopic(topic)],
      () => [{ ...state, topics: others }, () => sdk.removeTopic(topic)],
      () => {
        const topics = sorted(new Set([topic, `t${Math.floor(draw() * 6)}`]));
        return [{ ...state, topics }, () => sdk.setTopics(topics)];
      },
      () => [{ ...state, tags: [...state.tags.filter((each) => each !== tag), tag] }, () => sdk.tag(tag)],
      () => [{ ...state, tags: state.tags.filter((each) => each !== tag) }, () => sdk.untag(tag)],
      () => [set({ [name]: value }), () => sdk.setAttribute(name, value)],
      () => [set({ [name]: [value] }), () => sdk.setAttribute(name, [value])],
      () => (Array.isArray(old) || old === undefined
        ? [set({ [name]: [...list.filter((each) => each !== value), value] }), () => sdk.pushAttribute(name, value)]
        : [set({}), () => sdk.clearAttribute(name)]),
      () => [set({}), () => sdk.clearAttribute(name)],
      () => this.report('delivery', (id) => sdk.delivered(id)),
      () => this.report('click', (id) => sdk.clicked(id)),
      () => (draw() < 0.3
        ? [{ ...state, active: false, topics: [] }, () => this.leave()]
        : [state, () => sdk.sync()]),
    ])();
  }

  report(type, act) {
    const id = `${type}-${this.n}-${this.tried.size}`;
    this.tried.add(id);
    return [this.state, async () => {
      await act(id);
      this.reports.add(id);
    }];
  }

  // The id is kept: it is the same subscription that comes back.
  async leave() {
    await this.sdk.post('/subscription/unsubscribe', this.sdk.named());
    this.sdk.topics = [];
  }

  // Until the server is gone. What one of several requests was acknowledged for is done.
  async live() {
    for (;;) {
      const [next, act] = this.choose();
      this.next = next;
      const { taken } = this.sdk;
      let dead = false;
      try {
        await act();
      } catch (error) {
        if (error.status !== undefined) throw error; // an answer, but not a good one
        dead = true;
      }
      if (this.sdk.taken > taken) {
        this.state = next;
        this.acknowledged++;
      }
      if (dead) return;
    }
  }

  // What the server has of it is one of the two, and from now on what counts.
  found(row) {
    const had = row
      ? { active: !row.inactive, topics: row.topics, tags: row.tags ?? [], attributes: row.customAttributes ?? {} }
      : NOBODY;
    const plain = ({ active, topics, tags, attributes }) => JSON.stringify([active, sorted(topics), sorted(tags),
      Object.entries(attributes).map(([name, value]) => [name, Array.isArray(value) ? sorted(value) : value]).sort()]);
    const may = [plain(this.state), plain(this.next)];
    assert.ok(may.includes(plain(had)), `device ${this.n}: ${plain(had)} is neither ${may[0]} nor ${may[1]}`);
    this.state = this.next = had;
    if (row) {
      this.sdk.id = row._id;
      this.sdk.topics = row.topics;
    }
  }
}

// ---- what all events together say ----

function replay(events) {
  const all = new Map();
  const reports = new Map();
  for (const { _id: event, payload } of events) {
    const { type, subscription } = payload;
    const { _id: id } = subscription;
    const was = all.get(id) ?? { active: false, topics: [], attributes: {}, clicks: [], owed: false };
    let now = was;
    if (was.owed) assert.equal(type, 'attributeUpdate', `${event}: what it still had is told first`);
    switch (type) {
      case 'optIn':
        assert.ok(!was.active, `${event}: it was there already`);
        now = { ...was, active: true, shown: subscription, owed: Object.keys(was.attributes).length > 0 };
        break;
      case 'optOut':
        assert.ok(was.active, `${event}: it was gone already`);
        assert.deepEqual(subscription.topics, []);
        now = { ...was, active: false, topics: [] };
        break;
      case 'topicAdded':
        assert.ok(was.active, event);
        assert.deepEqual(sorted(subscription.topics), sorted(was.topics), `${event}: what was there before`);
        assert.ok(payload.newTopicsIds.length > 0, event);
        for (const topic of payload.newTopicsIds) assert.ok(!was.topics.includes(topic), `${event}: not new`);
        now = { ...was, topics: [...was.topics, ...payload.newTopicsIds] };
        break;
      case 'updateTopics':
        assert.ok(was.active, event);
        assert.notDeepEqual(sorted(subscription.topics), sorted(was.topics), `${event}: no change`);
        now = { ...was, topics: subscription.topics };
        break;
      case 'attributeUpdate':
        assert.ok(was.active, event);
        assert.deepEqual(sorted(subscription.topics), sorted(was.topics), event);
        assert.equal(isDeepStrictEqual(subscription.customAttributes, was.attributes), was.owed, event);
        now = { ...was, attributes: subscription.customAttributes, owed: false };
        break;
      case 'click':
        if (was.active) now = { ...was, clicks: [...was.clicks, payload.date] };
      // falls through
      case 'delivery': {
        const report = payload.notification._id;
        assert.ok(!reports.has(report), `${event}: ${report} is told twice`);
        reports.set(report, id);
        break;
      }
      default:
        assert.fail(type);
    }
    all.set(id, now);
  }
  return { all, reports };
}

async function exported(server) {
  const rows = [];
  let cursor;
  do {
    const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`;
    const answer = await server.call('GET', `/v1/channels/c/subscriptions/export${query}`);
    assert.equal(answer.status, 200, answer.text);
    rows.push(...answer.text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line)));
    cursor = answer.headers['next-cursor'];
  } while (cursor);
  return rows;
}

function agree({ all, reports }, rows, devices) {
  const byId = new Map(rows.map((row) => [row._id, row]));
  assert.equal(byId.size, rows.length, 'each is exported once');
  assert.deepEqual(sorted(all.keys()), sorted(byId.keys()), 'each that exists was told of, and the reverse');
  for (const [id, told] of all) {
    const row = byId.get(id);
    assert.equal(!row.inactive, told.active, id);
    assert.deepEqual(sorted(row.topics), sorted(told.topics), id);
    assert.deepEqual(row.customAttributes ?? {}, told.attributes, id);
    assert.deepEqual(row.clickedDates ?? [], told.clicks.slice(-20), id);
    assert.equal(row.createdAt, told.shown.createdAt, id);
    assert.equal(row.platformName, told.shown.platformName, id);
  }

  // A device finds itself by its id; by its token when the answer to its first sync was lost.
  for (const device of devices) {
    const { sdk } = device;
    const secret = ({ fcmToken, apnsToken, endpoint }) => fcmToken ?? apnsToken ?? endpoint;
    const same = rows.filter((row) => !row.inactive && secret(row) === secret(sdk.push));
    assert.ok(same.length <= 1, `device ${device.n} is there ${same.length} times`);
    device.found(sdk.id === undefined ? same[0] : byId.get(sdk.id));
    for (const report of device.reports) {
      assert.equal(reports.get(report), sdk.id, `${report} was acknowledged`);
    }
  }
  assert.ok(rows.length <= devices.length);
}

test(`${ROUNDS} crashes keep each change and its event together (seed ${SEED})`, async (t) => {
  const draw = random(SEED);
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  let server = await Server.start({ args: UNLIMITED });
  t.after(() => server.stop());
  await server.channel('c');
  await server.must('PATCH', '/v1/channels/c/config', { body: CONFIG });
  await server.webhook('c', receiver.url);

  const kinds = [AndroidSdk, IosSdk, WebSdk];
  const devices = Array.from({ length: DEVICES * kinds.length }, (_, n) =>
    new Device(kinds[n % kinds.length], n, random(SEED + n)));
  for (const device of devices) device.connect(server);

  let events = [];
  for (let round = 0; round < ROUNDS; round++) {
    const living = devices.map((device) => device.live());
    // The moment is what is random; nothing is waited for.
    await pause(draw() * 300);
    await server.stop('SIGKILL');
    await Promise.all(living);
    server = await server.again({ args: UNLIMITED });
    for (const device of devices) device.connect(server);
    events = (await server.list('/v1/channels/c/events')).reverse();
    agree(replay(events), await exported(server), devices);
  }

  await eventually('every event has arrived', () => {
    const got = new Set(receiver.calls.map((call) => call.id));
    return events.every((event) => got.has(event._id));
  });
  const acknowledged = devices.reduce((sum, device) => sum + device.acknowledged, 0);
  assert.ok(acknowledged > ROUNDS * 5, 'there was load');
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  t.diagnostic(`${acknowledged} requests acknowledged, ${events.length} events`);
});
