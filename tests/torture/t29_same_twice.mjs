// The same source gives the same program, from two folders, without a compiler cache; and no file
// that is kept is one that nobody could read.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

export const id = 'T29';
export const title = 'two builds from clean folders are the same bytes; no binaries are kept';
export const needs = ['cc'];
export const rounds = 1;
export const minutes = 1;

const git = (...args) => execFileSync('git', ['-C', ROOT, ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });

function build(t, name, args = []) {
  const folder = path.join(t.folder(), name);
  mkdirSync(folder);
  for (const file of git('ls-files', '-z').split('\0').filter(Boolean)) {
    cpSync(path.join(ROOT, file), path.join(folder, file));
  }
  const env = { ...process.env, CCACHE_DISABLE: '1' };
  execFileSync('meson', ['setup', 'out', ...args], { cwd: folder, env, stdio: 'ignore' });
  execFileSync('ninja', ['-C', 'out', 'pushwire'], { cwd: folder, env, stdio: 'ignore' });
  return createHash('sha256').update(readFileSync(path.join(folder, 'out/pushwire'))).digest('hex');
}

const differ = (a, b) => {
  if (a !== b) throw new Violation(`two builds differ: ${a} and ${b}`);
};

// A few seeds of fuzzers are binary, and nothing else is: git says which files it takes for that.
function binaries() {
  const empty = execFileSync('git', ['hash-object', '-t', 'tree', '--stdin'], { input: '', encoding: 'utf8' }).trim();
  const kept = git('diff', '--numstat', empty, 'HEAD').split('\n').filter((line) => line.startsWith('-\t-\t'));
  const wrong = kept.map((line) => line.split('\t')[2]).filter((file) => !file.startsWith('tests/fuzz/corpus/'));
  if (wrong.length > 0) throw new Violation(`binary files are kept: ${wrong.join(', ')}`);
}

let first;

export async function run(t) {
  await t.survive(async () => binaries());
  t.say('the first build');
  first = build(t, 'one');
  t.say('the second build');
  await t.survive(async () => differ(first, build(t, 'another-name')));
}

// A build that is not the same: without its assertions.
export async function control(t) {
  differ(first, build(t, 'one-more', ['-Dc_args=-DNDEBUG']));
}
