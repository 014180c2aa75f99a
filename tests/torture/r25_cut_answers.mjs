// The connection breaks at every place of an answer. A complete head with 2xx is a success and
// never comes again; anything less is an outcome that nobody knows, and comes again as it was.
import { pause } from '../e2e/harness.mjs';

export const id = 'R25';
export const title = 'the connection breaks in the middle of the answer';
export const rounds = 8;
export const minutes = 1;

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 40\r\nX-Pad: abcdefgh\r\n\r\nok';
const HEAD = ANSWER.indexOf('\r\n\r\n') + 4;

// The first call of an event is cut, by a reset, an end, or a silence until the deadline.
function cut(t, res, nth) {
  const at = nth === 1 ? t.integer(ANSWER.length + 1) : ANSWER.length;
  const how = t.draw();
  res.socket.write(ANSWER.slice(0, at), () => {
    if (nth === 1 && at < HEAD && how < 0.04) return; // silence
    if (how < 0.5) res.socket.resetAndDestroy();
    else res.socket.end();
  });
  return { at, reset: how < 0.5 };
}

async function cuts(t, judge) {
  const oracle = t.oracle();
  const server = await t.start({ args: ['--deadline', '2s'] });
  await server.channel('c');
  await oracle.webhook(server, { answer: (res, call, nth) => judge(cut(t, res, nth), nth) });
  for (const round of t.cycle()) {
    await t.survive(async () => {
      await oracle.post(server, 15);
      await pause(50);
      t.say(`round ${round}`);
    });
  }
  await oracle.judge(server, judge === right ? {} : { quietMs: 4000 });
  await server.stop();
}

// A reset may overtake what was written before it: of a whole head nobody knows then.
const right = ({ at, reset }, nth) => {
  if (nth === 1 && at < HEAD) return null;
  return { status: 200, unknown: reset };
};

// Half a status line taken for a success: then every one of them comes "again".
const wrong = () => 200;

export const run = (t) => cuts(t, right);
export const control = (t) => cuts(t, wrong);
