"""JSON lines over a socket with Python's standard library: lines.py write|read|call PLACE N."""
import json
import socket
import sys

what, place, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_UNIX if place[0] == "/" else socket.AF_INET)
s.connect(place if place[0] == "/" else (place.split(":")[0], int(place.split(":")[1])))
f = s.makefile("rw", encoding="utf-8")
if what == "write":
    for i in range(count):
        data = {"i": i, "big": 9007199254740993 + i, "half": i + 0.5, "text": 'zwölf €𝄞 "%d"' % i,
                "list": [None, True, [i]]}
        f.write(json.dumps({"op": "reading", "meta": {"unit": "V"}, "data": data}) + "\n")
elif what == "read":
    for _ in range(count):
        m = json.loads(f.readline())
        print(json.dumps({key: m[key] for key in ("op", "meta", "data")}))
else:
    for i in range(count):
        f.write(json.dumps({"id": i + 1, "op": "double", "data": i}) + "\n")
        f.flush()
        print(json.loads(f.readline())["data"])
f.flush()
