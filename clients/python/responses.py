"""Prints what the client makes of each response of the server at ROUNDS_URL, one JSON document a line.

The arguments are names: those that begin with "stream-" are read as events, the others as a board.
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
        return {"age": view.age, "document": view.document, "stale_reason": view.stale_reason}
    except Problem as problem:
        return {
            "status": problem.status, "code": problem.code, "retry_after": problem.retry_after, "stale_reason": problem.stale_reason,
        }
    except Exception as error:
        return {"error": type(error).__name__}


for name in sys.argv[1:]:
    print(json.dumps(dict(read(name), name=name)))
