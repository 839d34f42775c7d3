#!/usr/bin/env python3
"""jitter.py [ADDRESS]: how late the scheduler wakes a sleeping process, a thousand times a second.

The process sleeps until each millisecond and measures by how many microseconds it was woken too late: a signal that shows
timer slack, other load on the machine, and virtual machines being scheduled away. 256 samples go out as one f64[256], as they
lie in memory. The samples stand on an even grid: when the process was held up across several milliseconds, each of them counts
as late until it ran again. Held up for more than LOST, it begins anew and says `torn`: samples are missing before this block.
"""
import signal
import sys
import time

import numpy
import weir

RATE = 1000
BLOCK = 256
PERIOD = 1_000_000_000 // RATE
LOST = 500_000_000  # ns


class Sleeper:
    def __init__(self):
        self.due = time.monotonic_ns()
        self.is_torn = False

    def fill(self, block):
        """Measure len(block) wake-ups, in microseconds. Returns whether samples are missing before them."""
        was_torn, self.is_torn = self.is_torn, False
        i = 0
        while i < len(block):
            self.due += PERIOD
            ahead = self.due - time.monotonic_ns()
            if ahead > 0:
                time.sleep(ahead / 1e9)
            late = time.monotonic_ns() - self.due
            if late > LOST:
                self.due += late
                was_torn, i = True, 0
                continue
            block[i] = late / 1000
            i += 1
        return was_torn


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "demo/jitter?keep=0"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    block = numpy.empty(BLOCK)
    with weir.writer(address, full="drop-oldest") as writer:
        sleeper = Sleeper()
        while True:
            is_torn = sleeper.fill(block)
            writer.send(block, op="jitter", unit="us", rate=float(RATE), **({"torn": True} if is_torn else {}))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except weir.Error as error:
        sys.exit(f"jitter.py: {error}")
