"""Measures Pushwire against the figures it promises; see docs/benchmark.md.

Rates are ratios to wrk posting the same body to the same receiver, just before and just
after, on the same cores. Short rows run three times, medians count."""

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time

import dead
import history
import machine
import registry
import rows
from processes import Failed, Receiver
from table import Table

BYTES_PER_WAITING_CALL = 1200
SHORT_ROWS = ("ingest", "batches", "singles", "latency", "dead")
ROWS = (*SHORT_ROWS, *registry.ROWS, "history", "backlog", "idle")


def say(text):
    print(text, file=sys.stderr, flush=True)


def options():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes, rough")
    parser.add_argument(
        "--only", help="some rows: " + ",".join(ROWS) + "; registry: four of them"
    )
    parser.add_argument("--rounds", type=int, help="how often the short rows run")
    parser.add_argument("--waiting", type=int, help="calls waiting in the backlog row")
    parser.add_argument(
        "--subscriptions", type=int, help="in the registry's rows (default: a million)"
    )
    parser.add_argument(
        "--history-events", type=int, help="in the history row (default: a million)"
    )
    parser.add_argument("--work", help="folder for the data (default: build folder)")
    parser.add_argument("--json", help="result file (default: bench.json beside it)")
    parser.add_argument(
        "--serve", default="", help="further arguments for `pushwire serve`"
    )
    parser.add_argument("--build", default="build", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 3)
    chosen.waiting = chosen.waiting or (1_000_000 if chosen.quick else 10_000_000)
    chosen.history_events = chosen.history_events or (
        200_000 if chosen.quick else 1_000_000
    )
    chosen.subscriptions = chosen.subscriptions or 1_000_000
    chosen.sizes = [10_000, 100_000, 1_000_000]
    if not chosen.quick:
        chosen.sizes = [size * 10 for size in chosen.sizes]
    chosen.seconds = 3 if chosen.quick else 10
    chosen.reference_seconds = 2 if chosen.quick else 3
    chosen.idle_seconds = 5 if chosen.quick else 20
    chosen.watch_seconds = 1 if chosen.quick else 6
    chosen.only = chosen.only.split(",") if chosen.only else list(ROWS)
    if "registry" in chosen.only:
        chosen.only.remove("registry")
        chosen.only += registry.ROWS
    if unknown := set(chosen.only) - set(ROWS):
        parser.error(f"no such row: {', '.join(unknown)}")
    return chosen


def rate_line(name, result):
    line = f"  {name}: {result['rate']:,.0f}/s"
    if "ratio" in result:
        line += f", {result['ratio']:.2f} of {result['reference']:,.0f}"
    return f"{line} (others {result['others']:.0%})"


def one_round(bench, chosen, seen):
    """Every short row once, between two runs of wrk whose mean is its reference."""
    seconds = chosen.seconds
    reference = rows.AgainstWrk(bench, chosen.reference_seconds)

    def against_wrk(name, measure):
        if name in chosen.only:
            result = reference.run(measure)
            seen.setdefault(name, []).append(result)
            say(rate_line(name, result))

    against_wrk("ingest", lambda rate: rows.ingest(bench, seconds))
    against_wrk(
        "batches",
        lambda rate: rows.end_to_end(
            bench, int(rate * 0.35 * seconds), rows.BATCH, rows.BATCH_CONNECTIONS
        ),
    )
    against_wrk(
        "singles",
        lambda rate: rows.end_to_end(
            bench, int(rate * 0.2 * seconds), 1, rows.SINGLE_CONNECTIONS
        ),
    )
    if "latency" in chosen.only:
        result = rows.latency(bench, seconds)
        seen.setdefault("latency", []).append(result)
        say(
            f"  latency: p50 {result['p50Us']:.0f} us, p99 {result['p99Us']:.0f} us"
            f" (others {result['others']:.0%})"
        )
    if "dead" in chosen.only:
        result = dead.measure(bench, seconds)
        seen.setdefault("dead", []).append(result)
        say(
            f"  dead: p99 {result['p99Us']:.0f} us, alone {result['quietP99Us']:.0f} us,"
            f" {result['ratio']:.2f} (others {result['others']:.0%})"
        )


