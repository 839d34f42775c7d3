"""Sends a spectrum, 4 channels of 256 numbers, ten times a second until Ctrl-C."""
import itertools
import time

import numpy as np
import weir

with weir.writer("lab/spectrum") as spectrum:
    for t in itertools.count():
        spectrum.send(t * np.sin(0.01 * np.arange(4 * 256)).reshape(4, 256), op="spectrum", unit="V")
        time.sleep(0.1)
