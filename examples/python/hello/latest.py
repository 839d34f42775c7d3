"""Prints the latest spectrum's age and greatest number; fails when it is more than 2 seconds old."""
import sys

import weir

try:
    message = weir.get("lab/spectrum", max_age=2.0)
    print(f"{message.age:.3f} s ago: {message.array.max()}")
except weir.NotFound as missing:  # no channel, no message yet, or an old one: weir.Stale, with the message as .last
    sys.exit(str(missing))
