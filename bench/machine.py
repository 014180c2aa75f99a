"""What the machine was, so that figures can be read a year later."""

import json
import os
import platform
import statistics
import time


def first_match(path, prefix):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(prefix):
                return line.split(":", 1)[1].strip()
    return "unknown"


def file_system(path):
    """Type and device of the mount that holds the path."""
    best, found = "", "unknown"
    real = os.path.realpath(path)
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            device, mount, kind = line.split()[:3]
            inside = real == mount or real.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(best):
                best, found = mount, f"{kind} on {device}"
    return found


def sync_us(directory, samples=200):
    path = os.path.join(directory, "sync")
    took = []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    for _ in range(samples):
        begin = time.monotonic()
        os.write(fd, b"x" * 512)
        os.fdatasync(fd)
        took.append((time.monotonic() - begin) * 1e6)
    os.close(fd)
    os.unlink(path)
    return statistics.median(took)


def build_type(build):
    try:
        path = os.path.join(build, "meson-info", "intro-buildoptions.json")
        with open(path, encoding="utf-8") as file:
            chosen = {option["name"]: option["value"] for option in json.load(file)}
        return f"{chosen['buildtype']}, sanitizers: {chosen['b_sanitize']}"
    except (OSError, KeyError, ValueError):
        return "unknown"


def describe(build, work):
    memory_kib = int(first_match("/proc/meminfo", "MemTotal").split()[0])
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": first_match("/proc/cpuinfo", "model name"),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "memoryGiB": round(memory_kib / 2**20, 1),
        "fileSystem": file_system(work),
        "fdatasyncUs": round(sync_us(work), 1),
        "build": build_type(build),
    }


def lines(box):
    return [
        f"{box['cores']} cores, {box['cpu']}, {box['memoryGiB']} GiB, {box['kernel']}",
        f"data on {box['fileSystem']}, fdatasync {box['fdatasyncUs']:.0f} us (median); "
        f"build: {box['build']}",
    ]
