// A webhook that answers every call with 500 and one that never answers, with thousands due at both,
// among 99 that are well: these get everything when their turn comes, and the bad ones hold no more
// than their windows. What is counted is calls, never time.
import { eventually, pause } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

export const id = 'R26';
export const title = 'one webhook says 500, one never answers, 99 are well';
export const controlNeeds = ['faults'];
export const rounds = 1;
export const minutes = 1;

const WELL = 99;
const GOOD_FIRST = 200; // calls that the one which says 500 takes before, so that its window is open
const DUE = 4000;
const WINDOW = 32; // the default of --window
const EVENTS = 40;
const BURST = 10;
const HANGS = 9; // calls that hang until their deadline: then the window is down to one
const ARGS = ['--senders', '1', '--deadline', '2s', '--drain-rate', '0', '--drain-total', '0'];

// One that behaves as `bad(res, leave)` says unless it is well, and knows how many calls it has at a time.
class Bad {
  constructor(bad) {
    this.bad = bad;
    this.well = true;
    this.calls = this.now = this.most = 0;
  }

  answer(res) {
    this.calls++;
    this.most = Math.max(this.most, ++this.now);
    let here = true;
    const leave = () => {
      if (here) this.now--;
      here = false;
    };
    res.on('close', leave);
    if (!this.well) return this.bad(res, leave);
    leave();
    res.writeHead(200).end();
    return 200;
  }
}

const refuses = (ms) =>
  new Bad(async (res, leave) => {
    await pause(ms);
    leave();
    res.writeHead(500).end();
    return 500;
  });

const hangs = () => new Bad(() => null);

// Those that are well: since `begin`, when their calls came, how far the first of them was ahead of
// the last, and how many calls the poison had from their first to their last.
class Well {
  constructor(poison) {
    this.poison = poison;
    this.begin();
  }

  begin() {
    this.began = performance.now();
    this.took = [];
    this.counts = Array(WELL).fill(0);
    this.ahead = this.poisoned = 0;
  }

  answer(i, res) {
    if (this.took.length === 0) this.before = this.poison.calls;
    this.took.push(performance.now() - this.began);
    this.ahead = Math.max(this.ahead, ++this.counts[i] - Math.min(...this.counts));
    this.poisoned = this.poison.calls - this.before;
    res.writeHead(200).end();
    return 200;
  }
}

async function post(oracle, server, n) {
  for (let left = n; left > 0; left -= 500) {
    const status = await oracle.post(server, Math.min(left, 500));
    if (status !== 202) throw new Error(`events were answered with ${status}`);
  }
}

async function settled(oracle, hooks) {
  const missing = await oracle.settle(15_000, hooks);
  if (missing.length > 0) throw new Violation(`I1: ${missing.length} events stopped before webhooks that are well`);
}

// The 99 come after what is due at the bad ones.
async function scene(t, { args, ms, fault }) {
  const oracle = t.oracle({ senders: 1 });
  const server = await t.start({ args: [...ARGS, ...args], fault });
  await server.channel('c');
  const poison = refuses(ms);
  const hanging = hangs();
  const well = new Well(poison);
  const first = await oracle.webhook(server, { answer: (res) => poison.answer(res) });
  await post(oracle, server, GOOD_FIRST);
  await settled(oracle, [first]);
  poison.well = hanging.well = false;
  await oracle.webhook(server, { answer: (res) => hanging.answer(res) });
  await post(oracle, server, DUE);
  const hooks = [];
  for (let i = 0; i < WELL; i++) {
    hooks.push(await oracle.webhook(server, { answer: (res) => well.answer(i, res) }));
  }
  return { oracle, server, poison, hanging, well, hooks };
}

// One event after the other to all that are well; 99 of 100 calls took no longer than this.
async function p99({ oracle, server, well, hooks }) {
  const took = [];
  for (let i = 0; i < EVENTS; i++) {
    well.begin();
    await post(oracle, server, 1);
    await settled(oracle, hooks);
    took.push(...well.took);
  }
  return took.sort((a, b) => a - b)[Math.floor(took.length * 0.99)];
}

// The bad ones become well, and get all that they have not had.
async function heal({ oracle, server, poison, hanging }) {
  poison.well = hanging.well = true;
  await oracle.judge(server);
}

function judgeWindow(what, { most }) {
  if (most > WINDOW) throw new Violation(`${most} calls in flight at one that ${what}, its window is ${WINDOW}`);
}

async function windows(t, args) {
  const all = await scene(t, { args, ms: 100 });
  const { server, poison, hanging } = all;
  await t.survive(async () => {
    const among = await p99(all);
    judgeWindow('says 500', poison);
    judgeWindow('never answers', hanging);
    if (poison.most < WINDOW / 2) throw new Error(`only ${poison.most} calls in flight: that shows nothing`);
    await eventually('calls hang', () => hanging.calls >= HANGS);
    hanging.most = 0;
    await eventually('more of them', () => hanging.calls >= HANGS + 3);
    // One, and one whose end is not seen yet.
    if (hanging.most > 2) throw new Violation(`${hanging.most} calls in flight at one that never answers`);
    await heal(all);
    const alone = await p99(all);
    const times = (among / alone).toFixed(2);
    t.note(`p99 of those that are well: ${among.toFixed(1)} ms, ${times} times what it is when all are`);
  });
  await server.stop();
}

// With few slots it counts whose turn it is: each has one in a round, and so has the poison.
async function turns(t, fault) {
  const all = await scene(t, { args: ['--slots', `${WINDOW}`], ms: 2, fault });
  const { oracle, server, well, hooks } = all;
  await t.survive(async () => {
    await p99(all); // all have their connections
    well.begin();
    await post(oracle, server, BURST);
    await settled(oracle, hooks);
    t.say(`${well.poisoned} calls to the poison, ${well.ahead} ahead`);
    if (well.poisoned > BURST + WINDOW) {
      throw new Violation(`${well.poisoned} calls to one that says 500 while ${WELL} others got ${BURST} each`);
    }
    if (well.ahead > BURST / 2) throw new Violation(`one webhook was ${well.ahead} of ${BURST} calls ahead of another`);
    await heal(all);
  });
  await server.stop();
}

export async function run(t) {
  for (const _ of t.cycle()) {
    await windows(t, []);
    await turns(t);
  }
}

async function caught(work) {
  try {
    await work();
  } catch (error) {
    if (error instanceof Violation) return true;
    throw error;
  }
  return false;
}

// A window as wide as it can be, and a program in which whoever has a turn keeps it: both are seen.
export async function control(t) {
  return (await caught(() => windows(t, ['--window', '1024']))) && (await caught(() => turns(t, 'turn-kept')));
}
