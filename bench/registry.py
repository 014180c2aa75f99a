"""The rows of the registry: one server, filled with subscriptions step by step, and
measured at each step; it is not restarted in between."""

import json
import os
import shutil
import statistics

from processes import CHANNEL, Failed, Reader
from rows import SINGLE_CONNECTIONS, AgainstWrk

ROWS = ("sync", "listing", "delivered", "growth")
NO_RATE_LIMITS = ("--sdk-address-rate", "0", "--sdk-channel-rate", "0")
BYTES_PER_SUBSCRIPTION = 700
IMPORT_LINES = 1000

# bench-load writes a subscription's number over these marks; the receiver knows the id.
NUMBER = "#" * 14
SUBSCRIPTION = "S" + NUMBER
TOKEN = "9b1f6a4e27d8035c" * 3 + NUMBER + "a7"
DEVICE = {
    "platformName": "iOS",
    "platformVersion": "17.5.1",
    "browserType": "SDK",
    "browserVersion": "1.34.51",
    "appVersion": "8.14.2",
    "language": "de",
    "country": "DE",
    "timezone": "Europe/Berlin",
    "hasNotificationPermission": True,
    "topics": ["7ufjxPEdzHD9XpJQf", "kZ3mWqT8nYcRb5LdA"],
    "topicsVersion": 3,
}
EXPORTED = {
    "_id": SUBSCRIPTION,
    "createdAt": "2024-03-04T09:50:51.375Z",
    "syncedAt": "2024-03-04T09:50:51.375Z",
    **DEVICE,
    "apnsToken": TOKEN,
}
SYNC = {"apnsToken": TOKEN, "subscriptionId": SUBSCRIPTION, **DEVICE}


def body_file(bench, name, body):
    path = os.path.join(bench.work, name + ".json")
    with open(path, "w", encoding="ascii") as file:
        json.dump(body, file, separators=(",", ":"))
    return path


def count(bench):
    """Subscriptions, and calls that were ever made."""
    answer = bench.server.call("GET", f"/channel/{CHANNEL}/subscription-count")
    return answer["subscriptions"], sum(bench.server.calls().values())


def fill(bench, have, size):
    """Imports until there are so many."""
    result = bench.run_load(
        "post",
        3600,
        path=f"/v1/channels/{CHANNEL}/subscriptions/import",
        body=body_file(bench, "import", EXPORTED),
        lines=True,
        batch=IMPORT_LINES,
        connections=4,
        first=have,
        events=size - have,
    )
    os.sync()  # what the kernel still has to write would disturb what is measured next
    found = count(bench)[0]
    if found != size:
        raise Failed(f"{size} subscriptions were imported, {found} are there")
    result["rate"] = result["accepted"] / result["acceptSeconds"]
    data = bench.server.data
    result["bytesOnDisk"] = sum(f.stat().st_size for f in os.scandir(data))
    return result


def sync(bench, size, seconds):
    """Devices that are known say what they have said before."""
    before = count(bench)
    result = bench.run_load(
        "post",
        seconds * 4 + 60,
        path=f"/subscription/sync/{CHANNEL}",
        body=body_file(bench, "sync", SYNC),
        among=size,
        seconds=seconds,
        connections=SINGLE_CONNECTIONS,
    )
    after = count(bench)
    if before != after:
        raise Failed(f"syncs that say nothing new made something: {before} -> {after}")
    result["rate"] = result["accepted"] / result["acceptSeconds"]
    return result


def listing(bench, size, seconds):
    """The same while one program lists all subscriptions and another exports them."""
    subscriptions = f"/v1/channels/{CHANNEL}/subscriptions"
    for path in (f"{subscriptions}?limit=200", f"{subscriptions}/export"):
        bench.readers.append(Reader(bench.tools, bench.server, path))
    try:
        result = sync(bench, size, seconds)
    finally:
        readers, bench.readers = bench.readers, []
        read = [reader.stop() for reader in readers]
    result["list"], result["export"] = read
    if min(part["pages"] for part in read) == 0:
        raise Failed("listing: not one page was read meanwhile")
    return result


def delivered(bench, size, reports, notification):
    """From the first report to the arrival of the last webhook call."""
    told = {"_id": notification, "title": "News", "url": "https://example.com/news"}
    bench.server.call("POST", f"/v1/channels/{CHANNEL}/notifications", told)
    report = {"notificationId": notification, "subscriptionId": SUBSCRIPTION}
    result = bench.run_load(
        "post",
        300,
        path="/notification/delivered",
        body=body_file(bench, "delivered", report),
        among=size,
        events=min(size, reports),
        connections=SINGLE_CONNECTIONS,
        **{"await": True},
    )
    if not result["all"] or result["repeats"]:
        raise Failed(
            f"{result['accepted']} reports: {result['delivered']} calls arrived,"
            f" {result['repeats']} of them again"
        )
    result["rate"] = result["delivered"] / result["deliverSeconds"]
    return result


