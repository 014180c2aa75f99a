"""The row about dead webhooks: does a healthy one notice a thousand of them?"""

import asyncio
import random
import socket
import statistics
import threading
import time

from processes import BODY, CHANNEL, Failed
from rows import SINGLE_CONNECTIONS, closed_port

CHANNELS = 10
WEBHOOKS = 100  # in each, every third of a kind
SLOW_SECONDS = 2
DEADLINE_SECONDS = 16  # a call has 15: none is under way any more


class SlowRefusal(asyncio.Protocol):
    """Says 503, and not to all at once. Whatever it is sent has come by then."""

    def connection_made(self, transport):
        self.transport = transport
        wait = SLOW_SECONDS * random.uniform(0.5, 1.5)
        self.answer = asyncio.get_running_loop().call_later(wait, self.say_no)

    def say_no(self):
        self.transport.write(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        self.transport.close()

    def connection_lost(self, _):
        self.answer.cancel()


class DeadReceivers:
    """A port that refuses, one that never answers, one that is slow to say 503. They
    take as little of the machine's time as they can, since real ones take none: the
    second is a socket that nobody accepts at, and the third does not say it to all at
    once."""

    def __enter__(self):
        self.refusing = closed_port()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.hanging = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.server = asyncio.run_coroutine_threadsafe(
            self.loop.create_server(SlowRefusal, "127.0.0.1", 0), self.loop
        ).result()
        ports = [
            each.getsockname()[1]
            for each in (self.refusing, self.hanging, self.server.sockets[0])
        ]
        self.urls = [f"http://127.0.0.1:{port}/" for port in ports]
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.refusing.close()
        self.hanging.close()


class Feed:
    """An event each second for a channel of dead webhooks, one channel after the
    other: a hundred calls that will fail."""

    def __init__(self, server):
        self.server = server
        self.over = threading.Event()
        with open(BODY, encoding="ascii") as file:
            self.body = file.read()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        n = 0
        while not self.over.wait(1):
            name = f"DEAD_{n % CHANNELS}"
            body = self.body.replace(CHANNEL, name)
            self.server.call_raw("POST", f"/v1/channels/{name}/events", body)
            n += 1

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def make_dead(server, urls):
    for c in range(CHANNELS):
        name = f"DEAD_{c}"
        server.call("POST", "/v1/channels", {"name": name, "_id": name})
        for w in range(WEBHOOKS):
            hook = {"url": urls[(c * WEBHOOKS + w) % len(urls)]}
            server.call("POST", f"/v1/channels/{name}/webhooks", hook)


def pace(bench, seconds):
    result = bench.run_load(
        "pace",
        seconds + 60,
        rate=1000,
        seconds=seconds,
        connections=SINGLE_CONNECTIONS,
    )
    if not result["all"]:
        raise Failed("dead webhooks: not every event of the healthy one arrived")
    return result


def measure(bench, seconds):
    """1,000 events a second to the healthy one: alone, among a thousand that are dead
    and have calls to fail, and alone again, when no call is under way any more and no
    retry is due yet. Both times alone count: a server that has run for a while is
    slower than one of a second ago, dead webhooks or not."""
    server = bench.fresh_server()
    server.make_channel(bench.receiver.url)
    before = pace(bench, seconds)
    with DeadReceivers() as dead:
        make_dead(server, dead.urls)
        with Feed(server):
            # Until every one of them has failed, those that never answer, too.
            pace(bench, CHANNELS + DEADLINE_SECONDS)
            among = pace(bench, seconds)
        time.sleep(DEADLINE_SECONDS)
        after = pace(bench, seconds)
        failed = server.calls()
        server.stop()
    bench.drop_server()
    alone = {name: (before[name] + after[name]) / 2 for name in ("p50Us", "p99Us")}
    return {
        "quietP99Us": alone["p99Us"],
        "p99Us": among["p99Us"],
        "p50Ratio": among["p50Us"] / alone["p50Us"],
        "ratio": among["p99Us"] / alone["p99Us"],
        "waiting": failed["waiting"],
        "others": max(each["others"] for each in (before, among, after)),
    }


def fill_table(table, results):
    took = statistics.median(result["p99Us"] for result in results)
    ratio = statistics.median(result["ratio"] for result in results)
    title = "a healthy webhook's p99 among 1,000 dead ones"
    table.at_most(title, f"{took:,.0f} us", ratio, 2, 1.2, "{:.2f}x")
