// Small disks of their own, for tests of what a disk can do. They need root and loop mounts.
import { spawnSync } from 'node:child_process';
import {
  closeSync, existsSync, mkdirSync, openSync, rmSync, statfsSync, truncateSync, writeFileSync, writeSync,
} from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from './harness.mjs';

const mounted = new Set();
process.on('exit', () => {
  for (const disk of mounted) disk.close();
});

function sh(command, ...args) {
  const ran = spawnSync(command, args, { encoding: 'utf8' });
  return ran.status === 0 ? null : `${command}: ${ran.error?.message ?? ran.stderr.trim()}`;
}

export class Disk {
  // Gives a disk, or says why there can be none here.
  static make(mib, mkfs = []) {
    if (process.getuid() !== 0) return 'needs root';
    const disk = new Disk();
    const folder = temporaryFolder();
    disk.image = path.join(folder, 'image');
    disk.dir = path.join(folder, 'mounted');
    mkdirSync(disk.dir);
    closeSync(openSync(disk.image, 'w'));
    truncateSync(disk.image, mib << 20);
    const trouble = sh('mkfs.ext4', '-q', '-m', '0', ...mkfs, disk.image) ?? disk.mount();
    if (trouble) return trouble;
    mounted.add(disk);
    return disk;
  }

  mount() {
    return sh('mount', '-o', 'loop,errors=remount-ro', this.image, this.dir);
  }

  remount(options) {
    return sh('mount', '-o', `remount,${options}`, this.dir);
  }

  // What the kernel does when it finds an error: the file system is read-only, also for files that
  // are open. (Nobody else may remount it while some are open for writing.) Says why it cannot.
  turnReadOnly() {
    const found = spawnSync('findmnt', ['-no', 'SOURCE', this.dir], { encoding: 'utf8' });
    const file = `/sys/fs/ext4/${path.basename(found.stdout?.trim() ?? '')}/trigger_fs_error`;
    if (!existsSync(file)) return `there is no ${file}`;
    writeFileSync(file, 'an error for a test');
    return null;
  }

  // After that, and with nothing open: as a start of the machine does.
  repair() {
    return sh('umount', this.dir) ?? this.check() ?? this.mount();
  }

  check() {
    const ran = spawnSync('e2fsck', ['-p', this.image], { encoding: 'utf8' });
    return ran.status <= 1 ? null : `e2fsck: ${ran.error?.message ?? ran.stdout}`;
  }

  free() {
    const { bavail, bsize } = statfsSync(this.dir);
    return bavail * bsize;
  }

  // Another program takes all but so many bytes.
  fill(leave = 0) {
    const fd = openSync(path.join(this.dir, 'filler'), 'a');
    let size = 1 << 20;
    while (size >= 4096 && this.free() > leave) {
      try {
        writeSync(fd, Buffer.alloc(Math.min(size, Math.max(4096, this.free() - leave))));
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
        size /= 4;
      }
    }
    closeSync(fd);
  }

  unfill() {
    rmSync(path.join(this.dir, 'filler'));
  }

  // Lazily, if something still uses it.
  close() {
    if (!mounted.delete(this)) return;
    if (sh('umount', this.dir)) sh('umount', '-l', this.dir);
    rmSync(this.image);
  }
}
