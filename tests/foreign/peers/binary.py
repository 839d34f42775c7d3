"""CBOR sequences with cbor2, or BSON documents with pymongo's bson, over a socket or in a file:
binary.py cbor|bson write|read|call|append|load PLACE N."""
import json
import socket
import sys

codec, what, place, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def series(i):
    data = {"i": i, "big": 9007199254740993 + i, "half": i + 0.5, "text": 'zwölf €𝄞 "%d"' % i,
            "list": [None, True, [i]]}
    return {"op": "reading", "meta": {"unit": "V"}, "data": data}


def connected():
    s = socket.socket(socket.AF_UNIX if place[0] == "/" else socket.AF_INET)
    s.connect(place if place[0] == "/" else (place.split(":")[0], int(place.split(":")[1])))
    return s.makefile("rwb")


if codec == "cbor":
    import cbor2

    encode = cbor2.dumps
    take = cbor2.load
else:
    import struct

    import bson

    encode = getattr(bson, "encode", None) or bson.BSON.encode

    def take(file):
        head = file.read(4)
        return bson.decode_all(head + file.read(struct.unpack("<i", head)[0] - 4))[0]


def shown(message):
    return json.dumps({key: message[key] for key in ("op", "meta", "data")})


if what in ("append", "load"):
    with open(place, "ab" if what == "append" else "rb") as file:
        for i in range(count):
            if what == "append":
                file.write(encode(series(i)))
            else:
                print(shown(take(file)))
else:
    f = connected()
    for i in range(count):
        if what == "write":
            f.write(encode(series(i)))
        elif what == "read":
            print(shown(take(f)))
        else:
            f.write(encode({"id": i + 1, "op": "double", "data": i}))
            f.flush()
            print(take(f)["data"])
    f.flush()
