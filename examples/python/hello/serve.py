"""Answers "double" until Ctrl-C; for anything else the client gets the sentence of the exception."""
import weir


def refuse(request):
    raise weir.RemoteError(f"no operation {request.op} here", 42)


with weir.server("lab/calculator") as server:
    server.serve({"double": lambda request: 2 * request.data, "halve": refuse})
