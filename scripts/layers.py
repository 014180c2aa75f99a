#!/usr/bin/env python3
"""Fails on an include that breaks the order of the layers (docs/architecture.md).

A folder of src/ includes only what it may see; a third-party header is included only by
the files that own it; includes are rooted; a header says #pragma once.
"""

import fnmatch
import pathlib
import re
import sys

# What each folder may see beside itself.
SEES = {
    "base": [],
    "core": ["base"],
    "store": ["base", "core"],
    "schedule": ["base", "core"],
    "send": ["base", "core"],
    "engine": ["base", "core", "store", "schedule", "send"],
    "api": ["base", "core", "engine"],
    "cli": ["base", "core"],
}

# Files (as patterns) that may see more than their folder.
EXCEPTIONS = {
    "src/cli/serve*": ["store", "send", "engine", "api"],
    "src/cli/master_key*": ["store"],
    "src/cli/targets*": ["send"],
    "src/cli/check.c": ["send"],
    "src/cli/backup.c": ["store"],
    "src/cli/restore.c": ["store"],
    "src/cli/doctor_data.c": ["store"],
    "src/main.c": ["cli"],
}

# Third-party header -> the files that may include it.
OWNERS = {
    "openssl/*": ["src/base/crypto*.c", "src/base/tls.c"],
    "maxminddb.h": ["src/base/geoip.c"],
    "seccomp.h": ["src/base/sandbox_calls.c"],
    "sqlite3.h": ["src/store/sqlite*.[ch]", "tests/store/*.c", "tests/fuzz/fuzz_store.c"],
    "curl/*": ["src/send/curl*.[ch]", "src/send/url.c", "src/cli/client.c"],
    "ares.h": ["src/send/resolve*.[ch]"],
    "ini.h": ["src/cli/config_file.c"],
    "cmocka.h": ["tests/*"],
}

# The C library and the kernel: anybody's.
SYSTEM = re.compile(
    r"^(sys|net|netinet|arpa|linux)/|^(alloca|assert|ctype|dirent|errno|fcntl|getopt|ifaddrs|inttypes|langinfo"
    r"|grp|limits|locale|math|netdb|poll|pwd|pthread|sched|semaphore|setjmp|signal|stdarg|stdatomic"
    r"|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|termios|time"
    r"|unistd|wchar)\.h$"
)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def may_see(path):
    parts = path.parts
    if parts[0] != "src":
        return list(SEES)
    folder = parts[1] if len(parts) > 2 else None
    more = [seen for pattern, seen in EXCEPTIONS.items() if fnmatch.fnmatch(str(path), pattern)]
    return [folder, *SEES.get(folder, []), *(name for seen in more for name in seen)]


def complaints(path):
    text = path.read_text()
    if path.suffix == ".h" and "#pragma once" not in text:
        yield "no #pragma once"
    for quote, name in INCLUDE.findall(text):
        if quote == '"':
            folder = name.partition("/")[0]
            # Tests and benchmarks have headers of their own.
            own = path.parts[0] != "src" and (path.parent / name).exists()
            if not own and not pathlib.Path("src", name).exists():
                yield f'"{name}": includes are rooted at src/'
            elif folder in SEES and folder not in may_see(path):
                yield f'"{name}": {path.parent} must not see {folder}'
            continue
        if SYSTEM.match(name):
            continue
        owners = [o for pattern, o in OWNERS.items() if fnmatch.fnmatch(name, pattern)]
        if not owners:
            yield f"<{name}>: give this header an owner in scripts/layers.py"
        elif not any(fnmatch.fnmatch(str(path), own) for own in owners[0]):
            yield f"<{name}>: belongs to {', '.join(owners[0])}"


def main():
    found = 0
    for root in ("src", "tests", "bench"):
        for path in sorted(pathlib.Path(root).rglob("*.[ch]")):
            if "node_modules" in path.parts:
                continue
            for complaint in complaints(path):
                print(f"{path}: {complaint}")
                found += 1
    return 1 if found else 0


sys.exit(main())
