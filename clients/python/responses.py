"""Prints what the client makes of each response of the server at ROUNDS_URL, one JSON document a line.

The arguments are names: those that begin with "stream-" are read as events, those with "again-" as a board that the
client knows, the others as a board.
"""

import json
import os
import sys

from rounds import Client, Problem


def read(name):
    client = Client(os.environ["ROUNDS_URL"] + "/" + name, os.environ["ROUNDS_API_KEY"], timeout=10)
    try:
        if name.startswith("stream-"):
            return {"events": [{"id": id, "kind": kind, "data": data} for id, kind, data in client.events()]}
        view = client.board("1")
        if name.startswith("again-"):
            view = client.board("1", known=view)
        return {"age": view.age, "stale": view.stale, "stale_reason": view.stale_reason, "document": view.document}
    except Problem as problem:
        return {
            "status": problem.status, "code": problem.code, "retry_after": problem.retry_after, "stale_reason": problem.stale_reason,
        }
    except Exception as error:
        return {"error": type(error).__name__}


for name in sys.argv[1:]:
    print(json.dumps(dict(read(name), name=name)))
