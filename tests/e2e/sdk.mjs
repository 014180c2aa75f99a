// Apps and pages as the server sees them: clients that send what the SDKs of three platforms send,
// down to headers, escapes and bad habits, and that are as strict with the answers as they are.
// What one of them could not use is an error here.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Receiver, payload, request } from './harness.mjs';

export const ORIGIN = 'https://www.example.com';

// Without limits: what a test sends comes from one address.
export const UNLIMITED = ['--sdk-address-rate', '0', '--sdk-channel-rate', '0'];

export const CONFIG = {
  fcmId: '123456789012',
  topics: [
    { _id: 't1', name: 'Sports' }, { _id: 't2', name: 'Politics' },
    { _id: 't3', name: 'Weather', defaultUnchecked: true },
  ],
  tags: [{ _id: 'g1', name: 'Reader' }, { _id: 'g2', name: 'Buyer' }],
  attributes: [{ id: 'user_id', name: 'User' }, { id: 'interests', name: 'Interests' }],
  sdk: { confirmAlertHideChannelTopics: true },
  allowedOrigins: [ORIGIN],
};

// ---- what an SDK can use ----

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

// Android takes its channel id from here and refuses every later call without one, and never
// subscribes without a sender id that is a number.
export function checkConfig(config) {
  assert.equal(typeof config.channelId, 'string');
  assert.match(config.fcmId, /^\d+$/);
  for (const list of ['channelTopics', 'channelTags', 'channelEvents']) {
    assert.ok(Array.isArray(config[list]), list);
    for (const item of config[list]) {
      assert.equal(typeof item._id, 'string', list);
      assert.equal(typeof item.name, 'string', list);
    }
  }
  assert.ok(Array.isArray(config.customAttributes));
  for (const item of config.customAttributes) assert.equal(typeof item.id, 'string');
}

// A list that is null ends an iOS app, and Android waits for ever.
export function checkSync(answer) {
  assert.ok(isObject(answer));
  assert.equal(typeof answer.id, 'string');
  assert.ok(answer.id.length > 0);
  for (const list of ['topics', 'tags']) {
    if (!(list in answer)) continue;
    assert.ok(Array.isArray(answer[list]), list);
    for (const id of answer[list]) assert.equal(typeof id, 'string', list);
  }
  if ('topicsVersion' in answer) assert.ok(Number.isInteger(answer.topicsVersion));
  assert.ok(!('error' in answer));
  assert.ok(!('regeneratePushTokenRequestedAt' in answer), 'it would throw its token away');
}

// Why an SDK calls it a failure; `status` is that of the answer if there was one.
export class Failure extends Error {
  constructor(what, answer) {
    super(answer ? `${what}: ${answer.status} ${answer.text}` : what);
    this.answer = answer;
    this.status = answer?.status;
  }
}

// ---- what they have in common ----

// Both native platforms write the slash with its escape.
const nativeJson = (body) => JSON.stringify(body).replaceAll('/', '\\/');

class Sdk {
  // `about` replaces what the device says of itself; `added` are headers that a proxy or CDN on
  // the way adds; `wait(ms)` is how long a retry waits, here not at all.
  constructor(url, channel, { about = {}, added = {}, authorizationToken, wait = () => {} } = {}) {
    this.url = url;
    this.channel = channel;
    this.about = { ...this.device(), ...about };
    this.added = added;
    this.authorizationToken = authorizationToken;
    this.wait = wait;
    this.answers = [];
    this.taken = 0; // requests that were a success
  }

  async exchange(method, target, headers, body) {
    const answer = await request(new URL(target), {
      method, headers: { ...headers, ...this.added }, body,
    });
    this.answers.push(answer);
    return answer;
  }

  withToken(body) {
    const { authorizationToken } = this;
    return authorizationToken === undefined ? body : { ...body, authorizationToken };
  }

  // A request of this subscription.
  named(more) {
    return { channelId: this.channel, ...more, subscriptionId: this.id };
  }

  learn(answer) {
    const { id, topics, topicsVersion, tags } = answer.json;
    checkSync(answer.json);
    this.id = id;
    this.topics = topics ?? this.topics;
    this.topicsVersion = topicsVersion ?? this.topicsVersion;
    this.tags = tags ?? this.tags;
    return answer.json;
  }

  async init() {
    const { json } = await this.get(this.configPath());
    checkConfig(json);
    this.channel = json.channelId;
    this.config = json;
    return this;
  }

  async subscribe() {
    const fresh = this.id === undefined;
    await this.sync();
    if (fresh) await this.afterNew();
    return this;
  }

