// The program's clocks lie: set by a day while it runs and while it is down, and too fast by a
// tenth. Attempts are looked at by the clock of whoever receives them.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Receiver, click, eventually, pause } from '../e2e/harness.mjs';
import { Violation } from './rig.mjs';

const DAY_S = 86_400;
const DELAY_S = 2;
const RETRY = { maxRetries: 4, initialDelay: DELAY_S, factor: 1, maxDelay: DELAY_S };

const library = () => {
  const machine = execFileSync('cc', ['-dumpmachine'], { encoding: 'utf8' }).trim().replace('-pc-', '-');
  const found = [`/usr/lib/${machine}/faketime/libfaketimeMT.so.1`, '/usr/lib/faketime/libfaketimeMT.so.1'];
  return found.find((file) => existsSync(file));
};

// The wall clock as the file says; the others are true. The sandbox would not let the program
// read the file.
const SEES_FILES = ['--sandbox', 'off'];
function wall(t) {
  const file = path.join(t.folder(), 'time');
  const set = (seconds) => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  set(0);
  const env = {
    LD_PRELOAD: library(),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  return { env, set };
}

// A receiver that says 503 to each event's first calls, and when each call of it came.
async function picky(t, failures) {
  const at = new Map();
  const receiver = await Receiver.open((res, call) => {
    const times = at.get(call.id) ?? [];
    times.push(performance.now());
    at.set(call.id, times);
    res.writeHead(times.length > failures ? 200 : 503).end();
  });
  t.after(() => receiver.close());
  return { receiver, at };
}

const post = async (server, events) =>
  (await server.must('POST', '/v1/channels/c/events', { body: events })).data.map((event) => event._id);

async function setting(t, env, failures, retry = RETRY) {
  const server = await t.start({ env, args: ['--drain-rate', '0', '--drain-total', '0', ...SEES_FILES] });
  await server.channel('c');
  const { receiver, at } = await picky(t, failures);
  await server.webhook('c', receiver.url, { retry });
  return { server, at };
}

function checkWaits(times, least, most, what) {
  for (let i = 1; i < times.length; i++) {
    const waited = (times[i] - times[i - 1]) / 1000;
    if (waited < least - 0.01) throw new Violation(`${what}: attempt ${i + 1} came after ${waited} s, too early`);
    if (waited > most) throw new Violation(`${what}: attempt ${i + 1} came after ${waited} s, late`);
  }
}

// That the program's clock was set is seen in the date of its answers.
async function checkSeen(server, jump) {
  const { headers } = await server.call('GET', '/v1/channels');
  const seen = (Date.parse(headers.date) - Date.now()) / 1000;
  if (Math.abs(seen - jump) > 5) throw new Error(`the clock was to be off by ${jump} s, and is by ${seen}`);
}

async function checkDurations(server, id) {
  const { calls } = await server.must('GET', `/v1/channels/c/events/${id}`);
  const call = await server.must('GET', `/v1/channels/c/calls/${calls[0]._id}`);
  for (const attempt of call.attemptLog) {
    if (!(attempt.durationMs >= 0 && attempt.durationMs < 10_000)) throw new Violation(`${attempt.durationMs} ms`);
  }
}

// ---- while it runs ----

async function running(t, jumps) {
  const { env, set } = wall(t);
  const { server, at } = await setting(t, env, 3);
  for (const jump of jumps) {
    await t.survive(async () => {
      const [id] = await post(server, click('c', `j${jump}`));
      await eventually('the first attempt', () => at.get(id)?.length >= 1);
      set(jump);
      await eventually('all attempts', () => at.get(id).length === 4);
      await checkSeen(server, jump);
      checkWaits(at.get(id), DELAY_S, DELAY_S * 1.1 + 1, `set by ${jump} s`);
      await checkDurations(server, id);
    });
  }
  await server.stop();
}

// ---- while it is down ----

async function down(t, jump, { waiting = 60, rate = 20, told = rate } = {}) {
  const long = { maxRetries: 1, initialDelay: 3600, factor: 1, maxDelay: 3600 };
  const { env, set } = wall(t);
  const args = ['--drain-rate', `${told}`, '--drain-total', '0', ...SEES_FILES];
  const before = await setting(t, env, 1, jump > 0 ? long : RETRY);
  await t.survive(async () => {
    const ids = await post(before.server, Array.from({ length: waiting }, (_, i) => click('c', `w${i}`)));
    await eventually('all have failed once', async () => ids.every((id) => before.at.get(id)?.length >= 1));
    await pause(200);
    await before.server.stop();
    set(jump);
    const server = await t.start({ dir: before.server.dir, env, args });
    await eventually('all have come', () => ids.every((id) => before.at.get(id).length === 2));
    const second = ids.map((id) => before.at.get(id)[1]).sort((a, b) => a - b);
    for (let i = rate * 1.25; i < second.length; i++) {
      if (second[i] - second[i - rate * 1.25] < 1000) throw new Violation(`more than ${rate} calls within a second`);
    }
    await pause(1000);
    if (ids.some((id) => before.at.get(id).length > 2)) throw new Violation('a success was forgotten');
    await server.stop();
  });
}

// ---- too fast ----

async function fast(t, factor, least, most) {
  const { server, at } = await setting(t, { LD_PRELOAD: library(), FAKETIME: `+0 x${factor}` }, 3);
  await t.survive(async () => {
    const [id] = await post(server, click('c', 'fast'));
    await eventually('all attempts', () => at.get(id)?.length === 4);
    checkWaits(at.get(id), least, most, `a clock that is ${factor} times as fast`);
    await checkDurations(server, id);
  });
  await server.stop();
}

const clocks = (fault) => ({ needs: ['faketime', 'cc'], rounds: 1, minutes: 1, ...fault });

export default [
  clocks({
    id: 'R32',
    title: 'the clock is set forward by a day, running and down',
    run: async (t) => {
      await running(t, [DAY_S, 2 * DAY_S]);
      await down(t, DAY_S);
    },
    // No drain rate: the herd has to be noticed.
    control: (t) => down(t, DAY_S, { told: 0 }),
  }),
  clocks({
    id: 'R33',
    title: 'the clock is set back by a day, running and down',
    run: async (t) => {
      await running(t, [-DAY_S, -2 * DAY_S]);
      await down(t, -DAY_S);
    },
    // All clocks are at half speed: too late has to be noticed.
    control: (t) => fast(t, 0.5, DELAY_S, DELAY_S * 1.1 + 1),
  }),
  clocks({
    id: 'R35',
    title: 'all clocks run a tenth too fast',
    run: (t) => fast(t, 1.1, DELAY_S / 1.1, DELAY_S * 1.1 + 1),
    control: (t) => fast(t, 3, DELAY_S / 1.1, DELAY_S * 1.1 + 1),
  }),
];
