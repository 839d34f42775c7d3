"""Sends an image of 8 MB a hundred times a second, computed in the channel's own memory: write.py [ROWS]."""
import itertools
import sys
import time

import numpy as np
import weir

rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
ramp = np.arange(rows * 1000, dtype="f8").reshape(rows, 1000)

with weir.writer("lab/image", capacity="64M") as image:
    start = time.monotonic()
    for t in itertools.count():
        with image.reserve("f64", (rows, 1000), op="image") as memory:
            np.add(ramp, t, out=np.asarray(memory))
        time.sleep(max(0, start + 0.01 * (t + 1) - time.monotonic()))
