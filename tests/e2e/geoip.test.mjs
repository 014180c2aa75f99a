// The country of a subscription from a database of addresses, in MaxMind's format; the database is
// made here: one network in one country, after the published description of the format, version 2.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Server, run, temporaryFolder } from './harness.mjs';

const text = (value) => Buffer.concat([Buffer.from([0x40 | value.length]), Buffer.from(value)]);
const map = (...pairs) => Buffer.concat([Buffer.from([0xe0 | pairs.length / 2]), ...pairs]);
const uint16 = (n) => Buffer.from([0xa2, n >> 8, n & 0xff]);
const uint32 = (n) => Buffer.from([0xc4, 0, 0, n >> 8, n & 0xff]);
const uint64 = (n) => Buffer.from([0x04, 0x02, 0, 0, 0, n]);
const array = (...values) => Buffer.concat([Buffer.from([values.length, 0x04]), ...values]);

// A node for each bit of the prefix; every other way leads to "not found".
function database(prefix, bits, country) {
  const address = prefix.split('.').reduce((all, part) => all * 256 + Number(part), 0);
  const tree = Buffer.alloc(bits * 6);
  for (let i = 0; i < bits; i++) {
    const bit = Math.floor(address / 2 ** (31 - i)) % 2;
    const next = i + 1 === bits ? bits + 16 : i + 1; // the first data record
    tree.writeUIntBE(bit === 0 ? next : bits, i * 6, 3);
    tree.writeUIntBE(bit === 1 ? next : bits, i * 6 + 3, 3);
  }
  const data = map(text('country'), map(text('iso_code'), text(country)));
  const metadata = map(
    text('binary_format_major_version'), uint16(2),
    text('binary_format_minor_version'), uint16(0),
    text('build_epoch'), uint64(1),
    text('database_type'), text('Test'),
    text('description'), map(text('en'), text('Test')),
    text('ip_version'), uint16(4),
    text('languages'), array(text('en')),
    text('node_count'), uint32(bits),
    text('record_size'), uint16(24),
  );
  const mark = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from('MaxMind.com')]);
  return Buffer.concat([tree, Buffer.alloc(16), data, mark, metadata]);
}

test('the country comes from the address when nobody says it', async () => {
  const dir = temporaryFolder();
  const file = path.join(dir, 'countries.mmdb');
  writeFileSync(file, database('198.51.100.0', 24, 'NL'));
  const server = await Server.start({
    dir,
    args: ['--geoip', file, '--address-header', 'X-Client', '--country-header', 'X-Country'],
  });
  const channel = await server.channel('geo');
  const sync = async (headers, body = {}) => {
    const { id } = await server.must('POST', `/subscription/sync/${channel}`, {
      key: null,
      headers,
      body: { platformName: 'Android', browserType: 'SDK', ...body },
    });
    return server.must('GET', `/v1/channels/${channel}/subscriptions/${id}`);
  };
  assert.equal((await sync({ 'x-client': '198.51.100.7' })).country, 'NL');
  assert.equal((await sync({ 'x-client': '203.0.113.9, 198.51.100.7' })).country, 'NL');
  assert.equal((await sync({ 'x-client': '203.0.113.9' })).country, undefined);
  assert.equal((await sync({ 'x-client': 'nonsense' })).country, undefined);
  assert.equal((await sync({ 'x-client': '198.51.100.7', 'x-country': 'fr' })).country, 'FR');
  assert.equal((await sync({ 'x-client': '198.51.100.7', 'x-country': 'XX' })).country, 'NL');
  assert.equal((await sync({ 'x-client': '198.51.100.7' }, { country: 'DE' })).country, 'DE');
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test('a file that is no such database is refused by name', async () => {
  const dir = temporaryFolder();
  const file = path.join(dir, 'countries.mmdb');
  writeFileSync(file, 'no database');
  const ended = await run(['serve', '--listen', '127.0.0.1:0', '--data', path.join(dir, 'data'), '--geoip', file]);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /--geoip.*countries\.mmdb/s);
});
