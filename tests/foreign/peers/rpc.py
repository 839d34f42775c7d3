"""JSON-RPC 2.0: what jsonrpcclient and json-rpc make of requests and answers, over a plain socket. rpc.py PLACE; prints
one JSON value for each case."""
import json
import socket
import sys

import jsonrpc.jsonrpc2
import jsonrpcclient

place = sys.argv[1]
s = socket.socket(socket.AF_UNIX if place[0] == "/" else socket.AF_INET)
s.settimeout(20)
s.connect(place if place[0] == "/" else (place.split(":")[0], int(place.split(":")[1])))
f = s.makefile("rw", encoding="utf-8")


def ask(text):
    f.write(text + "\n")
    f.flush()
    return json.loads(f.readline())


def shown(answer):
    """As jsonrpcclient reads it."""
    if isinstance(answer, jsonrpcclient.Ok):
        return {"ok": answer.result, "id": answer.id}
    return {"code": answer.code, "id": answer.id}


def show(value):
    print(json.dumps(value))


show(shown(jsonrpcclient.parse(ask(jsonrpcclient.request_json("double", params=[21], id="a")))))
show(shown(jsonrpcclient.parse(ask(jsonrpcclient.request_json("nope", params=[], id=2)))))
show(shown(jsonrpcclient.parse(ask(jsonrpcclient.request_json("double", params={"not": "a number"}, id=3)))))
f.write(jsonrpcclient.notification_json("double", params=[1]) + "\n")  # has no answer: the next is that of the batch
batch = [jsonrpcclient.request("double", params=[i], id=i) for i in range(3)]
batch.append(jsonrpcclient.notification("double", params=[9]))
show(sorted((shown(answer) for answer in jsonrpcclient.parse(ask(json.dumps(batch)))), key=str))

request = jsonrpc.jsonrpc2.JSONRPC20Request("double", params=[4], _id=5)
show(jsonrpc.jsonrpc2.JSONRPC20Response.from_json(json.dumps(ask(request.json))).result)
other = jsonrpc.jsonrpc2.JSONRPC20Request("double", params=[5], _id="six")
both = jsonrpc.jsonrpc2.JSONRPC20BatchRequest(request, other)
show(sorted(ask(both.json), key=str))

show(shown(jsonrpcclient.parse(ask('{"jsonrpc": "2.0", "method": 1, "id": 7}'))))
show(shown(jsonrpcclient.parse(ask("[]"))))
show(shown(jsonrpcclient.parse(ask('{"jsonrpc": "2.0", "method": "double", "params": [1'))))
show(f.readline())  # whoever says what is no JSON is not listened to any more
