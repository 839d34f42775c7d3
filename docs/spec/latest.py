"""Prints the newest message of a shared-memory channel: its seq, its op, and the bytes of its data in hexadecimal.

    python3 latest.py /dev/shm/weir-1000/lab~temp

Knows nothing of the library. It shows what docs/spec/shm.md says of reading with pread: `last`, then the frame, then `oldest`.
"""
import os
import struct
import sys

PAGE, NO_FRAME, ATTEMPTS = 4096, 2**64 - 1, 16


def u64(file, offset):
    return struct.unpack("<Q", os.pread(file, 8, offset))[0]


class Segment:
    def __init__(self, channel, lane, generation):
        self.file = os.open(f"{channel}/lane.{lane}.{generation}", os.O_RDONLY | os.O_NOFOLLOW)
        magic, version, *names, _flags, self.capacity, self.ring, _base = struct.unpack("<8s4I3Q", self.at(0, 48))
        size = os.fstat(self.file).st_size
        if magic != b"weirlane" or [version, *names] != [1, lane, generation] or size != self.ring + self.capacity:
            raise ValueError(f"lane.{lane}.{generation} is damaged")
        self.forward = struct.unpack("<I", self.at(PAGE + 72, 4))[0]

    def at(self, offset, size):
        return os.pread(self.file, size, offset)

    def newest(self):
        """The frame that `last` names; None when the segment has none."""
        for _ in range(ATTEMPTS):
            last = u64(self.file, PAGE + 8)
            if last == NO_FRAME:
                return None
            begin = last % self.capacity
            size = struct.unpack("<I", self.at(self.ring + begin, 4))[0]
            is_possible = 16 <= size <= self.capacity // 2 - 64
            frame = b""
            if is_possible:
                frame = self.at(self.ring + begin, min(size, self.capacity - begin))
                frame += self.at(self.ring, size - len(frame))
            if u64(self.file, PAGE + 64) > last:
                continue  # overwritten while we read
            if not is_possible:
                raise ValueError("the newest frame is damaged")
            return frame
        return None

    def close(self):
        os.close(self.file)


def lane_newest(channel, lane, generation):
    segment = Segment(channel, lane, generation)
    while segment.forward:  # the table may lag behind a writer that died while its lane grew
        generation = segment.forward
        segment.close()
        segment = Segment(channel, lane, generation)
    frame = segment.newest()
    segment.close()
    while not frame and generation > 1:  # grown, and nothing sent since
        generation -= 1
        try:
            segment = Segment(channel, lane, generation)
        except FileNotFoundError:
            return None
        frame = segment.newest()
        segment.close()
    return frame


def time_of(frame):
    return struct.unpack_from("<q", frame, 16)[0] if frame[7] & 1 else 0


def main(channel):
    with open(f"{channel}/channel", "rb") as file:
        pages = file.read(2 * PAGE)
    if struct.unpack_from("<8s2I", pages) != (b"weirchan", 1, 64):
        sys.exit(f"{channel} is no channel of version 1")
    generations = struct.unpack_from("<64I", pages, PAGE + 192)
    frames = [lane_newest(channel, lane, generation) for lane, generation in enumerate(generations) if generation]
    frame = max(filter(None, reversed(frames)), key=time_of, default=None)
    if frame is None:
        sys.exit(f"{channel} has no message yet")
    size, _kind, _codec, op_size, flags, seq = struct.unpack_from("<IBBBBQ", frame)
    at = 16 + 8 * bin(flags & 7).count("1")  # behind time, id, writer
    meta_size = struct.unpack_from("<I", frame, at)[0] if flags & 8 else 0
    at += 4 if flags & 8 else 0
    type_size = struct.unpack_from("<H", frame, at)[0] if flags & 16 else 0
    at += 2 if flags & 16 else 0
    op = frame[at:at + op_size].decode()
    at += op_size + type_size + meta_size
    at = -(-at // 64) * 64 if flags & 32 else at
    print(seq, op, frame[at:size - (4 if flags & 64 else 0)].hex())


main(sys.argv[1])
