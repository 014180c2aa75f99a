"""What a page of the history costs: with many events stored against with few."""

import http.client
import os
import random
import statistics
import subprocess
import time

from processes import CHANNEL, Failed, cpu_seconds

FEW = 10_000
PAGE = 50
PAGES = 100  # of each kind
A_SUBSCRIPTION = 20  # events: see bench/fill.c
BYTES_PER_EVENT = 900

# A number stands for a random one of those that there are.
KINDS = {
    "plain": "calls?",
    "failed": "calls?state=failed&",
    "by webhook": "calls?webhook={rare}&",
    "by subscription": "calls?subscription=s-{subscription}&",
    "by notification": "calls?notification=n-{notification}&",
    "by error": "calls?error=timeout&",
    "events": "events?",
    "events by subscription": "events?subscription=s-{subscription}&",
    "events by notification": "events?notification=n-{notification}&",
}


class Asking:
    """Pages of one server, each timed, on one connection."""

    def __init__(self, server, events, rare):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", int(server.port))
        self.events = events
        self.rare = rare
        self.random = random.Random(1)

    def get(self, kind):
        """Seconds, and rows."""
        query = KINDS[kind].format(
            rare=self.rare,
            subscription=self.random.randrange(self.events // A_SUBSCRIPTION),
            notification=self.random.randrange(self.events // 1000),
        )
        begin = time.perf_counter()
        self.connection.request(
            "GET",
            f"/v1/channels/{CHANNEL}/{query}limit={PAGE}",
            headers={"Authorization": f"Bearer {self.server.key}"},
        )
        response = self.connection.getresponse()
        text = response.read()
        took = time.perf_counter() - begin
        if response.status != 200:
            raise Failed(f"{query}: {response.status} {text[:200]}")
        return took, text.count(b'"createdAt"')

    def measure(self, kind):
        pages = [self.get(kind) for _ in range(PAGES)]
        return {
            # A disturbance only makes it longer: the lower quartile.
            "ms": statistics.quantiles(took for took, _ in pages)[0] * 1e3,
            "medianMs": statistics.median(took for took, _ in pages) * 1e3,
            "mostMs": max(took for took, _ in pages) * 1e3,
            "rows": statistics.median(rows for _, rows in pages),
        }


def wait_until_quiet(server, seconds):
    """The index is made when there is nothing else to do."""
    end = time.monotonic() + seconds
    before = cpu_seconds(server.pid)
    while time.monotonic() < end:
        time.sleep(2)
        now = cpu_seconds(server.pid)
        if now - before < 0.02:
            return
        before = now
    raise Failed("history: the server is not done with its index")


def at_size(bench, events):
    server = bench.fresh_server()
    server.make_channel(bench.receiver.url)
    hooks = f"/v1/channels/{CHANNEL}/webhooks"
    rare = server.call("POST", hooks, {"url": bench.receiver.url})["_id"]
    server.stop()
    begin = time.monotonic()
    subprocess.run(
        [os.path.join(bench.tools, "bench-fill"), server.data, str(events)], check=True
    )
    filled = time.monotonic() - begin
    server.start()
    begin = time.monotonic()
    wait_until_quiet(server, 900)
    indexed = time.monotonic() - begin
    asking = Asking(server, events, rare)
    result = {kind: asking.measure(kind) for kind in KINDS}
    size = sum(f.stat().st_size for f in os.scandir(server.data) if f.is_file())
    bench.drop_server()
    return {
        "events": events,
        "pages": result,
        "fillSeconds": filled,
        "indexSeconds": indexed,
        "bytesOnDisk": size,
    }


def fill_table(table, seen):
    few, many = seen
    for kind in KINDS:
        ms = many["pages"][kind]["ms"]
        title = f"a page {kind}, {many['events'] / 1e6:g} M events stored"
        ratio = ms / few["pages"][kind]["ms"]
        table.at_most(title, f"{ms:.2f} ms", ratio, 3, 1.5, "{:.2f}x")


def describe(seen, notes):
    many = seen[1]
    notes.append(
        f"history: {many['events']:,} events, {many['bytesOnDisk'] / 2**30:.1f} GiB on "
        f"disk; indexed {many['indexSeconds']:.0f} s after the start"
    )
