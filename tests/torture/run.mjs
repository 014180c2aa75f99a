// Runs every fault's module and its control, and prints one table. `make torture` is
// scripts/torture.sh, which builds both programs and calls this. README.md says how to add one.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Rig, Violation, unmet } from './rig.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MODULE = /^[a-z]\d+\w*\.mjs$/;

const only = (process.env.ONLY ?? '').split(',').filter(Boolean).map((id) => id.toUpperCase());
const smoke = Boolean(process.env.SMOKE);
const minutes = Number(process.env.MINUTES ?? (smoke ? 1 : 30));
const rounds = process.env.ROUNDS ?? (smoke ? 2 : undefined);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

// R1 … R9 before R10; what has a letter in front of another kind after.
function order(a, b) {
  const key = ({ id }) => [id[0], Number.parseInt(id.slice(1), 10), id];
  const [x, y] = [key(a), key(b)];
  const at = x.findIndex((part, i) => part !== y[i]);
  return at < 0 ? 0 : x[at] < y[at] ? -1 : 1;
}

async function modules() {
  const found = [];
  for (const name of readdirSync(HERE).filter((each) => MODULE.test(each))) {
    const module = await import(path.join(HERE, name));
    found.push(...[module.default ?? module].flat());
  }
  const unknown = only.filter((id) => !found.some((fault) => fault.id.toUpperCase() === id));
  if (unknown.length > 0) throw new Error(`no fault is called ${unknown}`);
  return found.filter((fault) => only.length === 0 || only.includes(fault.id.toUpperCase())).sort(order);
}

// ---- one fault ----

function sayer(fault, part) {
  const began = performance.now();
  let last = 0;
  return (what) => {
    const seconds = Math.round((performance.now() - began) / 1000);
    const line = `${fault.id.padEnd(4)} ${part} ${what} (${seconds} s)`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
    else if (performance.now() - last > 20_000) process.stderr.write(`${line}\n`);
    else return;
    last = performance.now();
  };
}

const clear = () => process.stderr.isTTY && process.stderr.write('\r\x1b[K');

async function withRig(options, work) {
  const rig = new Rig(options);
  let error = null;
  try {
    const given = await work(rig);
    if (given && typeof given === 'object') Object.assign(rig, given);
    rig.given = given;
  } catch (thrown) {
    error = thrown;
  }
  try {
    await rig.close();
  } catch (thrown) {
    error ??= thrown;
  }
  return { rig, error };
}

async function runFault(fault, share) {
  const options = { fault, seed, minutes: share, rounds: Number(rounds ?? fault.rounds ?? 20) };
  const run = await withRig({ ...options, say: sayer(fault, 'run') }, (rig) => fault.run(rig));
  clear();
  const row = { fault, ...pick(run.rig), error: run.error, control: '-' };
  if (fault.control) Object.assign(row, await runControl(fault, options));
  else row.control = 'none';
  return row;
}

const pick = ({ tried, survived, lost, duplicates, notes }) => ({ tried, survived, lost, duplicates, notes });

// A control run is caught when it throws a Violation, or says so by returning true.
async function runControl(fault, options) {
  const missing = unmet(fault.controlNeeds ?? []);
  if (missing) return { control: `skipped: needs ${missing}` };
  const { rig, error } = await withRig({ ...options, say: sayer(fault, 'control') }, (each) => fault.control(each));
  clear();
  if (error instanceof Violation || rig.given === true) return { control: 'caught' };
  const why = error ? `broke: ${error.message}` : 'it was NOT caught';
  return { control: error ? 'broke' : 'NOT CAUGHT', controlError: error ?? new Error(why) };
}

// ---- the table ----

function print(rows) {
  const head = ['fault', 'what', 'tried', 'survived', 'lost', 'duplicates', 'control'];
  const cells = rows.map((row) =>
    row.skipped
      ? [row.fault.id, row.fault.title, '-', '-', '-', '-', `skipped: needs ${row.skipped}`]
      : [row.fault.id, row.fault.title, row.tried, row.survived, row.error ? `${row.lost || ''} FAILED`.trim() : row.lost,
        row.duplicates, row.control],
  );
  const table = [head, ...cells].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...table.map((row) => row[i].length)));
  const numbers = new Set([2, 3, 4, 5]);
  const line = (row) =>
    `| ${row.map((cell, i) => (numbers.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(' | ')} |`;
  const rule = `| ${widths.map((n, i) => (numbers.has(i) ? `${'-'.repeat(n - 1)}:` : '-'.repeat(n))).join(' | ')} |`;
  console.log([line(table[0]), rule, ...table.slice(1).map(line)].join('\n'));
  for (const { fault, notes = [] } of rows) for (const note of notes) console.log(`${fault.id}: ${note}`);
}

function report(row) {
  for (const [what, error] of [['', row.error], [' control', row.controlError]]) {
    if (!error) continue;
    const text = error instanceof Violation ? error.message : error.stack;
    console.log(`\n${row.fault.id}${what} (SEED=${seed}):\n${text}`);
  }
}

let done = false;

async function main() {
  const faults = await modules();
  const ready = faults.filter((fault) => !unmet(fault.needs));
  const weight = ready.reduce((sum, fault) => sum + (fault.minutes ?? 1), 0);
  process.stderr.write(`${ready.length} of ${faults.length} faults, about ${minutes} minutes, SEED=${seed}\n`);
  const rows = [];
  // What is interrupted shows what it has.
  process.prependListener('exit', () => !done && rows.length > 0 && print(rows));
  for (const fault of faults) {
    const skipped = unmet(fault.needs);
    const share = (minutes * (fault.minutes ?? 1)) / weight;
    const row = skipped ? { fault, skipped } : await runFault(fault, share);
    rows.push(row);
    if (row.error || row.controlError) report(row);
  }
  done = true;
  console.log('');
  print(rows);
  const bad = rows.filter((row) => row.error || row.lost > 0 || row.controlError);
  const tried = rows.reduce((sum, row) => sum + (row.tried ?? 0), 0);
  const skipped = rows.filter((row) => row.skipped).length;
  const tail = `${rows.length - skipped} faults, ${tried} trials, ${skipped} skipped, SEED=${seed}`;
  console.log(bad.length === 0 ? `\nno loss: ${tail}` : `\nFAILED: ${bad.map((row) => row.fault.id).join(', ')}; ${tail}`);
  return bad.length === 0 && rows.length > skipped ? 0 : 1;
}

process.exit(await main());