def fitting_sizes(bench, chosen, notes):
    """The steps, ascending: those of the growth, or the one of the other rows."""
    sizes = {chosen.subscriptions}
    if "growth" in chosen.only:
        sizes.update(chosen.sizes)
    largest = max(sizes)
    fits = (shutil.disk_usage(bench.work).free - (2 << 30)) // BYTES_PER_SUBSCRIPTION
    if fits < largest:
        fits = max(20_000, fits // IMPORT_LINES * IMPORT_LINES)
        notes.append(f"no disk space for {largest:,} subscriptions: {fits:,} used")
        sizes = {min(size, fits) for size in sizes}
    return sorted(sizes)


def one_round(bench, chosen, step, say):
    size, seconds, wanted = step["subscriptions"], chosen.seconds, step["rows"]
    reference = AgainstWrk(bench, chosen.reference_seconds)

    def against_wrk(name, row):
        if name in wanted:
            result = reference.run(row)
            step.setdefault(name, []).append(result)
            say(name, result)

    notification = f"news-{len(step.get('delivered', []))}"
    against_wrk("sync", lambda _: sync(bench, size, seconds))
    against_wrk("listing", lambda _: listing(bench, size, seconds))
    against_wrk(
        "delivered",
        lambda rate: delivered(bench, size, int(rate * 0.1 * seconds), notification),
    )


def measure(bench, chosen, notes, say):
    """Fills and measures step by step; returns the steps. `say` gets what has been
    measured: a name and a result with its rate."""
    sizes = fitting_sizes(bench, chosen, notes)
    main = min(chosen.subscriptions, sizes[-1])
    steps = []
    bench.fresh_server(*NO_RATE_LIMITS).make_channel(bench.receiver.url)
    for have, size in zip([0, *sizes], sizes):
        wanted = {"sync"} if size != main else set(chosen.only)
        if "listing" in wanted or len(sizes) > 1:
            wanted.add("sync")  # what it is compared with
        step = {"subscriptions": size, "rows": sorted(wanted & set(ROWS))}
        step["import"] = fill(bench, have, size)
        say(f"import up to {size:,}", step["import"])
        for _ in range(chosen.rounds):
            one_round(bench, chosen, step, say)
        step["peakMiB"] = bench.server.memory_mib()[1]
        step["isMain"] = size == main
        steps.append(step)
    bench.drop_server()
    return steps


def middle(step, name, key):
    return statistics.median(result[key] for result in step[name])


def named(size):
    return f"{size / 1e6:g} M" if size >= 1_000_000 else f"{size:,}"


def fill_table(table, steps):
    main = next(step for step in steps if step["isMain"])
    size = named(main["subscriptions"])
    for name, title, must, aim in (
        ("sync", f"refresh sync of a random one, {size} subscriptions", 0.10, 0.15),
        ("delivered", "delivered reports, SDK call to webhook", 0.08, 0.15),
    ):
        if name in main:
            rate, ratio = middle(main, name, "rate"), middle(main, name, "ratio")
            table.at_least(title, f"{rate:,.0f}/s", ratio, must, aim)
    title = f"{size} subscriptions: RSS"
    table.at_most(title, "", main["peakMiB"], 256, 100, "{:.0f} MiB")
    if "listing" in main:
        rate = f"{middle(main, 'listing', 'rate'):,.0f}/s"
        slowed = middle(main, "sync", "ratio") / middle(main, "listing", "ratio")
        table.at_most("commits while listing", rate, slowed, 1.5, 1.2, "{:.2f}x")
    if len(steps) > 1:
        small, large = steps[0], steps[-1]
        title = f"growth: {named(large['subscriptions'])} against"
        title += f" {named(small['subscriptions'])}"
        rate = f"{middle(large, 'sync', 'rate'):,.0f}/s"
        slowed = middle(small, "sync", "ratio") / middle(large, "sync", "ratio")
        table.at_most(title, rate, slowed, 2, 1.5, "{:.2f}x")


def describe(steps, notes):
    """The curve, and what was read meanwhile."""
    for step in steps:
        size, loaded = step["subscriptions"], step["import"]
        text = f"{size:,} subscriptions: "
        if "sync" in step:
            rate, ratio = middle(step, "sync", "rate"), middle(step, "sync", "ratio")
            text += f"sync {rate:,.0f}/s ({ratio:.2f}), "
        notes.append(
            f"{text}RSS {step['peakMiB']:.0f} MiB, {loaded['bytesOnDisk'] / size:,.0f}"
            f" bytes each on disk, imported at {loaded['rate']:,.0f}/s"
        )
        for result in step.get("listing", [])[:1]:
            pages = " + ".join(
                f"{result[part]['pages']:,} {part} pages" for part in ("list", "export")
            )
            notes.append(f"read during the listing row: {pages}")


def runs(steps):
    """Every measured run, to see whether others disturbed it."""
    return [run for step in steps for name in ROWS for run in step.get(name, [])]
