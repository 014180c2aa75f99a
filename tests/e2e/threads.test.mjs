// The system gives no more threads: at any of those that the server starts, and at its end.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Receiver, Server, click, temporaryFolder } from './harness.mjs';

const trace = ['strace', '-D', '-f', '-qq', '--signal=none'];
const works = spawnSync(trace[0], [...trace.slice(1), '-o', '/dev/null', '-e', 'trace=none', 'true']);
const skip = works.status !== 0 && 'needs strace';

// The sandbox hides clone3, so that the C library asks for clone.
const refusing = (log, n) =>
  [...trace, '-o', log, '-e', 'trace=clone,clone3', '-e', `inject=clone:error=EAGAIN:when=${n}`];

test('without one of its threads the server does not start, and says why', { skip }, async (t) => {
  const dir = temporaryFolder();
  const log = path.join(temporaryFolder(), 'log');
  let n = 1;
  for (; ; n++) {
    assert.ok(n < 50, 'every start is refused');
    const server = new Server({ dir, wrap: refusing(log, n) });
    await server.lines.until('its start or its end', (all) => all.some((line) => /^\(ended|^listening/.test(line)));
    if (!server.end) {
      t.after(() => server.stop('SIGKILL'));
      assert.ok(n > 4, `only ${n} threads were asked for`);
      // The next that it asks for is the one that keeps the time at its end.
      await server.listening();
      server.key = readFileSync(path.join(server.data, 'admin.key'), 'utf8').trim();
      await server.channel('works');
      const receiver = await Receiver.open();
      t.after(() => receiver.close());
      await server.webhook('works', receiver.url);
      const [id] = await server.send('works', click('works', 's'));
      await server.callOf('works', id, 'succeeded');
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
      assert.match(readFileSync(log, 'utf8'), /EAGAIN.*INJECTED/);
      return;
    }
    assert.deepEqual(server.end, { code: 1, signal: null }, server.output);
    assert.match(server.output, /thread/, server.output);
  }
});
