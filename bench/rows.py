"""One function per row of the table: it measures once and returns a dict of numbers."""

import os
import shutil
import socket
import statistics
import time

from processes import (
    Failed,
    Server,
    children_seconds,
    cpu_seconds,
    load,
    machine_seconds,
    switches,
    wrk,
)

BATCH = 100
BATCH_CONNECTIONS = 8
SINGLE_CONNECTIONS = 64


class Bench:
    """What all rows share: the binary, its tools, the receiver and a work folder."""

    def __init__(self, binary, tools, work, receiver, serve_arguments):
        self.binary = binary
        self.tools = tools
        self.work = work
        self.receiver = receiver
        self.serve_arguments = serve_arguments
        self.server = None
        self.readers = []  # who reads lists meanwhile

    def fresh_server(self, *arguments):
        """A started server on an empty data directory."""
        self.drop_server()
        data = os.path.join(self.work, "data")
        self.server = Server(self.binary, data, [*arguments, *self.serve_arguments])
        self.server.start()
        return self.server

    def drop_server(self):
        """Ends the server, if there is one, and removes its data."""
        if self.server:
            self.server.stop()
            shutil.rmtree(self.server.data, ignore_errors=True)
            if os.path.exists(self.server.data + ".log"):
                os.unlink(self.server.data + ".log")
        self.server = None

    def cpu(self):
        """Seconds used so far, by whom."""
        return {
            "machine": machine_seconds(),
            "pushwire": cpu_seconds(self.server.pid) if self.server else 0.0,
            "receiver": cpu_seconds(self.receiver.pid),
            "load": children_seconds(),
            "readers": sum(cpu_seconds(reader.pid) for reader in self.readers),
        }

    def run_load(self, command, limit, /, **options):
        """bench-load against the server; adds who used the CPUs meanwhile."""
        usage = Usage(self)
        options.setdefault("board", self.receiver.board)
        result = load(
            self.tools, command, self.server.port, limit, self.server, **options
        )
        result["cpuSeconds"], result["others"] = usage.until_now()
        result["rssMiB"] = round(self.server.memory_mib()[1], 1)
        return result


class Usage:
    """Who used the CPUs since this was made."""

    def __init__(self, bench):
        self.bench = bench
        self.before = bench.cpu()
        self.begin = time.monotonic()

    def until_now(self):
        """Seconds by name, and the share that went to programs of somebody else."""
        now = self.bench.cpu()
        used = {name: now[name] - self.before[name] for name in now}
        machine = used.pop("machine")
        cores = (time.monotonic() - self.begin) * len(os.sched_getaffinity(0))
        others = max(0.0, machine - sum(used.values())) / cores
        return {name: round(spent, 2) for name, spent in used.items()}, others


class AgainstWrk:
    """Measures rows one after the other, each between two runs of wrk whose mean is its
    reference. To be made anew when something else was done in between."""

    def __init__(self, bench, seconds):
        self.bench = bench
        self.seconds = seconds
        self.latest = None

    def wrk(self):
        """POSTs a second, and the share of the CPUs that others had."""
        usage = Usage(self.bench)
        rate = wrk(self.bench.receiver, self.seconds)
        return rate, usage.until_now()[1]

    def run(self, measure):
        """`measure` gets the first reference, to know how long it may take."""
        before = self.latest or self.wrk()
        result = measure(before[0])
        after = self.latest = self.wrk()
        result["reference"] = (before[0] + after[0]) / 2
        result["ratio"] = result["rate"] / result["reference"]
        result["others"] = max(result["others"], before[1], after[1])
        return result


def ingest(bench, seconds):
    """Batches go in as fast as they are acknowledged, while calls go out."""
    bench.fresh_server().make_channel(bench.receiver.url)
    result = bench.run_load(
        "post",
        seconds * 4 + 60,
        seconds=seconds,
        batch=BATCH,
        connections=BATCH_CONNECTIONS,
    )
    bench.drop_server()
    result["rate"] = result["accepted"] / result["acceptSeconds"]
    result["deliveredRate"] = result["deliveredMeanwhile"] / result["acceptSeconds"]
    return result


def end_to_end(bench, events, batch, connections):
    """From the first POST to the arrival of the last event."""
    bench.fresh_server().make_channel(bench.receiver.url)
    result = bench.run_load(
        "post",
        150,
        events=events - events % batch,
        batch=batch,
        connections=connections,
        **{"await": True},
    )
    bench.drop_server()
    if not result["all"]:
        raise Failed(f"only {result['delivered']} of {result['accepted']} arrived")
    result["rate"] = result["delivered"] / result["deliverSeconds"]
    return result