def history_rows(bench, chosen, notes):
    fits = (shutil.disk_usage(bench.work).free - (2 << 30)) // history.BYTES_PER_EVENT
    if fits < chosen.history_events:
        notes.append(f"no disk space for {chosen.history_events:,} events in history")
        chosen.history_events = max(history.FEW, fits // 1000 * 1000)
    seen = []
    for events in (history.FEW, chosen.history_events):
        say(f"history of {events:,} events")
        seen.append(history.at_size(bench, events))
    return seen


def long_rows(bench, chosen, seen, notes):
    """The rows whose figures do not depend on how busy the machine is."""
    if "idle" in chosen.only:
        say("idle")
        seen["idle"] = rows.idle(bench, chosen.idle_seconds, after_work=False)
        seen["idleAfterWork"] = rows.idle(bench, chosen.idle_seconds, after_work=True)
    if "history" in chosen.only:
        seen["history"] = history_rows(bench, chosen, notes)
    if "backlog" not in chosen.only:
        return
    fits = (shutil.disk_usage(bench.work).free - (2 << 30)) // BYTES_PER_WAITING_CALL
    if fits < chosen.waiting:
        wanted = chosen.waiting
        chosen.waiting = max(20_000, fits // 1000 * 1000)
        notes.append(f"no disk space for {wanted:,} calls: {chosen.waiting:,} used")
    for name, events in (("backlogSmall", 10_000), ("backlog", chosen.waiting)):
        say(f"{events:,} calls waiting")
        seen[name] = rows.backlog(bench, events, chosen.watch_seconds)


def middle(results, *path):
    def at(result):
        for key in path:
            result = result[key]
        return result

    return statistics.median(at(result) for result in results)


def fill_table(seen):
    table = Table()
    for name, title, must, aim in (
        ("ingest", "durable ingest, batches of 100, while delivering", 0.70, 1.2),
        ("batches", "end to end, batches of 100 in, one call per event", 0.25, 0.45),
        ("singles", "end to end, one event a request, 64 connections", 0.15, 0.30),
    ):
        if name in seen:
            rate, ratio = middle(seen[name], "rate"), middle(seen[name], "ratio")
            table.at_least(title, f"{rate:,.0f}/s", ratio, must, aim)
    if "latency" in seen:
        for part, must, aim in (("p50", 4, 2), ("p99", 20, 6)):
            took = middle(seen["latency"], part + "Us")
            ratio = middle(seen["latency"], part)
            title = f"POST sent to receiver has it, 1,000/s: {part}"
            table.at_most(title, f"{took:,.0f} us", ratio, must, aim, "{:.2f}x")
    if "dead" in seen:
        dead.fill_table(table, seen["dead"])
    if "registry" in seen:
        registry.fill_table(table, seen["registry"])
    if "history" in seen:
        history.fill_table(table, seen["history"])
    if "backlog" in seen:
        small, large = seen["backlogSmall"], seen["backlog"]
        title = f"{large['events'] / 1e6:g} M calls waiting"
        peak = large["peakMiB"]
        table.at_most(f"{title}: RSS", "", peak, 256, 100, "{:.0f} MiB")
        for state in ("held", "waiting"):
            key = state + "StartSeconds"
            what = "restart" if state == "waiting" else "restart, webhook disabled"
            table.at_most(
                f"{title}: {what}",
                f"{large[key] * 1e3:.0f} ms",
                large[key] / small[key],
                3,
                1.2,
                "{:.2f}x",
            )
    for name, title in (("idle", "idle"), ("idleAfterWork", "idle after work")):
        if name in seen:
            woken, rss = seen[name]["wakeUps"], seen[name]["rssMiB"]
            beyond = max(0.0, round(woken - 1, 1))
            table.at_most(
                f"{title}: wake-ups beyond 1/s", f"{woken:.1f}/s", beyond, 0, 0, "{:g}"
            )
            table.at_most(f"{title}: RSS", "", rss, 32, 12, "{:.1f} MiB")
    return table


def describe(seen, notes):
    """What the table leaves out but its reader will ask."""
    runs = [run for name in SHORT_ROWS for run in seen.get(name, [])]
    runs += registry.runs(seen.get("registry", []))
    others = max((run["others"] for run in runs), default=0)
    if others > 0.05:
        notes.append(
            f"NOT QUIET: other programs took up to {others:.0%} of the cores; rates and"
            " multiples are off"
        )
    if "ingest" in seen:
        reference = middle(seen["ingest"], "reference")
        meanwhile = middle(seen["ingest"], "deliveredRate")
        notes.append(f"reference (wrk -t1 -c64): {reference:,.0f} POST/s = 1.00")
        notes.append(f"delivered during the ingest row: {meanwhile:,.0f}/s")
    if "latency" in seen:
        bare = middle(seen["latency"], "floor", "floorUs")
        sync = middle(seen["latency"], "floor", "syncP50Us")
        post = middle(seen["latency"], "floor", "postP50Us")
        notes.append(
            f"latency unit: {bare:.0f} us = one fdatasync ({sync:.0f}) + 2 bare POSTs "
            f"({post:.0f})"
        )
    registry.describe(seen.get("registry", []), notes)
    if "history" in seen:
        history.describe(seen["history"], notes)
    if "backlog" in seen:
        large = seen["backlog"]
        notes.append(
            f"{large['events']:,} calls: {large['bytesOnDisk'] / 2**30:.1f} GiB "
            f"on disk, loaded at {large['loadRate']:,.0f}/s"
        )
        notes.append(
            f"webhook enabled in {large['enableSeconds'] * 1e3:.0f} ms; start after "
            f"kill -9: {large['killedStartSeconds'] * 1e3:.0f} ms"
        )


def measure(chosen, work, notes):
    build = os.path.abspath(chosen.build)
    tools = os.path.join(build, "bench")
    seen = {}
    receiver = Receiver(tools, work, slots=8_000_000)
    bench = rows.Bench(
        os.path.join(build, "pushwire"), tools, work, receiver, chosen.serve.split()
    )
    try:
        if set(chosen.only) & set(SHORT_ROWS):
            for n in range(chosen.rounds):
                say(f"round {n + 1} of {chosen.rounds}")
                one_round(bench, chosen, seen)
        if set(chosen.only) & set(registry.ROWS):
            say("registry")
            seen["registry"] = registry.measure(
                bench, chosen, notes, lambda name, result: say(rate_line(name, result))
            )
        long_rows(bench, chosen, seen, notes)
    finally:
        bench.drop_server()
        receiver.stop()
    return seen


def main():
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    notes = []
    work = tempfile.mkdtemp(prefix="bench-data-", dir=chosen.work or chosen.build)
    try:
        box = machine.describe(chosen.build, work)
        seen = measure(chosen, work, notes)
    except Failed as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    table = fill_table(seen)
    describe(seen, notes)
    notes.append(f"took {time.monotonic() - begin:.0f} s, rounds: {chosen.rounds}")
    for line in machine.lines(box) + [""] + table.lines() + [""] + notes:
        print(line)
    path = chosen.json or os.path.join(chosen.build, "bench.json")
    result = {"machine": box, "table": table.rows, "notes": notes, "measured": seen}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