  // The question was answered; and the topics that are on until somebody switches them off.
  async afterNew() {
    const { platformName, browserType } = this.about;
    await this.post('/channel/confirm-alert', { channelId: this.channel, platformName, browserType });
    if (!this.config || this.config.confirmAlertHideChannelTopics) return;
    const topics = this.config.channelTopics.filter((topic) => !topic.defaultUnchecked);
    if (topics.length > 0) await this.setTopics(topics.map((topic) => topic._id));
  }

  async unsubscribe() {
    await this.post('/subscription/unsubscribe', this.named());
    this.id = undefined;
  }

  async addTopic(topic) {
    const topics = this.topics ?? [];
    if (!topics.includes(topic)) await this.changeTopic('add', topic, [...topics, topic]);
  }

  async removeTopic(topic) {
    const topics = this.topics ?? [];
    if (!topics.includes(topic)) return;
    await this.changeTopic('remove', topic, topics.filter((each) => each !== topic));
  }

  postTopic(verb, topicId) {
    return this.post(`/subscription/topic/${verb}`, this.named({ topicId }));
  }

  setAttribute(attributeId, value) {
    return this.post('/subscription/attribute', this.named({ attributeId, value }));
  }

  pushAttribute(attributeId, value) {
    return this.post('/subscription/attribute/push-value', this.named({ attributeId, value }));
  }

  pullAttribute(attributeId, value) {
    return this.post('/subscription/attribute/pull-value', this.named({ attributeId, value }));
  }

  clearAttribute(attributeId) {
    return this.post('/subscription/attribute/clear', this.named({ attributeId }));
  }

  tag(tagId) {
    return this.post('/subscription/tag', this.named({ tagId }));
  }

  untag(tagId) {
    return this.post('/subscription/untag', this.named({ tagId }));
  }

  // The ids are those of the push, not the stored ones.
  delivered(notificationId, subscriptionId = this.id) {
    return this.post('/notification/delivered', { channelId: this.channel, notificationId, subscriptionId });
  }

  clicked(notificationId, action, subscriptionId = this.id) {
    return this.post('/notification/clicked', {
      notificationId, subscriptionId, channelId: this.channel, ...(action !== undefined && { action }),
    });
  }

  // What is secret of it: no answer and no webhook may show it.
  get secrets() {
    return Object.values(this.push);
  }
}

const token = (bytes = 24) => randomBytes(bytes).toString('base64url');

// ---- Android ----

export class AndroidSdk extends Sdk {
  constructor(...given) {
    super(...given);
    this.push = { fcmToken: `${token(12)}:APA91b/${token()}` };
  }

  device() {
    return {
      platformName: 'Android', platformVersion: '14', browserType: 'SDK', browserVersion: '1.35.34',
      appVersion: '4.2.0', timezone: 'Europe/Berlin', acceptLanguage: 'de',
    };
  }

  configPath() {
    return `/channel/${this.channel}/config`;
  }

  // The token is not escaped.
  get(path) {
    const { authorizationToken } = this;
    const more = authorizationToken === undefined ? '' :
      `${path.includes('?') ? '&' : '?'}authorizationToken=${authorizationToken}`;
    const headers = { 'User-Agent': 'Dalvik/2.1.0 (Linux; U; Android 14; Phone)', 'Accept-Encoding': 'gzip' };
    return this.insist(`GET ${path}`, () => this.exchange('GET', this.url + path + more, headers));
  }

  post(path, body) {
    const headers = {
      'Content-Type': 'application/json; charset=UTF-8',
      'Accept-Language': body.language ?? this.about.acceptLanguage,
      'User-Agent': 'Example Android SDK 1.35.34',
    };
    const text = nativeJson(this.withToken(body));
    return this.insist(`POST ${path}`, () => this.exchange('POST', this.url + path, headers, text));
  }

  // Only 200 and 201 are a success; four attempts in all.
  async insist(what, once) {
    for (let seconds = 1; ; seconds *= 2) {
      let failure;
      try {
        const answer = await once();
        if (answer.status === 200 || answer.status === 201) {
          this.taken++;
          return answer;
        }
        failure = new Failure(what, answer);
      } catch (error) {
        failure = error;
      }
      if (seconds > 4) throw failure;
      await this.wait(seconds * 1000);
    }
  }

