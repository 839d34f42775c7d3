"""As write.py, but computes each spectrum in the channel's own memory: nothing is copied."""
import itertools
import time

import numpy as np
import weir

wave = np.sin(0.01 * np.arange(4 * 256)).reshape(4, 256)
with weir.writer("lab/spectrum") as spectrum:
    for t in itertools.count():
        with spectrum.reserve("f64", wave.shape, op="spectrum", meta={"unit": "V"}) as memory:
            np.multiply(wave, t, out=np.asarray(memory))
        time.sleep(0.1)
