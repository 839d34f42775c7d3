#!/usr/bin/env python3
"""host.py [ADDRESS]: what this machine is doing, ten times a second.

One message is one map: load of each core and their mean (percent of the last half second), memory, disk and network traffic in
bytes per second, and, on machines that know them, pressure (percent of time that work waited, /proc/pressure) and temperatures.
What a machine does not know is left out, so readers ask whether a key is there.
"""
import collections
import os
import signal
import sys
import time

import psutil
import weir

RATE = 10
WINDOW = 5  # readings that a load is averaged over: the kernel counts processor time in hundredths of a second


class Load:
    """Percent of time that each core was busy, over the last WINDOW readings."""

    def __init__(self):
        self.times = collections.deque(maxlen=WINDOW + 1)

    def read(self):
        self.times.append([(sum(t) - t.idle - getattr(t, "iowait", 0), sum(t)) for t in psutil.cpu_times(percpu=True)])
        return [self.percent(before, after) for before, after in zip(self.times[0], self.times[-1])]

    @staticmethod
    def percent(before, after):
        busy, total = after[0] - before[0], after[1] - before[1]
        return round(min(max(100 * busy / total, 0), 100), 1) if total > 0 else 0.0


class Rate:
    """Growth per second of counters that only grow, over the last second."""

    def __init__(self, read_counters):
        self.read_counters = read_counters
        self.history = collections.deque(maxlen=RATE + 1)

    def read(self):
        self.history.append((time.monotonic(), self.read_counters()))
        (then, before), (now, after) = self.history[0], self.history[-1]
        return {name: max(after[name] - before.get(name, 0), 0) / (now - then) if now > then else 0.0 for name in after}


def disk_counters():
    counters = psutil.disk_io_counters()  # None on machines without disks
    return {"read": counters.read_bytes, "write": counters.write_bytes} if counters else {}


def network_counters():
    links = [c for name, c in psutil.net_io_counters(pernic=True).items() if name != "lo"]
    return {"receive": sum(c.bytes_recv for c in links), "send": sum(c.bytes_sent for c in links)}


def memory():
    now = psutil.virtual_memory()
    return {"total": now.total, "used": now.total - now.available, "percent": round(now.percent, 1)}


def pressure():
    """Percent of the last ten seconds in which some work waited for processor, memory or disk."""
    found = {}
    for name in ("cpu", "memory", "io"):
        try:
            with open(f"/proc/pressure/{name}", encoding="ascii") as file:
                found[name] = float(file.readline().split("avg10=")[1].split()[0])
        except (OSError, IndexError, ValueError):
            continue
    return found


def temperatures():
    found = {}
    for chip, entries in psutil.sensors_temperatures().items():
        for number, entry in enumerate(entries):
            found[f"{chip} {entry.label or number}"] = round(entry.current, 1)
    return found


class Host:
    def __init__(self):
        self.load = Load()
        self.disk = Rate(disk_counters)
        self.network = Rate(network_counters)
        self.slow = {}
        self.count = 0

    def read(self):
        cores = self.load.read()
        if self.count % RATE == 0:  # these change slowly or are expensive to read: once a second
            self.slow = {"pressure": pressure(), "temperatures": temperatures()}
        self.count += 1
        reading = {"load": round(sum(cores) / len(cores), 1), "cores": cores, "average": list(os.getloadavg()),
                   "memory": memory(), "disk": self.disk.read(), "network": self.network.read()}
        return reading | {name: values for name, values in self.slow.items() if values}


def ticks(period):
    """Sleep from tick to tick. Ticks that were slept through are not made up for."""
    due = time.monotonic()
    while True:
        due = max(due + period, time.monotonic())
        time.sleep(max(due - time.monotonic(), 0))
        yield


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "demo/host?keep=0"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host = Host()
    host.read()  # the first reading has nothing to compare with
    with weir.writer(address, full="drop-oldest") as writer:
        for _ in ticks(1 / RATE):
            writer.send(host.read(), op="host", unit={"load": "%", "memory": "B", "disk": "B/s", "network": "B/s"})


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except weir.Error as error:
        sys.exit(f"host.py: {error}")
