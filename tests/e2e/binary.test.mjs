// What the compiler and the linker were told is in the program.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { BIN } from './harness.mjs';

const read = (...args) => spawnSync('readelf', ['--wide', ...args, BIN], { encoding: 'utf8' }).stdout ?? '';
const skip = !/ELF Header/.test(read('--file-header')) && 'needs readelf';
const dynamic = read('--dynamic');
const symbols = read('--dyn-syms');
const segments = read('--program-headers');

test('it can be loaded anywhere', { skip }, () => {
  assert.match(read('--file-header'), /Type: +DYN/);
  assert.match(dynamic, /FLAGS_1.*\bPIE\b/);
  assert.doesNotMatch(dynamic, /TEXTREL/);
});

test('its table of functions is filled at the start and read-only from then on', { skip }, () => {
  assert.match(segments, /GNU_RELRO/);
  assert.match(dynamic, /FLAGS_1.*\bNOW\b/);
});

test('nothing is both writable and executable, least of all the stack', { skip }, () => {
  assert.match(segments, /GNU_STACK +\S+ +\S+ +\S+ +\S+ +\S+ +RW +/);
  assert.doesNotMatch(segments, /LOAD.*RWE/);
});

test('it loads no library from unusual places', { skip }, () => {
  assert.doesNotMatch(dynamic, /RPATH|RUNPATH/);
});

test('its stack is guarded and its copies are checked', { skip }, () => {
  assert.match(symbols, /__stack_chk_fail/);
  assert.match(symbols, /__(memcpy|snprintf|vsnprintf|read|pread|recv|poll)_chk/);
});
