// A client of /stream: messages as they come, and an end that can be waited for.
import http from 'node:http';
import { Arrivals, contract, within } from './harness.mjs';

const SCHEMAS = { event: 'EventStored', attempt: 'StreamAttempt', gap: 'StreamGap' };

export class Stream {
  constructor() {
    this.messages = new Arrivals(); // { id, event, data }
    this.comments = new Arrivals();
    this.bytes = 0;
    this.text = '';
    this.message = {};
  }

  // Resolves when the head is here; what is refused has `status` and `body` alone.
  static open(server, channel, { query = '', key = server.key, headers = {}, options = {} } = {}) {
    const stream = new Stream();
    const url = new URL(`/v1/channels/${channel}/stream${query && `?${query}`}`, server.url);
    stream.ended = new Promise((resolve) => {
      stream.end = resolve;
    });
    const opened = new Promise((resolve, reject) => {
      stream.request = http.get(url, {
        headers: { authorization: `Bearer ${key}`, ...headers }, agent: false, ...options,
      });
      stream.request.on('error', (error) => {
        stream.end(false);
        reject(error);
      });
      stream.request.on('response', (response) => {
        stream.response = response;
        stream.status = response.statusCode;
        response.on('data', (part) => stream.take(part));
        response.on('error', () => {});
        response.on('close', () => stream.end(response.complete));
        resolve(stream);
      });
    });
    return within(opened, `${url}`);
  }

  take(part) {
    this.bytes += part.length;
    if (this.onBytes?.(this.bytes)) return;
    this.text += part.toString('latin1');
    const lines = this.text.split('\n');
    this.text = lines.pop();
    for (const line of lines) this.line(Buffer.from(line, 'latin1').toString());
  }

  line(line) {
    if (line === '') {
      if (this.message.data !== undefined) {
        const data = JSON.parse(this.message.data);
        contract?.checkNamed(SCHEMAS[this.message.event], data);
        this.messages.push({ ...this.message, id: this.lastId, data });
      }
      this.message = {};
    } else if (line.startsWith(':')) {
      this.comments.push(line.slice(2));
    } else {
      const [, name, value] = /^(\w+): (.*)$/.exec(line) ?? [];
      if (name === 'id') this.lastId = value;
      else this.message[name] = value;
    }
  }

  of(kind) {
    return this.messages.all.filter(({ event }) => event === kind).map(({ data }) => data);
  }

  until(what, ask) {
    return this.messages.until(what, () => ask(this));
  }

  close() {
    this.request.destroy();
  }

  // Whether the answer had its proper end.
  finish() {
    return within(this.ended, 'the stream to end');
  }
}

// All that there is from a place on, to its end.
export async function drain(server, channel, options = {}) {
  const query = ['follow=false', options.query].filter(Boolean).join('&');
  const stream = await Stream.open(server, channel, { ...options, query });
  if (!(await stream.finish())) throw new Error('the stream was broken off');
  return stream;
}
