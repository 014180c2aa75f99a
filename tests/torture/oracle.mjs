// Who knows what must be true. It records every request that a client made and its answer, every
// call that a receiver got and what it said, and compares both with a small model:
//
//   I1 no loss        every acknowledged event is delivered, pending, or visibly ended
//   I2 no invention   what is delivered was sent in, and not refused
//   I3 duplicates     only for an outcome that nobody can know, and bounded for each crash
//   I4 identity       id and bytes never change; timestamp and signature are the attempt's
//   I5 schedule       never early, never more attempts than there are
//   I6 monotone       what was seen as ended stays ended
//   I7 honesty        acknowledged means on disk: I1, asked after a start from what is there
//
// One Oracle watches one channel of one data folder, through as many starts as there are.
import { createHash, createHmac } from 'node:crypto';
import { Receiver, agent, click, eventually, pause, request } from '../e2e/harness.mjs';

// What the program must never do. Anything else that is thrown is the rig's own trouble.
export class Violation extends Error {}

// Attempts that may be under way at one webhook, and outcomes of a sender that may not be on
// disk yet (docs/guarantees.md): what one crash may repeat.
const WINDOW = 32;
const UNRECORDED = 512;
const CLOCK_SKEW_S = 2;

const sha = (bytes) => createHash('sha256').update(bytes).digest('base64');

// When the answer went out at the earliest: a clock that is read after it would be late by whatever
// else the machine had to do, and make a call that was on time look early.
function timeAnswer(res, seen) {
  for (const name of ['writeHead', 'end']) {
    const real = res[name];
    res[name] = (...args) => {
      seen.answeredAt ??= performance.now();
      return real.apply(res, args);
    };
  }
}

export class Oracle {
  constructor({ channel = 'c', senders = 2, clock = true } = {}) {
    this.channel = channel;
    this.perCrash = WINDOW + UNRECORDED * senders;
    this.clock = clock; // whether the program's clock is ours
    this.sent = new Map(); // subscription -> { hash, state: unknown | acked | refused, id }
    this.acked = new Map(); // event id -> subscription
    this.webhooks = [];
    this.wrong = []; // the first few violations
    this.count = 0; // of all violations
    this.epoch = 0; // starts so far
    this.answers = {}; // status or 'none' -> how many requests
    this.ended = new Map(); // call id -> state that was seen
  }

  violation(invariant, what) {
    this.count++;
    if (this.wrong.length < 20) this.wrong.push(`${invariant}: ${what}`);
  }

  // ---- the client ----

  make(n, more = {}) {
    return Array.from({ length: n }, () => {
      const subscription = `s${this.sent.size}`;
      const text = JSON.stringify(click(this.channel, subscription, more));
      this.sent.set(subscription, { hash: sha(text), state: 'unknown', id: null });
      return { subscription, text };
    });
  }

