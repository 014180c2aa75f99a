// A service manager as the server sees one: a datagram socket that hears READY=1, WATCHDOG=1, …
// Node has no such sockets, so a few lines of Python listen.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { Program, temporaryFolder } from './harness.mjs';

const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', chr(0), 1) if sys.argv[1][0] == '@' else sys.argv[1])
print('bound', flush=True)
while True:
    for line in s.recv(4096).decode().split(chr(10)):
        print('heard', line, flush=True)
`;

export const noPython = spawnSync('python3', ['-c', '']).status !== 0 && 'needs python3';

export class Manager extends Program {
  static async open(address = path.join(temporaryFolder(), 'notify')) {
    const manager = new Manager(['-c', LISTENER, address], { bin: 'python3' });
    await manager.line(/^bound$/);
    manager.address = address;
    return manager;
  }

  // What it has heard so far, of one name.
  heard(name) {
    return this.lines.all.map((line) => /^heard (.*?)=(.*)$/.exec(line)).filter((each) => each?.[1] === name);
  }

  hears(name, value, times = 1) {
    return this.lines.until(`${name}=${value}`, () => {
      const found = this.heard(name).filter((each) => each[2] === value);
      return found.length >= times && found;
    });
  }
}
