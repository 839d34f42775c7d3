"""As read.py, but looks at each spectrum where it lies in the channel: nothing is copied."""
import weir

with weir.reader("lab/spectrum") as spectrum:
    for message in spectrum.messages(copy=False):
        print(message.seq, message.type, message.array.max(), flush=True)  # no array may be kept