  whole() {
    const { acceptLanguage, ...about } = this.about;
    return {
      ...this.push,
      ...(this.push.fcmToken && { fcmId: this.config?.fcmId ?? CONFIG.fcmId }),
      ...(this.id && { subscriptionId: this.id }),
      ...about,
      ...(this.topics && { topics: this.topics, topicsVersion: (this.topicsVersion ?? 0) + 1 }),
      hasNotificationPermission: true,
    };
  }

  // A subscription that the server says is gone is made anew.
  async sync(body = this.whole()) {
    const path = `/subscription/sync/${this.channel}`;
    try {
      return this.learn(await this.post(path, body));
    } catch (error) {
      if ((error.status !== 404 && error.status !== 410) || this.id === undefined) throw error;
      this.id = undefined;
      return this.learn(await this.post(path, this.whole()));
    }
  }

  setTopics(topics) {
    return this.sync({
      channelId: this.channel, topics, topicsVersion: (this.topicsVersion ?? 0) + 1, subscriptionId: this.id,
    });
  }

  // Two threads, in no order.
  async changeTopic(verb, topic, topics) {
    await Promise.all([this.setTopics(topics), this.postTopic(verb, topic)]);
  }

  delivered(notificationId, subscriptionId = this.id) {
    return this.post('/notification/delivered', { notificationId, subscriptionId });
  }
}

// ---- iOS ----

// Objects and keys in a row, of which the first nil is the end.
function nilTerminated(pairs) {
  const end = pairs.findIndex(([, value]) => value === undefined);
  return Object.fromEntries(end < 0 ? pairs : pairs.slice(0, end));
}

export class IosSdk extends Sdk {
  constructor(...given) {
    super(...given);
    this.push = { apnsToken: randomBytes(32).toString('hex') };
  }

  device() {
    return {
      platformName: 'iOS', platformVersion: '17.4', browserType: 'SDK', browserVersion: '1.34.51',
      appVersion: '7.1', language: 'en', country: 'GB', timezone: 'Europe/London',
    };
  }

  configPath() {
    return `/channel/${this.channel}/config?platformName=iOS`;
  }

  // The path is resolved against the address and a slash.
  target(path) {
    return new URL(path.slice(1), `${this.url}/`).href;
  }

  get(path) {
    const { authorizationToken } = this;
    const more = authorizationToken === undefined ? '' :
      `${path.includes('?') ? '&' : '?'}authorizationToken=${encodeURIComponent(authorizationToken)}`;
    return this.enqueue(`GET ${path}`, true, () => this.exchange('GET', this.target(path + more), this.jsonHeaders()));
  }

  jsonHeaders() {
    return {
      'Content-Type': 'application/json', Accept: 'application/json',
      'User-Agent': 'App/42 CFNetwork/1494.0.7 Darwin/23.4.0', 'Accept-Language': 'en-GB,en;q=0.9',
    };
  }

  // Its own headers replace all, so that the form's type is what is left.
  syncHeaders() {
    return {
      'Content-Type': 'application/x-www-form-urlencoded', Accept: '*/*',
      'User-Agent': 'Example iOS SDK 1.34.51', 'Accept-Language': this.about.language ?? 'en',
    };
  }

  // What is retried has no authorizationToken any more; reports of pushes are not retried.
  post(path, body, headers = this.jsonHeaders()) {
    const again = !/^\/notification\/|^\/app-banner\//.test(path);
    return this.enqueue(`POST ${path}`, again, (n) =>
      this.exchange('POST', this.target(path), headers, nativeJson(n === 0 ? this.withToken(body) : body)));
  }

  // Any 2xx, but what it says must be JSON, and an object or an array. Only when there is no
  // answer it tries again.
  async enqueue(what, again, once) {
    for (let n = 0; ; n++) {
      let answer;
      try {
        answer = await once(n);
      } catch (error) {
        if (!again || n === 4) throw error;
        await this.wait(n === 0 ? 0 : 1000 * 2 ** (n - 1));
        continue;
      }
      if (answer.status < 200 || answer.status > 299) throw new Failure(what, answer);
      if (answer.bytes.length > 0) {
        assert.ok(typeof answer.json === 'object' && answer.json !== null, `${what}: ${answer.text}`);
      }
      this.taken++;
      return answer;
    }
  }

  whole() {
    const { about } = this;
    const names = ['platformName', 'platformVersion', 'browserType', 'browserVersion', 'appVersion',
      'language', 'country', 'timezone'];
    return {
      ...nilTerminated(names.map((name) => [name, about[name]])),
      ...this.push,
      ...(this.id && { subscriptionId: this.id }),
      topics: this.topics ?? [],
      topicsVersion: this.topicsVersion ?? '1',
      hasNotificationPermission: true,
    };
  }

