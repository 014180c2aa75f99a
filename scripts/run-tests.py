#!/usr/bin/env python3
"""Runs the tests of one or more meson build folders and counts every test case.

    scripts/run-tests.py FOLDER:SUITE,SUITE... ...

Every test program prints TAP. A program that crashes, hangs, stops before its plan or
runs no test at all counts as one failure more. The output of a program is shown only
when something in it failed. The last line is "N passed, N failed".
"""

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time

RESULT = re.compile(r"^(not )?ok\b(?: (\d+))?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")


class Program:
    def __init__(self, folder, suite, test):
        self.name = f"{folder} {suite} {test['name']}"
        self.command = test["cmd"]
        self.env = {**os.environ, **test["env"]}
        self.timeout = test["timeout"]
        self.passed = self.failed = 0
        self.output = ""
        self.complaints = []

    def run(self):
        began = time.monotonic()
        try:
            self.count(self.execute())
        except OSError as error:
            self.complaints.append(str(error))
            self.failed += 1
        self.seconds = time.monotonic() - began
        return self

    def execute(self):
        process = subprocess.Popen(
            self.command,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            self.complaints.append(f"still running after {self.timeout} s")
        self.output = output.decode("utf-8", "replace")
        return process.returncode

    def count(self, status):
        planned = None
        seen = 0
        for line in self.output.splitlines():
            if plan := PLAN.match(line):
                planned = (planned or 0) + int(plan[1])
            elif result := RESULT.match(line):
                seen += 1
                if re.search(r"#\s*(skip|todo)\b", result[3], re.IGNORECASE):
                    continue
                if result[1]:
                    self.failed += 1
                else:
                    self.passed += 1
        if status < 0:
            self.complaints.append(f"ended by signal {-status}")
        elif status > 0 and self.failed == 0:
            self.complaints.append(f"exit status {status}")
        if seen == 0:
            self.complaints.append("ran no test")
        elif planned is not None and seen < planned:
            self.complaints.append(f"ran {seen} of {planned} tests")
        if self.complaints:
            self.failed += 1

    def report(self):
        if not self.failed:
            print(f"ok    {self.name}: {self.passed} ({self.seconds:.1f} s)")
        else:
            print(f"FAIL  {self.name}: {self.failed} failed, {self.passed} passed")
            print("".join(f"      | {line}\n" for line in self.output.splitlines()), end="")
            for complaint in self.complaints:
                print(f"      {complaint}")
        sys.stdout.flush()


def programs(argument):
    folder, _, suites = argument.partition(":")
    listed = json.loads(
        subprocess.check_output(["meson", "introspect", "--tests", folder])
    )
    for wanted in suites.split(","):
        found = [
            Program(os.path.basename(folder), wanted, test)
            for test in listed
            if wanted in (suite.rpartition(":")[2] for suite in test["suite"])
        ]
        if not found:
            sys.exit(f"run-tests: {folder} has no suite {wanted}")
        yield from found


def main():
    todo = [program for argument in sys.argv[1:] for program in programs(argument)]
    # The slowest first, so that none of them is left over for the end.
    todo.sort(key=lambda program: -program.timeout)
    # Tests wait more than they work.
    jobs = 2 * (os.cpu_count() or 1)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for run in concurrent.futures.as_completed(pool.submit(p.run) for p in todo):
            program = run.result()
            program.report()
            passed += program.passed
            failed += program.failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
