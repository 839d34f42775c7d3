"""Prints the type and the greatest number of every spectrum, until Ctrl-C."""
import weir

for message in weir.reader("lab/spectrum"):
    print(message.seq, message.type, message.array.max(), flush=True)