  async sync(body = this.whole()) {
    return this.learn(await this.post(`/subscription/sync/${this.channel}`, body, this.syncHeaders()));
  }

  async setTopics(topics) {
    const { topics: before } = this;
    this.topics = topics;
    try {
      return await this.sync();
    } catch (error) {
      this.topics = before;
      throw error;
    }
  }

  // One after the other.
  async changeTopic(verb, topic, topics) {
    await this.postTopic(verb, topic);
    await this.setTopics(topics);
  }

  // A body that a missing value cuts short, with the subscription's id behind it.
  setAttribute(attributeId, value) {
    return this.post('/subscription/attribute', nilTerminated([
      ['channelId', this.channel], ['attributeId', attributeId], ['value', value], ['subscriptionId', this.id],
    ]));
  }

  async unsubscribe() {
    const body = this.named();
    this.id = undefined; // whatever comes of it
    await this.post('/subscription/unsubscribe', body);
  }

  startSession() {
    return this.post('/subscription/session/start', nilTerminated([
      ['channelId', this.channel], ['subscriptionId', this.id], ['apnsToken', this.push.apnsToken],
      ['lastNotificationId', null],
    ]));
  }

  liveActivity(iosLiveActivityId, iosLiveActivityToken) {
    return this.sync({
      channelId: this.channel, iosLiveActivityId, iosLiveActivityToken, subscriptionId: this.id,
      hasNotificationPermission: true,
    });
  }
}

// ---- the web ----

// What the browser keeps from the page.
export class Blocked extends Failure {}

const AGENT = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) ' +
  'Chrome/126.0.0.0 Safari/537.36';

export class WebSdk extends Sdk {
  constructor(url, channel, { origin = ORIGIN, ...more } = {}) {
    super(url, channel, more);
    this.origin = origin;
    this.visits = 0;
    this.push = {
      endpoint: `https://push.example.net/wpush/v2/${token()}`,
      publicKey: randomBytes(65).toString('base64'),
      authSecret: randomBytes(16).toString('base64'),
    };
  }

  device() {
    return {
      platformName: 'Mac OS', platformVersion: '14', browserType: 'Chrome', browserVersion: '126',
      language: 'de', country: 'AT', timezone: 'Europe/Vienna',
    };
  }

  configPath() {
    return `/channel/${this.channel}/config`;
  }

  headers(type) {
    return {
      Origin: this.origin, Referer: `${this.origin}/`, Accept: '*/*', 'User-Agent': AGENT,
      'Accept-Language': 'de-AT,de;q=0.9,en;q=0.8', ...(type && { 'Content-Type': type }),
    };
  }

  // As a browser reads it: for everybody, or for this origin and no other.
  allowed(answer) {
    const origin = answer.headers['access-control-allow-origin'];
    return origin === '*' || origin === this.origin;
  }

  async fetch(method, path, headers, body) {
    const answer = await this.exchange(method, this.url + path, headers, body);
    if (!this.allowed(answer)) throw new Blocked(`${method} ${path} from ${this.origin}`, answer);
    if (answer.status < 200 || answer.status > 299) throw new Failure(`${method} ${path}`, answer);
    assert.ok(!('error' in (answer.json ?? {})), answer.text);
    this.taken++;
    return answer;
  }

  // JSON is not what a page may send without asking first.
  async preflight(path) {
    const answer = await this.exchange('OPTIONS', this.url + path, {
      Origin: this.origin, Accept: '*/*', 'User-Agent': AGENT,
      'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type',
    });
    const list = (name) => (answer.headers[name] ?? '').toLowerCase().split(',').map((one) => one.trim());
    const fine = answer.status >= 200 && answer.status <= 299 && this.allowed(answer) &&
      list('access-control-allow-headers').some((one) => one === 'content-type' || one === '*');
    if (!fine) throw new Blocked(`OPTIONS ${path} from ${this.origin}`, answer);
  }

  get(path) {
    return this.fetch('GET', path, this.headers());
  }

  async post(path, body) {
    await this.preflight(path);
    const text = JSON.stringify(this.withToken({ ...body, sdkVersion: '3.1.0' }));
    return this.fetch('POST', path, this.headers('application/json'), text);
  }

  // Of a page that is about to go: nothing is asked first, and nobody reads the answer.
  async beacon(path, body) {
    const headers = this.headers('application/x-www-form-urlencoded');
    const answer = await this.exchange('POST', this.url + path, headers, JSON.stringify(body));
    if (answer.status < 300) this.taken++;
    return answer;
  }

