// What the shells complete, asked of the shells themselves.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { GIVE_UP_MS, ROOT, TYPES, cleanEnv, run, temporaryFolder } from './harness.mjs';

const folder = temporaryFolder();
mkdirSync(path.join(folder, 'a folder'));
for (const file of ['events.json', 'a b.json']) writeFileSync(path.join(folder, file), '');

const scriptOf = async (shell) => {
  const { code, stdout } = await run(['completion', shell]);
  assert.equal(code, 0);
  const file = path.join(temporaryFolder(), `pushwire.${shell}`);
  writeFileSync(file, stdout);
  return file;
};

const ask = (command, args) => {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder, encoding: 'utf8', timeout: GIVE_UP_MS, env: cleanEnv(),
  });
  assert.equal(status, 0, stderr);
  return stdout.split('END\n').slice(0, -1).map((part) => part.split('\n').filter(Boolean).sort());
};

const STATES = ['cancelled', 'failed', 'held', 'succeeded', 'waiting'];
const list = (prefix, words) => words.map((word) => prefix + word).sort();

// What is typed, the last word being completed, and what completes it; a function looks at that.
const cases = [
  ['pushwire web', ['webhook']],
  ['pushwire ', (all) => ['serve', 'call', 'channel', 'completion'].every((word) => all.includes(word))],
  ['pushwire call re', (all) => all.includes('retry') && !all.includes('list')],
  ['pushwire webhook rot', ['rotate-secret']],
  ['pushwire call list --sta', ['--state']],
  ['pushwire key create --role ', ['admin', 'ingest', 'manage', 'read']],
  ['pushwire webhook test x --type ', TYPES],
  ['pushwire send cl', ['click']],
  ['pushwire serve --log-level ', ['debug', 'error', 'info', 'warn']],
  ['pushwire call list --limit ', []],
  ['pushwire restore ev', ['events.json']],
  ['pushwire help chan', ['channel']],
  ['pushwire completion ', ['bash', 'zsh']],
];

test('bash completes commands, verbs, options, their words and files', async () => {
  const script = await scriptOf('bash');
  const program = `
    source "$1"; shift
    for typed in "$@"; do
      # As readline splits it: an equals sign is a word.
      IFS=' ' read -ra COMP_WORDS <<<"\${typed//=/ = }"
      [[ $typed == *' ' || $typed == *= ]] && COMP_WORDS+=('')
      [[ $typed == *= ]] && unset 'COMP_WORDS[-1]'
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _pushwire 2>&1
      printf '%s\\n' "\${COMPREPLY[@]}" END
    done`;
  const own = [
    ['pushwire call list --state ', STATES],
    ['pushwire call list --state failed,he', ['failed,held']],
    ['pushwire call list --state failed,', list('failed,', STATES.filter((state) => state !== 'failed'))],
    ['pushwire call list --color=', ['always', 'auto', 'never']],
    ['pushwire call list --color=al', ['always']],
    ['pushwire send --data e', ['events.json']],
    ['pushwire send --data-dir a', ['a folder']],
    ['pushwire send --data a', ['a b.json', 'a folder']],
    ['pushwire webhook list --', (all) => all.includes('--channel') && all.includes('--help') && !all.includes('--state')],
  ];
  const all = [...cases, ...own];
  const answers = ask('bash', ['--norc', '-c', program, 'bash', script, ...all.map(([typed]) => typed)]);
  check(all, answers);
});

test('zsh completes the same', async () => {
  const script = await scriptOf('zsh');
  const own = [
    ['pushwire call list --state ', STATES],
    ['pushwire call list --state failed,he', ['held']],
    ['pushwire send --data e', (all) => all.includes('events.json')],
    ['pushwire webhook list --', (all) => all.includes('--channel') && all.includes('--help') && !all.includes('--state')],
  ];
  const all = [...cases, ...own];
  const file = path.join(ROOT, 'tests/e2e/completion.zsh');
  const answers = ask('zsh', ['-f', file, script, temporaryFolder(), ...all.map(([typed]) => typed)]);
  check(all, answers);
});

function check(all, answers) {
  assert.equal(answers.length, all.length);
  for (const [i, [typed, expected]] of all.entries()) {
    if (typeof expected === 'function') assert.ok(expected(answers[i]), `${typed}: ${answers[i]}`);
    else assert.deepEqual(answers[i], expected, typed);
  }
}

test('a shell without a script is told which there are', async () => {
  const { code, stderr } = await run(['completion', 'fish']);
  assert.equal(code, 2);
  assert.match(stderr, /expected bash or zsh, not fish/);
});
