// The quick start of the README, word for word, in an empty folder beside the built program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { BIN, ROOT, cleanEnv, temporaryFolder, within } from './harness.mjs';

// The shell blocks of one section.
function blocks(section) {
  const text = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const [, from] = text.split(`\n## ${section}\n`);
  assert.ok(from, `README.md has a section "${section}"`);
  const [body] = from.split(/\n## /);
  return [...body.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]);
}

// Says so, rather than letting somebody else's server answer.
async function mustBeFree(port) {
  const socket = net.connect({ host: '127.0.0.1', port });
  const taken = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false, () => false),
  ]).catch(() => false);
  socket.destroy();
  assert.ok(!taken, `port ${port} is in use here; the quick start needs it`);
}

test('the quick start works word for word', async () => {
  const steps = blocks('Quick start');
  assert.ok(steps.length > 0, 'it has commands');
  for (const port of [8420, 8421]) await mustBeFree(port);

  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'build'));
  symlinkSync(BIN, path.join(folder, 'build/pushwire'));
  const end = 'kill $(jobs -p) 2>/dev/null; wait';
  const script = `set -e\ntrap '${end}' EXIT\n${steps.join('\n')}`;
  const child = spawn('bash', ['-c', script], { cwd: folder, env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
  const [code] = await within(once(child, 'close'), 'the quick start').catch((error) => {
    child.kill('SIGTERM'); // its trap ends what it began
    throw new Error(`${error.message}\n${output}`);
  });
  assert.equal(code, 0, output);
  assert.match(output, /evt_[0-9a-z]{13}/, output);
});
