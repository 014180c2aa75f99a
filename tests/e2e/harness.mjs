// What every end-to-end test stands on: the real server in a folder of its own, receivers that
// keep the bytes they get and can misbehave, and waiting that ends with an event, never a time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openDocument } from './contract.mjs';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BIN = path.resolve(process.env.PUSHWIRE_BIN ?? path.join(ROOT, 'build/pushwire'));

// How long a thing that must happen may take before the test gives up on it. A machine that is
// slow, or a sanitizer, never makes a test fail; only what never comes does.
export const GIVE_UP_MS = 90_000;

// Answers of servers of this very program are held against its document.
export const contract = openDocument(BIN);
const documented = new Set(); // their origins

const children = new Set();
const folders = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

export function temporaryFolder() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pushwire-e2e-'));
  folders.add(folder);
  return folder;
}

// ---- waiting ----

export function within(promise, what, ms = GIVE_UP_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`gave up waiting for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Asks again and again until the answer is not false, null or undefined; returns the answer.
export async function eventually(what, ask) {
  const last = Date.now() + GIVE_UP_MS;
  for (let wait = 2; ; wait = Math.min(wait * 2, 100)) {
    const answer = await ask();
    if (answer !== false && answer !== null && answer !== undefined) return answer;
    if (Date.now() > last) throw new Error(`gave up waiting until ${what}`);
    await pause(wait);
  }
}

// A list that somebody may wait on.
export class Arrivals {
  constructor() {
    this.all = [];
    this.waiting = new Set();
  }

  push(item) {
    this.all.push(item);
    for (const waiter of [...this.waiting]) waiter();
  }

  // Resolves with ask(all) as soon as it is truthy, looking whenever something arrived.
  until(what, ask) {
    let waiter;
    const found = new Promise((resolve, reject) => {
      waiter = () => {
        try {
          const answer = ask(this.all);
          if (answer) resolve(answer);
        } catch (error) {
          reject(error);
        }
      };
      this.waiting.add(waiter);
      waiter();
    });
    return within(found, what).finally(() => this.waiting.delete(waiter));
  }

  count(n) {
    return this.until(`arrival ${n}`, (all) => all.length >= n && all.slice(0, n));
  }
}

// ---- programs ----

export function cleanEnv(extra = {}) {
  const env = { ...process.env, ...extra };
  for (const name of Object.keys(env)) {
    if (/^(PUSHWIRE_|https?_proxy$|all_proxy$|no_proxy$)/i.test(name) && !(name in extra)) {
      delete env[name];
    }
  }
  delete env.CMOCKA_MESSAGE_OUTPUT;
  return env;
}

// Runs the program to its end and gives what it said.
export async function run(args, { env = {}, input = '', cwd } = {}) {
  const child = spawn(BIN, args, { env: cleanEnv(env), cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  children.add(child);
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
  const [code, signal] = await within(once(child, 'close'), `pushwire ${args.join(' ')}`);
  children.delete(child);
  return { code, signal, stdout: out(), stderr: err() };
}

function collect(stream) {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  return () => Buffer.concat(parts).toString();
}

// A program that goes on running: its lines can be waited for.
export class Program {
  // `wrap` is a command that runs the program in its own place (as `strace -D` does), so that the
  // child is the program all the same.
  constructor(args, { env = {}, cwd, bin = BIN, wrap = [] } = {}) {
    this.lines = new Arrivals(); // of both streams
    const [command, ...rest] = [...wrap, bin, ...args];
    this.child = spawn(command, rest, { env: cleanEnv(env), cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.lines.push(line));
    }
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      children.delete(this.child);
      this.end = { code, signal };
      this.lines.push(`(ended: ${code ?? signal})`);
      return this.end;
    });
  }

  get output() {
    return this.lines.all.join('\n');
  }

  line(pattern) {
    return this.lines.until(`a line like ${pattern}`, (all) => {
      const match = all.map((line) => pattern.exec(line)).find(Boolean);
      if (!match && this.end) throw new Error(`ended without ${pattern}:\n${this.output}`);
      return match;
    });
  }

  async listening() {
    const match = await this.line(/listening on (https?:\/\/\S+)/);
    this.url = match[1];
    if (this.documented) documented.add(this.url);
    return this;
  }

  signal(name) {
    this.child.kill(name);
  }

  finish() {
    return within(this.ended, 'the program to end');
  }

  stop(signal = 'SIGTERM') {
    if (!this.end) this.signal(signal);
    return this.finish();
  }
}

export class Server extends Program {
  constructor({ dir = temporaryFolder(), args = [], env = {}, dev = true, listen = '127.0.0.1:0', bin, wrap } = {}) {
    const data = path.join(dir, 'data');
    super(
      ['serve', '--listen', listen, '--data', data, ...(dev ? ['--dev'] : []), ...args],
      { env, cwd: dir, bin, wrap },
    );
    this.dir = dir;
    this.data = data;
    this.documented = contract !== null && (bin ?? BIN) === BIN;
  }

  static async start(options) {
    const server = new Server(options);
    await server.listening();
    server.key = readFileSync(path.join(server.data, 'admin.key'), 'utf8').trim();
    return server;
  }

  // The same data again, after it ended.
  again(options = {}) {
    return Server.start({ dir: this.dir, ...options });
  }

  // One request; `body` that is neither text nor bytes becomes JSON.
  async call(method, target, { body, type, key = this.key, headers = {} } = {}) {
    const given = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    const bytes = given ? body : JSON.stringify(body);
    const all = { ...headers };
    if (key) all.authorization ??= `Bearer ${key}`;
    if (bytes !== undefined && type !== null) all['content-type'] ??= type ?? 'application/json';
    return request(new URL(target, this.url), { method, headers: all, body: bytes });
  }

  // The same, for what must work: gives the answer's JSON.
  async must(method, target, options) {
    const answer = await this.call(method, target, options);
    if (answer.status >= 300) {
      throw new Error(`${method} ${target}: ${answer.status} ${answer.text}`);
    }
    return answer.json;
  }

  async channel(id) {
    const made = await this.must('POST', '/v1/channels', {
      body: { name: id ?? 'a channel', ...(id && { _id: id }) },
    });
    return made._id;
  }

  webhook(channel, url, more = {}) {
    return this.must('POST', `/v1/channels/${channel}/webhooks`, { body: { url, ...more } });
  }

  // Sends bytes as they are and gives the events' ids.
  async send(channel, body, options = {}) {
    const answer = await this.must('POST', `/v1/channels/${channel}/events`, { body, ...options });
    return answer.data.map((event) => event._id);
  }

  // All of a list, page by page.
  async list(target, limit = 200) {
    const rows = [];
    let cursor = null;
    do {
      const url = new URL(target, this.url);
      url.searchParams.set('limit', limit);
      if (cursor) url.searchParams.set('cursor', cursor);
      const page = await this.must('GET', url.pathname + url.search);
      rows.push(...page.data);
      cursor = page.nextCursor;
    } while (cursor);
    return rows;
  }

  // The calls of an event, as soon as `ask` agrees with all of them.
  callsOf(channel, event, what, ask) {
    return eventually(`the calls of ${event} are ${what}`, async () => {
      const { calls } = await this.must('GET', `/v1/channels/${channel}/events/${event}`);
      return calls.length > 0 && calls.every(ask) && calls;
    });
  }

  async callOf(channel, event, state) {
    const [call] = await this.callsOf(channel, event, state, (each) => each.state === state);
    return this.must('GET', `/v1/channels/${channel}/calls/${call._id}`);
  }
}

// ---- requests ----

export const agent = new http.Agent({ keepAlive: true, maxSockets: 128 });

export function request(url, { method = 'GET', headers = {}, body, using = agent } = {}) {
  const answer = new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const req = http.request(url, { method, headers: { ...length, ...headers }, agent: using });
    req.on('error', reject);
    req.on('response', (res) => {
      const parts = [];
      res.on('error', reject);
      res.on('data', (part) => parts.push(part));
      res.on('end', () => {
        const answered = new Answer(res, Buffer.concat(parts));
        try {
          if (documented.has(url.origin)) contract.checkAnswer(method, url, answered);
          resolve(answered);
        } catch (error) {
          reject(error);
        }
      });
    });
    req.end(body);
  });
  return within(answer, `${method} ${url}`);
}

class Answer {
  constructor(res, bytes) {
    this.status = res.statusCode;
    this.headers = res.headers;
    this.bytes = bytes;
    this.text = bytes.toString();
  }

  get json() {
    return this.bytes.length > 0 ? JSON.parse(this.text) : undefined;
  }
}

// Bytes over a connection of its own, and all that comes back until the other side closes.
export async function rawRequest(url, bytes) {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port });
  const parts = [];
  socket.on('error', () => {}); // a reset is an answer too
  socket.on('data', (part) => parts.push(part));
  socket.end(bytes);
  await within(new Promise((resolve) => socket.once('close', resolve)), 'the connection to close');
  return Buffer.concat(parts).toString('latin1');
}

// ---- receivers ----

// An HTTP server that keeps every call it gets. `answer(res, call, n)` says what comes back to
// the n-th call (from 1); without it 204.
export class Receiver {
  constructor(answer = (res) => res.writeHead(204).end()) {
    this.arrivals = new Arrivals();
    this.answer = answer;
    this.connections = new Set();
    this.server = http.createServer({ keepAliveTimeout: 0 }, async (req, res) => {
      res.on('error', () => {});
      const parts = [];
      try {
        for await (const part of req) parts.push(part);
      } catch {
        return; // broken off by the other side
      }
      const call = new Call(req, Buffer.concat(parts));
      this.arrivals.push(call);
      await this.answer(res, call, this.arrivals.all.length);
    });
    this.server.on('connection', (socket) => {
      this.connections.add(socket);
      socket.on('close', () => this.connections.delete(socket));
    });
  }

  static async open(answer, host = '127.0.0.1') {
    const receiver = new Receiver(answer);
    receiver.server.listen(0, host);
    await once(receiver.server, 'listening');
    receiver.url = `http://${host}:${receiver.server.address().port}/`;
    return receiver;
  }

  get calls() {
    return this.arrivals.all;
  }

  count(n) {
    return this.arrivals.count(n);
  }

  // The first call of this event.
  of(id) {
    return this.arrivals.until(`a call of ${id}`, (all) => all.find((call) => call.id === id));
  }

  close() {
    for (const socket of this.connections) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

class Call {
  constructor(req, body) {
    this.method = req.method;
    this.path = req.url;
    this.rawHeaders = req.rawHeaders;
    this.headers = req.headers;
    this.body = body;
  }

  get id() {
    return this.headers['webhook-id'];
  }
}

// A TCP server for what no HTTP library would say: `behave(socket, request)` gets the bytes of
// the head and body that came first.
export class RawReceiver {
  static async open(behave) {
    const receiver = new RawReceiver();
    receiver.arrivals = new Arrivals();
    receiver.connections = new Set();
    receiver.server = net.createServer((socket) => {
      receiver.connections.add(socket);
      socket.on('close', () => receiver.connections.delete(socket));
      socket.on('error', () => {});
      let have = Buffer.alloc(0);
      socket.on('data', (part) => {
        have = Buffer.concat([have, part]);
        const taken = wholeRequest(have);
        if (!taken) return;
        have = have.subarray(taken.length);
        receiver.arrivals.push(taken);
        behave(socket, taken, receiver.arrivals.all.length);
      });
    });
    receiver.server.listen(0, '127.0.0.1');
    await once(receiver.server, 'listening');
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}/`;
    return receiver;
  }

  count(n) {
    return this.arrivals.count(n);
  }

  close() {
    for (const socket of this.connections) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

function wholeRequest(bytes) {
  const head = bytes.indexOf('\r\n\r\n');
  if (head < 0) return null;
  const length = /^content-length: *(\d+)/im.exec(bytes.subarray(0, head).toString('latin1'));
  const end = head + 4 + Number(length?.[1] ?? 0);
  return bytes.length >= end ? bytes.subarray(0, end) : null;
}

// A port that refuses connections: it was free a moment ago.
export async function closedPort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// ---- events ----

const payloads = path.join(ROOT, 'tests/fixtures/payloads');
export const TYPES = readdirSync(payloads)
  .map((name) => path.basename(name, '.json'))
  .sort();

// A payload of the product page, byte for byte but for the channel's id.
export function payload(type, channel) {
  const text = readFileSync(path.join(payloads, `${type}.json`), 'utf8').trimEnd();
  return text.replaceAll('CHANNEL_ID', channel);
}

// A small event of a subscription.
export function click(channel, subscription, more = {}) {
  return {
    type: 'click',
    date: '2024-03-04T10:10:40.136Z',
    subscription: { _id: subscription },
    notification: { _id: 'n1' },
    channel: { _id: channel },
    ...more,
  };
}

export { existsSync, pause };

// ---- a terminal ----

const quoted = (word) => `'${String(word).replaceAll("'", "'\\''")}'`;

// Runs the program at a terminal that is so wide, and gives what the terminal got.
export async function runAtTerminal(columns, args, { env = {}, cwd } = {}) {
  const command = `stty cols ${columns} rows 24 && exec ${[BIN, ...args].map(quoted).join(' ')}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...cleanEnv({ TERM: 'xterm', SHELL: '/bin/sh', ...env }) },
    cwd,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.add(child);
  const out = collect(child.stdout);
  const [code, signal] = await within(once(child, 'close'), `pushwire ${args.join(' ')} at a terminal`);
  children.delete(child);
  return { code, signal, text: out().replaceAll('\r\n', '\n') };
}
