"""How quick the kernel is, and whether its memory stays: figures with the program that is installed, beside what they are to be.

Usage: measure.py [ready] [trip] [interrupts] [rust] [memory], all without arguments. Fails when a figure is not what it is to be, so
the machine should have nothing else to do, or give this process its priority: nice -n -20 python measure.py
"""

import statistics
import sys
import time

from jupyter_client.manager import KernelManager

from notebook import Notebook
from session import LONG, worker_of

missed = []


def report(what, figure, bound, unit="ms"):
    """A line of the table."""
    met = figure <= bound
    if not met:
        missed.append(what)
    print(f"{what:<64}{figure:>9.1f} {unit:<4} ≤ {bound:g} {unit}{'' if met else '   missed'}", flush=True)


def spread(what, seconds, bound=None, all_bound=None):
    """Median and slowest; a bound on either."""
    times = [1000 * s for s in seconds]
    for name, value, most in [("median", statistics.median(times), bound), ("slowest", max(times), all_bound)]:
        if most is None:
            print(f"{f'{what}, {name} of {len(times)}':<64}{value:>9.1f} ms", flush=True)
        else:
            report(f"{what}, {name} of {len(times)}", value, most)


def resident(process):
    """MiB of a process in memory."""
    with open(f"/proc/{process}/statm") as statm:
        return 4096 * int(statm.read().split()[1]) / 2**20


def started():
    """Seconds until the kernel answers, and until it has run a cell. (The client's own wait for a kernel takes 0.2 s more.)"""
    manager = KernelManager(kernel_name="ansatz")
    began = time.perf_counter()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.kernel_info(reply=True, timeout=10)
    ready = time.perf_counter() - began
    client.execute("1 + 1", reply=True, timeout=10)
    ran = time.perf_counter() - began
    client.stop_channels()
    manager.shutdown_kernel()
    return ready, ran


def ready():
    times = [started() for _ in range(15)]
    spread("kernel ready: from its start to its first answer", [ready for ready, _ in times], bound=300)
    spread("from its start to the value of a first cell", [ran for _, ran in times])


def trip():
    with Notebook() as book:
        spread("a cell `1 + 1`, there and back", [book.run("1 + 1").seconds for _ in range(200)], bound=10)


def interrupts():
    with Notebook() as book:
        book.run(LONG["prepared"])
        for kind in ["loop", "rollout", "training"]:
            stops = []
            for _ in range(50):
                message = book.send(LONG[kind])
                book.begun(message)
                time.sleep(0.1)
                began = time.perf_counter()
                book.interrupt()
                ran = book.collect(message)
                stops.append(time.perf_counter() - began)
                assert ran.error.get("ename") == "Interrupted", ran
                assert book.run("kept.shape[0]").result["text/plain"] == "11", "the variables are gone"
            spread(f"interrupt of a {kind}, until the cell has ended", stops, all_bound=100)


def rust():
    first, later = [], []
    for _ in range(3):
        with Notebook() as book:
            first.append(book.run("%%rust\nlet a: i32 = 1;", timeout=120).seconds)
            for turn in range(8):
                ran = book.run(f"%%rust\nlet b{turn} = a + {turn};\nprintln!(\"{{b{turn}}}\");\na * {turn}", timeout=60)
                assert ran.result["text/plain"] == str(turn), ran
                later.append(ran.seconds)
    spread("first cell in Rust of a session", first, all_bound=5000)
    spread("later cells in Rust, ending in a value", later, bound=1000)


def memory():
    rebind = "let large = random::normal([1000, 1000], #{ seed: 1 }); fn read() { large } let half = large / 2;"
    sizes = []
    with Notebook() as book:
        for turn in range(1000):
            ran = book.run(rebind + " 0;")
            assert ran.status == "ok", ran
            if turn % 100 == 99:
                sizes.append(resident(worker_of(book)))
    print("memory after each 100 of 1000 cells that rebind 4 MB and its half:", ", ".join(f"{s:.0f}" for s in sizes), "MiB")
    report("growth of memory from cell 100 to cell 1000", sizes[-1] - sizes[0], 8, "MiB")


if __name__ == "__main__":
    parts = [ready, trip, interrupts, rust, memory]
    names = sys.argv[1:] or [part.__name__ for part in parts]
    for part in parts:
        if part.__name__ in names:
            part()
    if missed:
        raise SystemExit(f"missed: {'; '.join(missed)}")
