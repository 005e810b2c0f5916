"""How quick the kernel is, and whether its memory stays: figures with the program that is installed.

Usage: measure.py. Not a test: machines differ. The bounds that hold everywhere are in session.py.
"""

import statistics
import time

from jupyter_client.manager import KernelManager

from notebook import Notebook
from session import worker_of


def resident(process):
    """Bytes of a process in memory."""
    with open(f"/proc/{process}/statm") as statm:
        return 4096 * int(statm.read().split()[1])


def milliseconds(values):
    return f"median {1000 * statistics.median(values):.1f} ms, slowest {1000 * max(values):.1f} ms"


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


def main():
    times = [started() for _ in range(7)]
    print(f"from the start to the kernel's answer: {milliseconds([ready for ready, _ in times])}")
    print(f"from the start to the first cell's value: {milliseconds([ran for _, ran in times])}")

    with Notebook() as book:
        trips = [book.run("1 + 1").seconds for _ in range(200)]
        print(f"round trip of a cell, 200 times: {milliseconds(trips)}")

        stops = []
        for _ in range(50):
            message = book.send("loop { }")
            book.begun(message)
            time.sleep(0.05)
            began = time.perf_counter()
            book.interrupt()
            book.collect(message)
            stops.append(time.perf_counter() - began)
        print(f"interrupt of a loop, 50 times: {milliseconds(stops)}")

        rebind = "let large = random::normal([1000, 1000], #{ seed: 1 }); fn read() { large } let half = large / 2;"
        sizes = []
        for turn in range(1000):
            ran = book.run(rebind + " 0;")
            assert ran.status == "ok", ran
            if turn % 100 == 99:
                sizes.append(resident(worker_of(book)) / 2**20)
        print("memory of the worker after each 100 of 1000 cells that rebind 4 MB and its half:", ", ".join(f"{s:.0f}" for s in sizes), "MiB")


if __name__ == "__main__":
    main()