  // Sends n events in one request. Gives the status, or null when there was no answer.
  async post(server, n = 1, { more, headers, using = agent } = {}) {
    const events = this.make(n, more);
    let answer = null;
    try {
      answer = await request(new URL(`/v1/channels/${this.channel}/events`, server.url), {
        method: 'POST',
        using,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${server.key}`,
          ...headers,
        },
        body: `[${events.map((event) => event.text)}]`,
      });
    } catch {
      // nobody knows
    }
    this.answered(events, answer);
    return answer?.status ?? null;
  }

  // For those who send by themselves what `make` made.
  answered(events, answer) {
    const status = answer?.status ?? 'none';
    this.answers[status] = (this.answers[status] ?? 0) + 1;
    if (status === 202) {
      const ids = answer.json?.data;
      if (ids?.length !== events.length) return this.violation('I1', `202 for ${ids?.length} events`);
      events.forEach((event, i) => this.acknowledge(event.subscription, ids[i]._id));
    } else if (status >= 400 && (status < 500 || status === 507)) {
      for (const { subscription } of events) this.sent.get(subscription).state = 'refused';
    }
    return undefined;
  }

  acknowledge(subscription, id) {
    const sent = this.sent.get(subscription);
    if (sent.id && sent.id !== id) this.violation('I4', `${subscription} is ${sent.id} and ${id}`);
    if (this.acked.has(id) && this.acked.get(id) !== subscription) {
      this.violation('I4', `${id} is ${this.acked.get(id)} and ${subscription}`);
    }
    Object.assign(sent, { state: 'acked', id });
    this.acked.set(id, subscription);
  }

  // Requests without a pause until there is no answer or `until()` says so.
  async load(server, { draw = Math.random, most = 30, until = () => false, using } = {}) {
    let status = 0;
    while (status !== null && !until()) {
      status = await this.post(server, 1 + Math.floor(draw() * most), { using });
      if (status !== 202) await pause(5);
    }
    return status;
  }

  // ---- receivers ----

  // A receiver and its webhook. `answer(res, call, nth)` answers the nth call of an event and
  // returns the status, null if it gave none, or { status, unknown: true } when nobody can say
  // whether it arrived; without it 200. `retry` as the API has it.
  // `lossy`: an answer may get lost on the way, so that no outcome is sure. `host` is where the
  // receiver listens.
  async webhook(server, { answer, retry = SOON, more = {}, lossy = false, host } = {}) {
    const hook = { calls: new Map(), retry, duplicates: 0, repeats: new Map(), lossy };
    hook.receiver = await Receiver.open(async (res, call) => {
      const seen = this.arrive(hook, call);
      timeAnswer(res, seen);
      if (answer) this.said(seen, await answer(res, call, seen.n));
      else res.writeHead((seen.status = 200)).end();
      seen.answeredAt ??= performance.now();
      if (seen.status >= 200 && seen.status < 300) seen.of.ok = seen; // the last one
    }, host);
    const made = await server.webhook(this.channel, hook.receiver.url, { retry, ...more });
    const secret = Buffer.from(made.secret.slice(6), 'base64');
    Object.assign(hook, { id: made._id, secret, from: this.sent.size });
    this.webhooks.push(hook);
    return hook;
  }

  said(seen, given) {
    const { status, unknown } = typeof given === 'object' && given ? given : { status: given };
    seen.status = status ?? null;
    seen.unknown = unknown;
  }

  arrive(hook, call) {
    const at = performance.now();
    this.verify(hook, call);
    const of = hook.calls.get(call.id) ?? { n: 0, ok: null, last: null, body: null };
    hook.calls.set(call.id, of);
    const seen = { n: ++of.n, at, epoch: this.epoch, status: null, answeredAt: null, of };
    this.identify(call, of);
    if (of.ok) this.repeated(hook, call, of);
    this.early(hook, call, of, seen);
    of.last = seen;
    hook.receiver.arrivals.all.length = 0; // what is needed of them is here
    return seen;
  }

  verify(hook, call) {
    const signed = `${call.id}.${call.headers['webhook-timestamp']}.`;
    const right = createHmac('sha256', hook.secret ?? '').update(signed).update(call.body).digest('base64');
    const given = (call.headers['webhook-signature'] ?? '').split(' ');
    if (hook.secret && !given.includes(`v1,${right}`)) this.violation('I4', `${call.id}: the signature is wrong`);
    const age = Math.abs(Date.now() / 1000 - Number(call.headers['webhook-timestamp']));
    // An attempt may have waited in the queue of a receiver that was stopped.
    if (this.clock && !(age <= CLOCK_SKEW_S + 15)) this.violation('I4', `${call.id}: the timestamp is ${age} s off`);
  }

  identify(call, of) {
    const hash = sha(call.body);
    if (of.body && of.body !== hash) this.violation('I4', `${call.id}: other bytes than before`);
    of.body = hash;
    let subscription;
    try {
      subscription = JSON.parse(call.body).subscription._id;
    } catch {
      this.violation('I4', `${call.id}: the body is no event`);
      return;
    }
    const sent = this.sent.get(subscription);
    if (!sent) this.violation('I2', `${call.id}: nobody sent ${subscription}`);
    else if (sent.hash !== hash) this.violation('I4', `${call.id}: other bytes than were sent in`);
    else if (sent.state === 'refused') this.violation('I2', `${call.id}: ${subscription} was refused`);
    else if (sent.id && sent.id !== call.id) this.violation('I4', `${subscription} is ${sent.id} and ${call.id}`);
    else sent.id = call.id;
  }

  repeated(hook, call, of) {
    hook.duplicates++;
    const { epoch, unknown } = of.ok;
    if (epoch === this.epoch && !unknown && !hook.lossy) {
      this.violation('I3', `${call.id}: called again after a 2xx that nothing came after`);
    }
    if (this.ended.get(callId(call.id, hook.id)) === 'succeeded') {
      this.violation('I6', `${call.id}: called again after it was seen as succeeded`);
    }
    // What a crash has cost are the outcomes of its own life, however much later they show.
    const n = (hook.repeats.get(epoch) ?? 0) + 1;
    hook.repeats.set(epoch, n);
    if (n === this.perCrash + 1) this.violation('I3', `more than ${this.perCrash} repeats for one crash`);
  }

  early(hook, call, of, seen) {
    const { last } = of;
    if (hook.retry.maxRetries !== undefined && seen.n > hook.retry.maxRetries + 1 + this.epoch) {
      this.violation('I5', `${call.id}: attempt ${seen.n}`);
    }
    if (!last?.status || last.status < 300 || last.epoch !== this.epoch) return;
    // Delays count from the end of the attempt, which is not before the answer. The count of a
    // call that a crash has hit is not known here; that it waits at all is.
    const n = this.epoch === 0 ? seen.n - 2 : 0;
    const least = hook.retry.initialDelay * hook.retry.factor ** n;
    const ms = Math.min(least, hook.retry.maxDelay ?? Infinity) * 1000;
    if (seen.at - last.answeredAt < ms - 5) {
      this.violation('I5', `${call.id}: ${Math.round(seen.at - last.answeredAt)} ms after a failure, not ${ms}`);
    }
  }

  // ---- the program's own account ----

  // After the program died and before it starts again. What it sent and was not answered yet has
  // to be in first.
  async crashed() {
    await pause(5);
    for (const hook of this.webhooks) {
      await eventually('a dead program\'s connections are closed', () => hook.receiver.connections.size === 0);
    }
    this.epoch++;
  }

  // The program may not have heard what receivers have said since then: it was stopped, or its
  // deadlines passed. Those calls may come again.
  doubt(since) {
    for (const { calls } of this.webhooks) {
      for (const { ok } of calls.values()) if (ok && ok.answeredAt >= since) ok.unknown = true;
    }
  }

  // Keeps what the program says has ended, for I6. Gives how many calls it looked at.
  async observe(server) {
    let answer;
    try {
      answer = await server.call('GET', `/v1/channels/${this.channel}/calls?state=succeeded&limit=200`);
    } catch {
      return 0;
    }
    if (answer.status !== 200) return 0;
    for (const call of answer.json.data) this.ended.set(call._id, call.state);
    return answer.json.data.length;
  }

  // A webhook gets what was sent in since it is there.
  delivered(id, hooks = this.webhooks) {
    const nth = Number(this.acked.get(id).slice(1));
    return hooks.every((hook) => nth < hook.from || hook.calls.get(id)?.ok);
  }

  // Waits until every acknowledged event has arrived everywhere, or at these webhooks; gives those
  // that have not when nothing has come for a while.
  async settle(quietMs = 15_000, hooks = this.webhooks) {
    const missing = new Set(this.acked.keys());
    let last = performance.now();
    for (;;) {
      const before = missing.size;
      for (const id of missing) if (this.delivered(id, hooks)) missing.delete(id);
      if (missing.size === 0) return [];
      if (missing.size < before) last = performance.now();
      if (performance.now() - last > quietMs) return [...missing];
      await pause(50);
    }
  }

  // Compares everything. `delivered: false`: events may still be pending.
  async judge(server, { delivered = true, quietMs } = {}) {
    const missing = delivered ? await this.settle(quietMs) : [];
    for (const id of missing) this.violation('I1', `${id} was acknowledged and did not arrive`);
    this.lost = missing.length;
    this.throwIfWrong();
    await this.compare(server);
    this.throwIfWrong();
    return this;
  }

  async compare(server) {
    const channel = await server.call('GET', `/v1/channels/${this.channel}`);
    if (channel.status === 404) {
      this.violation('I1', `channel ${this.channel} is gone`);
      return;
    }
    const events = await server.list(`/v1/channels/${this.channel}/events`);
    const here = new Set(events.map((event) => event._id));
    for (const id of this.acked.keys()) {
      if (here.has(id)) continue;
      this.violation('I1', `${id} was acknowledged and is not in the list of events`);
      if (this.delivered(id)) this.lost++; // not counted as missing
    }
    for (const { _id, subscription } of events) {
      const sent = this.sent.get(subscription);
      if (!sent) this.violation('I2', `${_id}: nobody sent ${subscription}`);
      else if (sent.state === 'refused') this.violation('I2', `${_id}: ${subscription} was refused`);
    }
    for (const call of await server.list(`/v1/channels/${this.channel}/calls`)) this.compareCall(call);
  }

  compareCall(call) {
    const hook = this.webhooks.find((each) => each.id === call.webhook);
    const of = hook?.calls.get(call.event);
    const seen = this.ended.get(call._id);
    if (seen && call.state !== seen) this.violation('I6', `${call._id} was ${seen} and is ${call.state}`);
    if (hook && call.state === 'succeeded' && !of?.ok) {
      this.violation('I1', `${call._id} says succeeded, and the receiver never said 2xx`);
    }
  }

  throwIfWrong() {
    if (this.count === 0) return;
    const more = this.count > this.wrong.length ? [`and ${this.count - this.wrong.length} more`] : [];
    throw new Violation([...this.wrong, ...more].join('\n'));
  }

  get duplicates() {
    return this.webhooks.reduce((sum, hook) => sum + hook.duplicates, 0);
  }

  close() {
    return Promise.all(this.webhooks.map((hook) => hook.receiver.close()));
  }
}

// Retries that a test can wait for.
export const SOON = { maxRetries: 20, initialDelay: 1, factor: 1, maxDelay: 1 };

export const callId = (event, webhook) =>
  `call_${event.slice('evt_'.length)}_${webhook.slice('wh_'.length)}`;
