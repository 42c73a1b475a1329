"""The exporter for an hour under everything at once: what it takes at the start, on the way and at the end.

    run.sh BINARY soak [MINUTES [ENDS_PER_SECOND]]        60 and 120 unless told

The exporter is a process of its own, so that what is measured is its alone. Nothing is asserted but that it lives and
ends well: the verdict about growth is printed.
"""

import random
import sqlite3
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import fleet
from kit.deadline import throughout, wait_until
from kit.exporter import Exporter, accepts
from kit.programs import BINARY, Program, new_folder, start
from kit.web import free_port
from load import Forgetful, Load
from measures import Sample, machine, number, own_metrics, row, sample, trend

SAMPLE_SECONDS = 10
ROWS = 20
# The part of the time after which everything that settles is taken to have settled, but for ids of what ended: they
# are remembered up to `limits::ENDED_IDS_MAX`, and only then does memory stand still.
WARM_UP = 0.25
ENDED_IDS_MAX = 200_000
# Columns that count up by their nature.
COUNTERS = ("ended", "cpu s")
PAGES = ("page_count", "freelist_count", "page_size")


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    ends_per_second = float(sys.argv[2]) if len(sys.argv) > 2 else 120.0
    random.seed(6)
    with ExitStack() as stack:
        storage = new_folder() / "data"
        exporter, simulator, load, collector = begin(stack, storage, minutes, ends_per_second)
        print(f"{minutes:.0f} minutes, {ends_per_second:.0f} jobs of a crowd end each second, {machine()}", flush=True)
        samples = watch(exporter, simulator, load, storage, minutes)
        tell_trends(samples)
        tell_load(exporter, load, collector)
        code = exporter.program.terminate()
        print(f"\nended with exit code {code}; the log has {len(exporter.program.lines())} lines")
        tell_store(storage)
        return code


def begin(stack: ExitStack, storage: Path, minutes: float, ends_per_second: float):
    """Everything, running; whoever wants something of the exporter begins last."""
    cloud, files, gateway, web = (free_port() for _ in range(4))
    collector, folder = Forgetful(), new_folder()
    (folder / "scenario.yaml").write_text(fleet.scenario(minutes + 5, ends_per_second))
    (folder / "config.yaml").write_text(fleet.configuration(cloud, files, gateway, collector.endpoint, storage))
    listen = [f"--listen-address=127.0.0.1:{cloud}", f"--http-listen-address=127.0.0.1:{files}"]
    scenario = f"--scenario={folder / 'scenario.yaml'}"
    simulator = start(stack.callback, "simulate", BINARY, "simulate", *listen, scenario, "--log.level=warn")
    wait_until("the simulator listens", lambda: accepts(cloud) or not simulator.is_running(), 20)
    flags = [f"--config.file={folder / 'config.yaml'}", f"--web.listen-address=127.0.0.1:{web}"]
    exporter = Exporter(start(stack.callback, "serve", BINARY, "serve", *flags), web)
    exporter.wait_listening()
    load = Load(web, gateway)
    load.start()
    stack.callback(load.stop)
    return exporter, simulator, load, collector


def watch(exporter: Exporter, simulator: Program, load: Load, storage: Path, minutes: float) -> list[Sample]:
    """Looks every few seconds, and prints some of it."""
    began, samples = time.monotonic(), []

    def look() -> None:
        exporter.ended()
        if not simulator.is_running():
            raise RuntimeError(f"the simulator ended: {simulator}")
        try:
            samples.append(sample(exporter.program.process.pid, exporter.port, storage, began))
        except OSError as error:
            print(f"not measured: {error}", flush=True)
            return
        if len(samples) == 1:
            print(row(["minutes", *samples[0].values]))
        if samples[-1].minutes >= (look.printed * minutes / ROWS):
            look.printed += 1
            print(row([f"{samples[-1].minutes:.1f}", *map(number, samples[-1].values.values())]), flush=True)

    look.printed = 0
    throughout(minutes * 60, look, SAMPLE_SECONDS)
    return samples


def tell_trends(samples: list[Sample]) -> None:
    warm = settled(samples)
    is_full = warm[0].values["ended"] >= ENDED_IDS_MAX
    print(f"\nafter a warm-up of {warm[0].minutes:.0f} minutes, by a straight line through {len(warm)} samples")
    print(f"ids of what ended: {'as many as are remembered' if is_full else 'more are remembered with every end'}")
    print(row(["", "first", "last", "max", "an hour", "r²", ""], lambda it: 9 if it else 10))
    for column in samples[0].values:
        found = trend(warm, column)
        if found and column not in COUNTERS:
            most = max(it.values[column] for it in warm)
            cells = [column, *map(number, (found.first, found.last, most, found.an_hour)), f"{found.fit:.2f}"]
            print(row([*cells, found.verdict], lambda it: 9 if it else 10))
    ends = warm[-1].values["ended"] - warm[0].values["ended"]
    seconds = (warm[-1].minutes - warm[0].minutes) * 60
    cpu = warm[-1].values["cpu s"] - warm[0].values["cpu s"]
    print(f"{ends / seconds:.1f} ends a second, {100 * cpu / seconds:.1f} % of a core")


def settled(samples: list[Sample]) -> list[Sample]:
    """What came after the warm-up; with all ids remembered, if enough of it is left."""
    warm = [it for it in samples if it.minutes >= samples[-1].minutes * WARM_UP]
    full = [it for it in warm if it.values["ended"] >= ENDED_IDS_MAX]
    return full if len(full) > len(warm) / 4 else warm


def tell_load(exporter: Exporter, load: Load, collector: Forgetful) -> None:
    print("\nwhat was done, and what failed by the faults")
    for name, count in [*sorted(load.done.items()), *sorted(load.failed.items())]:
        print(f"{count:>12}  {name}")
    print(f"collector: {collector.requests} requests, {collector.bytes >> 20} MiB, {collector.refused} refused")
    for name, value in sorted(own_metrics(exporter.port).items()):
        if name.endswith("_total"):
            print(f"{number(value):>12}  {name}")


def tell_store(storage: Path) -> None:
    """What is in the file that is left, once nobody has it open."""
    files = ", ".join(f"{file.name} {file.stat().st_size >> 10} KiB" for file in sorted(storage.iterdir()))
    print(f"left in the folder: {files}")
    with sqlite3.connect(storage / "state.db") as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            print(f"{database.execute(f'SELECT count(*) FROM {name}').fetchone()[0]:>12}  {name}")
        pages, free, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in PAGES)
        print(f"{pages * size >> 10:>12}  KiB in pages, of which {free * size >> 10} free")
        kind = "iif(json_type(key) = 'object', (SELECT each.key FROM json_each(records.key) AS each), key)"
        kinds = f"SELECT {kind}, count(*), sum(length(value)) FROM records GROUP BY 1"
        for kind, count, size in database.execute(kinds):
            print(f"{count:>12}  records of {kind}, {size >> 10} KiB")


if __name__ == "__main__":
    sys.exit(main())
