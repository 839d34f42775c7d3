"""Prints the number and the middle row's mean of every image, read where it lies; until Ctrl-C."""
import weir

for message in weir.reader("lab/image").messages(copy=False):
    image = message.array  # shows the channel, until the reader's next call
    print(message.seq, image[len(image) // 2].mean(), flush=True)
    del image