  whole() {
    return {
      ...this.push,
      ...(this.id && { subscriptionId: this.id }),
      ...this.about,
      channelId: this.channel, pathname: '/news/1', referrer: 'https://search.example.org/',
      visits: String(++this.visits), wasDenied: false,
    };
  }

  async sync(more = {}) {
    return this.learn(await this.post(`/subscription/sync/${this.channel}`, { ...this.whole(), ...more }));
  }

  async afterNew() {} // the page has shown its question itself

  setTopics(topics) {
    return this.sync({ topics, topicsVersion: (this.topicsVersion ?? 0) + 1 });
  }

  changeTopic(verb, topic) {
    return this.postTopic(verb, topic).then(() => {
      const others = (this.topics ?? []).filter((each) => each !== topic);
      this.topics = verb === 'add' ? [...others, topic] : others;
    });
  }

  endSession() {
    return this.beacon('/subscription/session/end', { ...this.named(), visits: this.visits, duration: 12 });
  }

  // Any result is a success.
  async unsubscribe() {
    await this.post('/subscription/unsubscribe', this.named()).catch(() => {});
    this.id = undefined;
  }
}

export const SDKS = { Android: AndroidSdk, iOS: IosSdk, web: WebSdk };

// ---- what webhooks are told ----

// The members that the page's example has and that are known, in the page's order.
function shown(example, values) {
  const names = Object.keys(example).filter((name) => values[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}

// The product page's body of a type, with these values in place of its own: what is not known
// (undefined) is left out. `more` has the date, the notification, the new topics' ids.
export function pageBody(type, channel, subscription, more = {}) {
  const page = JSON.parse(payload(type, channel));
  const body = { ...page, ...shown(page, more) };
  body.subscription = shown(page.subscription, { ...subscription, channel });
  if (page.notification) body.notification = shown(page.notification, more.notification);
  return JSON.stringify(body);
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

// A channel with its apps' settings and a receiver of all its events.
export class App {
  static async open(t, server, channel, config = {}) {
    const app = new App();
    app.server = server;
    app.channel = channel;
    app.path = `/v1/channels/${channel}`;
    app.known = 0; // of its events
    app.calls = new Map(); // what the receiver got, by event
    app.receiver = await Receiver.open();
    t.after(() => app.receiver.close());
    await server.channel(channel);
    await app.configure({ ...CONFIG, bundleIds: [`com.example.${channel}`], ...config });
    await server.webhook(channel, app.receiver.url);
    return app;
  }

  configure(config) {
    return this.server.must('PATCH', `${this.path}/config`, { body: config });
  }

  sdk(Kind, more) {
    return new Kind(this.server.url, this.channel, more);
  }

  subscription(id) {
    return this.server.must('GET', `${this.path}/subscriptions/${id}`);
  }

  // All of the channel's events, oldest first.
  async events() {
    return (await this.server.list(`${this.path}/events`)).reverse();
  }

  // The events that this led to, oldest first, as the receiver got them: an answer comes only
  // when all that follows from its request is on disk, so that what is not there now never was.
  async told(act) {
    await act();
    const all = await this.events();
    const news = all.slice(this.known);
    this.known = all.length;
    await this.arrived(news);
    return news.map((event) => {
      const { body } = this.calls.get(event._id);
      assert.deepEqual(JSON.parse(body), event.payload);
      return { type: event.type, body: body.toString(), ...event.payload };
    });
  }

  arrived(events) {
    return this.receiver.arrivals.until('all calls', (all) => {
      for (const call of all.slice(this.calls.size)) this.calls.set(call.id, call);
      return events.every((event) => this.calls.has(event._id));
    });
  }

  // Exactly these events follow, each byte for byte as the product page has it. `subscription` is
  // what is known of it, or a function that tells.
  async tells(act, subscription, ...expected) {
    const events = await this.told(act);
    assert.deepEqual(events.map((event) => event.type), expected.map(([type]) => type));
    const known = typeof subscription === 'function' ? subscription() : subscription;
    for (const [i, event] of events.entries()) {
      const [type, values = {}, more = {}] = expected[i];
      const { createdAt, syncedAt } = event.subscription;
      for (const time of [createdAt, syncedAt, event.date]) {
        if (time !== undefined) assert.match(time, TIME);
      }
      const body = pageBody(type, this.channel, { ...known, createdAt, syncedAt, ...values },
        { ...more, date: event.date });
      assert.equal(event.body, body);
    }
    return events;
  }
}
