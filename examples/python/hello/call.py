"""Asks the calculator, which may be written in any language: call.py [OP [NUMBER]]."""
import sys

import weir

op, number = (sys.argv[1:] + ["double", "21"][len(sys.argv) - 1:])[:2]
with weir.client("lab/calculator") as calculator:
    try:
        print(calculator.call(op, float(number), timeout=5.0).data)
    except weir.RemoteError as refused:
        sys.exit(f"error {refused.remote_code}: {refused}")
