// Data of a newer version: refused by the real program, and not a byte of it touched.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Receiver, Server, click, run } from './harness.mjs';
import { sealFirstPage } from './pages.mjs';

const files = (dir) =>
  Object.fromEntries(readdirSync(dir).sort().map((name) => [name, readFileSync(path.join(dir, name))]));

test('data of a newer version is refused and left as it is', async () => {
  const receiver = await Receiver.open();
  const server = await Server.start();
  await server.channel('c');
  await server.webhook('c', receiver.url);
  const [id] = await server.send('c', click('c', 's'));
  await server.callOf('c', id, 'succeeded');
  await server.stop();

  const database = path.join(server.data, 'pushwire.db');
  const bytes = readFileSync(database);
  const newer = Buffer.from(bytes);
  newer.writeUInt32BE(99, 60); // user_version
  sealFirstPage(newer);
  writeFileSync(database, newer);
  const before = files(server.data);
  for (let i = 0; i < 2; i++) {
    const done = await run(['serve', '--listen', '127.0.0.1:0', '--data', server.data]);
    assert.equal(done.code, 1);
    assert.match(done.stderr, /written by a newer pushwire \(schema 99; this one knows up to \d+\)/);
    const after = files(server.data);
    for (const name of Object.keys(before)) assert.ok(before[name].equals(after[name]), name);
    assert.deepEqual(
      Object.keys(after).filter((name) => !(name in before) && after[name].length > 0),
      [],
    );
  }

  writeFileSync(database, bytes);
  const again = await server.again();
  await again.callOf('c', id, 'succeeded');
  assert.equal((await again.stop()).code, 0);
  await receiver.close();
});
