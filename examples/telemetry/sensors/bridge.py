#!/usr/bin/env python3
"""bridge.py FROM TO [FROM TO]...: what comes through one channel goes on into another, whatever carries them.

For a sensor on a pipe: a pipe has one reader, and here both the computation and the page want its messages. Each goes on as it is, with its
op, metadata and bytes; what was lost on the way here is told.
"""
import signal
import sys

import weir


def forward(message, writer):
    if message.codec == "?":  # no data, or in a form from the future: no reading
        return
    writer.send_bytes(message.bytes, codec=message.codec, type=message.type or None, op=message.op or None, meta=message.meta or None)
    if message.gap:
        print(f"bridge.py: {message.gap} lost before seq {message.seq}", file=sys.stderr)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    addresses = sys.argv[1:]
    if len(addresses) < 2 or len(addresses) % 2:
        sys.exit(__doc__.split(":")[0])
    joined = {weir.reader(source): weir.writer(target, full="drop-oldest") for source, target in zip(addresses[::2], addresses[1::2])}
    while True:
        for reader in weir.wait(joined):
            for message in reader.messages(timeout=0):
                forward(message, joined[reader])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except weir.Error as error:
        sys.exit(f"bridge.py: {error}")
