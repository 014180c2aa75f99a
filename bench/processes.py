"""The processes of a run - server, receiver, load, wrk - and what /proc says of them.
Only what is started here is ended here, by its pid."""

import contextlib
import http.client
import json
import os
import re
import resource
import select
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BODY = os.path.join(HERE, "optin.json")
CHANNEL = "CHANNEL_ID"
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """Something that makes the measurement worthless; its text goes to the user."""


def read_line(process, prefix, seconds):
    """The rest of the line of stdout that starts with prefix."""
    end = time.monotonic() + seconds
    seen = b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise Failed(f"no line `{prefix}` within {seconds} s")
        chunk = os.read(process.stdout.fileno(), 4096)
        if not chunk:
            raise Failed(f"ended without a line `{prefix}`")
        seen += chunk
        for line in seen.decode("utf-8", "replace").splitlines(keepends=True):
            if line.startswith(prefix) and line.endswith("\n"):
                return line[len(prefix) :].strip()


def end(process, seconds):
    """SIGTERM, and SIGKILL after so many seconds. Returns how long it took."""
    begin = time.monotonic()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()
    return time.monotonic() - begin


def status(pid, *names):
    """Numbers of /proc/PID/status; memory is in KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return [int(fields[name].split()[0]) for name in names]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_seconds():
    """CPU time that programs used on the whole machine, and what the host took away."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, *_, steal = file.readline().split()[1:9]
    return sum(map(int, (user, nice, system, steal))) / TICKS


def children_seconds():
    """CPU time of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def switches(pid):
    """Voluntary context switches and nanoseconds on a CPU, over all threads."""
    woken = on_cpu = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                on_cpu += int(file.read().split()[0])
            woken += status(f"{pid}/task/{task}", "voluntary_ctxt_switches")[0]
    return woken, on_cpu


class Receiver:
    """bench-receiver and its board, a file in memory that it shares with the load."""

    def __init__(self, tools, directory, slots):
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else directory
        self.board = os.path.join(memory, f"pushwire-bench-{os.getpid()}")
        with open(self.board, "wb") as file:
            file.truncate(4096 + 8 * slots)
        self.process = subprocess.Popen(
            [os.path.join(tools, "bench-receiver"), self.board], stdout=subprocess.PIPE
        )
        self.pid = self.process.pid
        self.port = read_line(self.process, "receiving on 127.0.0.1:", 5)
        self.url = f"http://127.0.0.1:{self.port}/"

    def stop(self):
        end(self.process, 5)
        os.unlink(self.board)


class Server:
    """pushwire on a data directory, as a user runs it: the log goes to a file."""

    def __init__(self, binary, data, arguments=()):
        self.data = data
        self.command = [binary, "serve", "--dev", "--listen", "127.0.0.1:0"]
        self.command += ["--data", data, *arguments]
        self.process = None
        self.key = None

    def start(self, seconds=120):
        """Returns the seconds from exec to the line that says it listens."""
        with open(self.data + ".log", "ab") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(
                self.command, stdout=subprocess.PIPE, stderr=log
            )
        try:
            address = read_line(self.process, "listening on http://", seconds)
        except Failed as error:
            with open(self.data + ".log", "rb") as log:
                tail = log.read()[-1000:].decode("utf-8", "replace")
            self.stop()
            raise Failed(f"pushwire: {error}\n{tail}") from None
        took = time.monotonic() - begin
        self.port = address.rsplit(":", 1)[1]
        with open(os.path.join(self.data, "admin.key"), encoding="ascii") as file:
            self.key = file.read().strip()
        return took

    def stop(self, seconds=60):
        return end(self.process, seconds) if self.process else 0.0

    def kill(self):
        self.process.kill()
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    def memory_mib(self):
        """Resident now, and at most so far."""
        return [kib / 1024 for kib in status(self.pid, "VmRSS", "VmHWM")]

    def call(self, method, path, body=None):
        return self.call_raw(method, path, None if body is None else json.dumps(body))

    def call_raw(self, method, path, body=None):
        port = int(self.port)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        headers = {"Authorization": f"Bearer {self.key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8")
        if response.status // 100 != 2:
            raise Failed(f"{method} {path}: {response.status} {text}")
        is_json = "json" in response.getheader("Content-Type", "")
        return json.loads(text) if is_json else text

    def calls(self):
        """How many calls are in each state, by /metrics."""
        pattern = r'^pushwire_calls\{state="(\w+)"\} (\d+)$'
        found = re.findall(pattern, self.call("GET", "/metrics"), re.MULTILINE)
        return {state: int(n) for state, n in found}

    def make_channel(self, url, enabled=True):
        """The channel of the sample payload with one webhook; returns its path."""
        self.call("POST", "/v1/channels", {"name": "bench", "_id": CHANNEL})
        hooks = f"/v1/channels/{CHANNEL}/webhooks"
        hook = self.call("POST", hooks, {"url": url, "enabled": enabled})
        return f"{hooks}/{hook['_id']}"


def load(tools, command, port, limit, server=None, /, body=BODY, path=None, **options):
    """Runs bench-load to its end; returns what it measured. Against the server it posts
    events, if no other path is given."""
    line = [os.path.join(tools, "bench-load"), command]
    line += ["--to", str(port), "--body", body]
    if server:
        path = path or f"/v1/channels/{CHANNEL}/events"
        line += ["--path", path]
        line += ["--key", server.key] if path.startswith("/v1/") else []
    for name, value in options.items():
        line.append("--" + name.replace("_", "-"))
        if value is not True:
            line.append(str(value))
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"bench-load {command}: not done within {limit} s") from None
    if done.returncode != 0:
        raise Failed(done.stderr.strip() or f"bench-load {command} failed")
    return json.loads(done.stdout)


class Reader:
    """bench-load reading a list of the server, page after page, until it is stopped."""

    def __init__(self, tools, server, path):
        self.path = path
        self.process = subprocess.Popen(
            [os.path.join(tools, "bench-load"), "read", "--to", server.port]
            + ["--path", path, "--key", server.key],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid

    def stop(self):
        """What it has read."""
        self.process.terminate()
        said, error = self.process.communicate(timeout=60)
        if self.process.returncode != 0:
            raise Failed(error.strip() or f"bench-load read {self.path} failed")
        return json.loads(said)


def wrk(receiver, seconds):
    """POSTs a second of wrk to the receiver: 1.00."""
    done = subprocess.run(
        ["wrk", "-t1", "-c64", f"-d{seconds}", "-s", os.path.join(HERE, "wrk_post.lua")]
        + [receiver.url, "--", BODY],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not rate or "Non-2xx" in done.stdout:
        raise Failed(f"wrk: {done.stdout}{done.stderr}")
    return float(rate[1])
