"""Asks a server on a TCP port, with nothing but Python's standard library: call.py PORT NUMBER."""
import json
import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s, s.makefile("rw") as f:
    f.write(json.dumps({"id": 1, "op": "double", "data": float(sys.argv[2])}) + "\n")
    f.flush()
    reply = json.loads(f.readline())
    print(reply.get("data", reply.get("error")))
