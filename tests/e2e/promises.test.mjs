// What the documents say is shown by a test is: every file and every test that they name is there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { ROOT } from './harness.mjs';

const read = (name) => readFileSync(path.join(ROOT, name), 'utf8');

function filesBelow(folder, extension) {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name === 'corpus') return [];
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(name, extension);
    return name.endsWith(extension) ? [name] : [];
  });
}

const tests = {
  c: filesBelow('tests', '.c').map(read).join('\n'),
  mjs: filesBelow('tests', '.test.mjs').map(read).join('\n'),
};

// Pieces of code in a text: a path of the tree, or the name of a test in C.
const code = (text) => [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);
const isPath = (piece) => /^(src|tests|docs|scripts|man|bench)\/[\w./-]*$/.test(piece);
const isTest = (piece) => /^[a-z][a-z0-9]*(_[a-z0-9]+){3,}$/.test(piece);

for (const page of ['docs/guarantees.md', 'SECURITY.md']) {
  test(`${page}: every file that it names is there`, () => {
    const paths = code(read(page)).filter(isPath);
    assert.ok(paths.length > 20);
    for (const name of paths) assert.ok(existsSync(path.join(ROOT, name)), name);
  });

  test(`${page}: every test that it names is there`, () => {
    for (const name of code(read(page)).filter(isTest)) {
      assert.match(tests.c, new RegExp(`^${name}\\(void \\*\\*`, 'm'), name);
    }
  });

  test(`${page}: every sentence of a table has a test`, () => {
    const rows = read(page).split('\n').filter((line) => /^\| [A-Z]/.test(line));
    const shown = page === 'SECURITY.md' ? rows.filter((row) => /^\| T\d/.test(row)) : rows;
    assert.ok(shown.length >= 30, `${shown.length} rows`);
    for (const row of shown) {
      const last = row.split(' | ').at(-1);
      assert.ok(code(last).some((piece) => /^(tests\/|make (fuzz|torture|test))/.test(piece) || isTest(piece)), row);
    }
  });
}

test('guarantees: a title of an end-to-end test that is named after its file is in it', () => {
  const named = [...read('docs/guarantees.md').matchAll(/`(tests\/e2e\/\w+\.test\.mjs)`, `([^`]+ [^`]+)`/g)];
  for (const [, file, title] of named) assert.ok(read(file).includes(title), `${file}: ${title}`);
});

test('guarantees: every fault that it names is one of make torture', () => {
  const modules = filesBelow('tests/torture', '.mjs').map(read).join('\n');
  const rows = read('docs/guarantees.md').split('\n').filter((line) => line.includes('`make torture`'));
  for (const [id] of rows.flatMap((row) => [...row.matchAll(/\bR\d+\b/g)])) {
    assert.match(modules, new RegExp(`\\bid(:| =) '${id}'`), id);
  }
});

test('SECURITY.md has a line for each of the thirty threats', () => {
  const rows = [...read('SECURITY.md').matchAll(/^\| T(\d+) \|/gm)].map((match) => Number(match[1]));
  assert.deepEqual(rows, Array.from({ length: 30 }, (_, i) => i + 1));
});
