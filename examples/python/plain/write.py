"""Sends three readings over a socket, with nothing but Python's standard library: write.py PATH."""
import json
import socket
import sys

with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    for celsius in (21.5, 21.6, 21.8):
        s.sendall(json.dumps({"op": "reading", "meta": {"unit": "C"}, "data": celsius}).encode() + b"\n")
