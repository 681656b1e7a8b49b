"""Uses each part of the API once: enqueue, wait, read a board twice, invalidate, follow events, reconnect.

ROUNDS_URL and ROUNDS_API_KEY are the environment, the practice is the argument. Exits with 1 when a check fails.
"""

import datetime
import os
import sys
import time

from rounds import Client, Problem


def expect(what, condition):
    if not condition:
        sys.exit("failed: " + what)
    print(what)


def until(events, kind):
    for event in events:
        if event[1] == kind:
            return event
    sys.exit("the stream ended before " + kind)


def main(practice):
    client = Client(os.environ["ROUNDS_URL"], os.environ["ROUNDS_API_KEY"])
    try:
        client.task("no-such-task")
        sys.exit("a task that does not exist was found")
    except Problem as problem:
        expect("an unknown task is not_found", problem.code == "not_found" and problem.status == 404)

    today = datetime.date.today().isoformat()
    receipt = client.enqueue("schedule.sync", idempotency_key="walk.py " + str(time.time()), practice=practice, **{"from": today, "to": today})
    expect("the task is done", client.wait(receipt["id"])["state"] == "done")

    board = client.board(practice, today)
    while board.document["unknown"] > 0:
        time.sleep(0.5)
        board = client.board(practice, today)
    expect("the board has rows and an age", board.document["rows"] and board.stale is False and board.age >= 0)
    again = client.board(practice, today, known=board)
    expect("the same board is not sent again", again.document is board.document and again.etag == board.etag)

    stream = client.events()
    until(stream, "ready")
    done = client.invalidate(practice, "practice")
    expect("the response names the tasks that read it again", len(done["tasks"]) >= 2)
    last, _, data = until(stream, "entity.invalidated")
    expect("the event names the practice", data["practice"] == practice)
    stream.close()

    for noun in ("provider", "practice", "provider"):
        client.invalidate(practice, noun, "1")
    stream = client.events(after=last)
    missed = [until(stream, "entity.invalidated")[0] for _ in range(3)]
    stream.close()
    expect("no event was lost while disconnected", missed == sorted(set(missed), key=int) and int(missed[0]) > int(last))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "1")
