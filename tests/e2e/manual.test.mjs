// The pages of the manual say all that the program takes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { BIN, run } from './harness.mjs';

const help = async (...words) => {
  const { code, stdout } = await run(['help', ...words]);
  assert.equal(code, 0, words.join(' '));
  return stdout;
};
const rows = (text, title) => text.split(`${title}:\n`)[1].split('\n\n')[0]
  .split('\n').map((line) => /^ {2}(\S+)/.exec(line)?.[1]).filter(Boolean);
const pageOf = (name) => path.join(path.dirname(BIN), 'man', `${name}.1`);

test('every command has its page, which names its verbs and all their options', async () => {
  const overview = readFileSync(pageOf('pushwire'), 'utf8');
  for (const command of rows(await help(), 'Commands')) {
    assert.match(overview, new RegExp(`^\\.It Xr pushwire-${command} 1$`, 'm'));
    const page = readFileSync(pageOf(`pushwire-${command}`), 'utf8');
    const text = await help(command);
    assert.match(text, new RegExp(`man pushwire-${command}\\b`));
    const verbs = text.includes('Verbs:') ? rows(text, 'Verbs') : [];
    for (const verb of verbs) {
      assert.match(page, new RegExp(`^\\.It Cm ${verb}\\b`, 'm'), `${command} ${verb}`);
      assert.match(page, new RegExp(`^\\.Nm pushwire ${command} ${verb}$`, 'm'));
    }
    for (const words of verbs.length ? verbs.map((verb) => [command, verb]) : [[command]]) {
      for (const option of rows(await help(...words), 'Options')) {
        assert.match(page, new RegExp(`^\\.It (.* )?Fl ${option.slice(1)}( |$)`, 'm'), `${words.join(' ')} ${option}`);
      }
    }
    assert.match(page, /^\.Sh EXIT STATUS$/m);
    assert.match(page, /^\.Sh SEE ALSO$/m);
  }
});

test('help of what there is none of says what may have been meant', async () => {
  for (const [words, said] of [[['cal'], /call/], [['call', 'retyr'], /retry/]]) {
    const { code, stderr } = await run(['help', ...words]);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`did you mean ${said.source}\\?`));
  }
});

test('the pages are well formed', { skip: !existsSync('/usr/bin/mandoc') && 'no mandoc' }, async () => {
  const pages = ['pushwire', ...rows(await help(), 'Commands').map((name) => `pushwire-${name}`)].map(pageOf);
  const { status, stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', ...pages], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
