#!/usr/bin/env python3
"""Builds the dashboard into a C file, once for each content of its sources.

    scripts/dashboard.py OUT.c OUT.d
    scripts/dashboard.py --check        have its types checked

What was built is kept in dashboard/.cache, under a hash of all that it is made of, so that
the second build folder, and the next build, run neither npm nor node. OUT.d names those
sources for ninja. Builds at the same time wait for each other.
"""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

import embed

ROOT = pathlib.Path(__file__).resolve().parent.parent
DASHBOARD = ROOT / "dashboard"
CACHE = DASHBOARD / ".cache"
CHECKING = sys.argv[1:] == ["--check"]
KEPT = 4  # of the newest

HELP = """the dashboard could not be built. Its packages come from npm, once; without a way there, or
without Node.js 18 or newer, configure with -Ddashboard=disabled."""


def sources():
    fixed = ("package.json", "package-lock.json", ".npmrc", "build.mjs")
    scripts = [pathlib.Path(each.__file__).resolve() for each in (sys.modules[__name__], embed)]
    files = [DASHBOARD / name for name in fixed] + scripts
    return files + sorted(path for path in (DASHBOARD / "src").rglob("*") if path.is_file())


def digest(files):
    whole = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        whole.update(f"{path.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:32]


def run(*command):
    done = subprocess.run(
        command, cwd=DASHBOARD, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        what = f"{done.stdout}{done.stderr}{' '.join(command[:2])} failed"
        sys.exit(what if CHECKING else f"{what}: {HELP}")


def install(needed, *options):
    """What the lock file says, unless it is there; `needed` is the last package of it."""
    lock, installed = DASHBOARD / "package-lock.json", DASHBOARD / "node_modules/.installed"
    there = installed.exists() and installed.read_bytes() == lock.read_bytes()
    if not there or not (DASHBOARD / "node_modules" / needed).exists():
        run("npm", "ci", "--loglevel=error", *options)
        shutil.copy(lock, installed)


def as_c(folder):
    files = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        served = "/" + ("" if name == "index.html" else name)
        files.append((served, embed.TYPES[path.suffix], "/" in name, path.read_bytes()))
    return embed.as_c("scripts/dashboard.py", "dashboard", files)


def cached(key):
    """The C file in the cache, made if it is not there. Under the lock."""
    made = CACHE / f"{key}.c"
    if not made.exists():
        install("esbuild", "--omit=dev")
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            run("node", "build.mjs", folder)
            partly = CACHE / "partly.c"
            partly.write_text(as_c(pathlib.Path(folder)))
            partly.rename(made)
    made.touch()
    for old in sorted(CACHE.glob("*.c"), key=lambda path: -path.stat().st_mtime)[KEPT:]:
        old.unlink()
    return made


def build(out, dependencies):
    files = sources()
    shutil.copyfile(cached(digest(files)), out)
    names = " ".join(str(path).replace(" ", "\\ ") for path in files)
    pathlib.Path(dependencies).write_text(f"{out}: {names}\n")


def check():
    install("typescript")
    run("node", "node_modules/typescript/bin/tsc", "--noEmit")


def main():
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if CHECKING:
            check()
        else:
            build(*sys.argv[1:])


main()