def floor(bench, samples):
    result = load(
        bench.tools,
        "floor",
        bench.receiver.port,
        60,
        dir=bench.work,
        events=samples,
    )
    result["floorUs"] = result["syncP50Us"] + 2 * result["postP50Us"]
    return result


def latency(bench, seconds):
    """1,000 events a second, each timed from its POST to its arrival. The unit is timed
    before and after; the smaller counts, since a disturbance only makes it larger."""
    bench.fresh_server().make_channel(bench.receiver.url)
    before = floor(bench, 1000)
    result = bench.run_load(
        "pace",
        seconds + 60,
        rate=1000,
        seconds=seconds,
        connections=SINGLE_CONNECTIONS,
    )
    bare = min(before, floor(bench, 1000), key=lambda unit: unit["floorUs"])
    bench.drop_server()
    if not result["all"]:
        raise Failed("latency: not every event arrived")
    result["floor"] = bare
    result["p50"] = result["p50Us"] / bare["floorUs"]
    result["p99"] = result["p99Us"] / bare["floorUs"]
    return result


def idle(bench, seconds, after_work):
    """Nothing to do: how often does any thread wake up?"""
    server = bench.fresh_server()
    server.make_channel(bench.receiver.url)
    if after_work:
        work = {"events": 5000, "connections": SINGLE_CONNECTIONS, "await": True}
        bench.run_load("post", 120, **work)
    # What the work left to do is over by then: figures are written out after ten seconds.
    time.sleep(20 if after_work else 2)
    woken, on_cpu = switches(server.pid)
    begin = time.monotonic()
    time.sleep(seconds)
    woken_after, on_cpu_after = switches(server.pid)
    took = time.monotonic() - begin
    result = {
        "wakeUps": (woken_after - woken) / took,
        "cpuShare": (on_cpu_after - on_cpu) / 1e9 / took,
        "rssMiB": server.memory_mib()[0],
    }
    bench.drop_server()
    return result


def closed_port():
    """A port of this machine that refuses connections as long as it is held."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.bind(("127.0.0.1", 0))
    return held


def restarts(server, times, watch):
    """Restarts; returns the seconds to `listening` and the highest RSS in between."""
    took, peak = [], 0.0
    for _ in range(times):
        server.stop()
        took.append(server.start())
        time.sleep(watch)
        peak = max(peak, server.memory_mib()[1])
    return took, peak


def expect_calls(server, state, number):
    calls = server.calls()
    if calls.get(state) != number:
        raise Failed(f"{number} calls should be {state}: {calls}")


def backlog(bench, events, watch):
    """So many calls in the store: restart while they are held (webhook disabled), then
    while they are waiting (enabled, and the receiver refuses connections)."""
    with closed_port() as held:
        url = f"http://127.0.0.1:{held.getsockname()[1]}/"
        server = bench.fresh_server()
        hook = server.make_channel(url, enabled=False)
        loaded = load(
            bench.tools,
            "post",
            server.port,
            600,
            server,
            events=events,
            batch=min(1000, events),
            connections=4,
        )
        load_peak = server.memory_mib()[1]
        expect_calls(server, "held", loaded["accepted"])
        held_took, held_peak = restarts(server, 5, watch / 6)
        begin = time.monotonic()
        server.call("PATCH", hook, {"enabled": True})
        enable = time.monotonic() - begin
        time.sleep(watch)
        enabled_peak = server.memory_mib()[1]
        expect_calls(server, "waiting", loaded["accepted"])
        waiting_took, waiting_peak = restarts(server, 5, watch / 3)
        server.kill()
        killed_took = server.start()
        expect_calls(server, "waiting", loaded["accepted"])
        stop = server.stop()
        size = sum(f.stat().st_size for f in os.scandir(server.data) if f.is_file())
        bench.drop_server()
    return {
        "events": loaded["accepted"],
        "loadRate": loaded["accepted"] / loaded["acceptSeconds"],
        "bytesOnDisk": size,
        "loadPeakMiB": load_peak,
        "heldStartSeconds": statistics.median(held_took),
        "heldPeakMiB": held_peak,
        "enableSeconds": enable,
        "enabledPeakMiB": enabled_peak,
        "waitingStartSeconds": statistics.median(waiting_took),
        "waitingPeakMiB": waiting_peak,
        "killedStartSeconds": killed_took,
        "stopSeconds": stop,
        "peakMiB": max(load_peak, held_peak, enabled_peak, waiting_peak),
    }
