// A name server whose answers a test makes up, over UDP and TCP on one port of loopback.
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';

const A = 1;
const CNAME = 5;
const AAAA = 28;

function encodeName(name) {
  const labels = name.split('.').filter(Boolean);
  return Buffer.concat([...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])]);
}

function readQuestion(packet) {
  const labels = [];
  let at = 12;
  while (packet[at]) {
    labels.push(packet.subarray(at + 1, at + 1 + packet[at]).toString('latin1'));
    at += packet[at] + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: packet.readUInt16BE(at + 1), end: at + 5 };
}

function addressBytes(text) {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  let [head, tail] = text.split('::');
  const parse = (part) => (part ? part.split(':') : []).flatMap((group) =>
    group.includes('.') ? group.split('.').map(Number)
      : [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
  [head, tail] = [parse(head), parse(tail)];
  return Buffer.from([...head, ...Array(16 - head.length - tail.length).fill(0), ...tail]);
}

function record(owner, type, ttl, data) {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

export class NameServer {
  // `zone(name, n)` gives what the n-th question (from 1) for a name's IPv4 addresses gets, and the
  // one for IPv6 after it: { addresses, cname, ttl = 0, rcode = 0, silent, delay }; or a list of
  // addresses; nothing: there is no such name.
  static async open(zone, { host = '127.0.0.1', port = 0 } = {}) {
    const server = new NameServer();
    server.zone = zone;
    server.asked = new Map();
    for (;;) {
      server.udp = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
      server.udp.bind(port, host);
      await once(server.udp, 'listening');
      const chosen = server.udp.address().port;
      server.tcp = net.createServer((socket) => server.serve(socket));
      server.tcp.listen(chosen, host);
      try {
        await once(server.tcp, 'listening');
        server.address = `${host}:${chosen}`;
        break;
      } catch {
        server.udp.close(); // that port is somebody's for TCP: another one
      }
    }
    server.udp.on('message', (packet, from) => {
      server.answer(packet, 512, (bytes) => server.udp.send(bytes, from.port, from.address, () => {}));
    });
    return server;
  }

  serve(socket) {
    let have = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (part) => {
      have = Buffer.concat([have, part]);
      while (have.length >= 2 && have.length >= 2 + have.readUInt16BE(0)) {
        const packet = have.subarray(2, 2 + have.readUInt16BE(0));
        have = have.subarray(2 + packet.length);
        this.answer(packet, 65535, (bytes) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(bytes.length);
          socket.write(Buffer.concat([length, bytes]));
        });
      }
    });
  }

  answer(packet, room, send) {
    const question = readQuestion(packet);
    if (question.type === A) this.asked.set(question.name, this.count(question.name) + 1);
    const given = this.zone(question.name, this.count(question.name));
    const says = Array.isArray(given) ? { addresses: given } : given ?? { rcode: 3 };
    if (says.silent) return;
    const pointer = Buffer.from([0xc0, 12]);
    const ttl = says.ttl ?? 0;
    const records = (says.addresses ?? [])
      .filter((text) => text.includes(':') === (question.type === AAAA))
      .map((text) => record(pointer, question.type, ttl, addressBytes(text)));
    if (says.cname) records.push(record(pointer, CNAME, ttl, encodeName(says.cname)));
    const build = (kept, truncated) => {
      const head = Buffer.from(packet.subarray(0, question.end));
      head[2] = 0x84 | (truncated ? 2 : 0) | (head[2] & 1);
      head[3] = 0x80 | (says.rcode ?? 0);
      head.writeUInt16BE(kept.length, 6);
      head.writeUInt32BE(0, 8);
      return Buffer.concat([head, ...kept]);
    };
    let bytes = build(records, false);
    if (bytes.length > room) bytes = build([], true);
    if (says.delay) setTimeout(() => send(bytes), says.delay).unref();
    else send(bytes);
  }

  count(name) {
    return this.asked.get(name) ?? 0;
  }

  close() {
    this.udp.close();
    this.tcp.close();
  }
}
