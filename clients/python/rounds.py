"""A client for the Rounds gateway. It needs Python 3.8 or later and only the standard library.

    from rounds import Client
    client = Client(url, key)
    receipt = client.enqueue("schedule.sync", practice="1", **{"from": "2026-03-02", "to": "2026-03-02"})
    client.wait(receipt["id"])
    board = client.board("1")

walk.py uses each part of the API once.
"""

import datetime
import email.utils
import http.client
import io
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request


class Problem(Exception):
    """A response that is not the gateway's document: an error of the gateway, or of a proxy in front of it.

    Programs can rely on code, which is "unknown" if the response has none; detail is for people; retry_after is in
    seconds, or None; stale_reason is the code of why the practice cannot be read at the vendor, or None.
    """

    def __init__(self, status, body, retry_after):
        body = body if isinstance(body, dict) else {}
        self.status = status
        self.code = _text(body.get("code")) or "unknown"
        self.detail = _text(body.get("detail")) or _text(body.get("title"))
        self.retry_after = retry_after
        self.stale_reason = _text(body.get("stale_reason")) or None
        super().__init__("%d %s %s" % (status, self.code, self.detail))


class View:
    """A document, its ETag, the age of its data in seconds, and whether the data has changed since then.

    stale_reason is the code of why data stays stale, or None if the next reading confirms it. A response that
    does not state age or stale, such as a 304 of a proxy, leaves the value None: the data may be outdated.
    """

    def __init__(self, document, headers, stated=None):
        self.document = document
        self.etag = headers["ETag"]
        self.age = _seconds(headers["Age"])
        stale = (stated or {}).get("stale")
        self.stale = stale if isinstance(stale, bool) else {"true": True, "false": False}.get(headers["Data-Stale"])
        self.stale_reason = _text((stated or {}).get("stale_reason")) or headers["Data-Stale-Reason"] or None


class Client:
    """Sends requests to one gateway with one API key."""

    def __init__(self, url, key, timeout=30):
        self._url = url.rstrip("/")
        self._key = key
        self._timeout = timeout

    def enqueue(self, kind, idempotency_key=None, interactive=False, **args):
        """Enqueue a task and return its receipt."""
        body = {"kind": kind, "args": args}
        if interactive:
            body["interactive"] = True
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._document("/v1/tasks", body, headers)

    def task(self, task_id):
        """Return a task's status."""
        return self._document("/v1/tasks/" + urllib.parse.quote(task_id, safe=""))

    def wait(self, task_id, limit=60):
        """Wait until a task has ended and return its status. Raise TimeoutError after limit seconds."""
        end = time.monotonic() + limit
        while True:
            status = self.task(task_id)
            if status["state"] in ("done", "dead", "superseded", "expired"):
                return status
            if time.monotonic() > end:
                raise TimeoutError("the task is still " + status["state"])
            time.sleep(0.5)

    def board(self, practice, date=None, known=None):
        """Read a day board. If its data still matches known, return the document of known with its new age."""
        return self._view("/v1/practices/%s/board" % urllib.parse.quote(practice, safe=""), {"date": date}, known)

    def patient(self, patient, practice=None, known=None):
        """Read a patient's card."""
        return self._view("/v1/patients/%s" % urllib.parse.quote(patient, safe=""), {"practice": practice}, known)

    def provider_day(self, provider, practice=None, date=None, known=None):
        """Read a provider's day."""
        path = "/v1/providers/%s/day" % urllib.parse.quote(provider, safe="")
        return self._view(path, {"practice": practice, "date": date}, known)

    def invalidate(self, practice, noun, record=None):
        """Report that a record changed at the vendor. All readers see its views as stale once this returns.

        If the cache cannot be written, the document has "queued", and a task does it when the cache is back.
        """
        body = {"practice": practice, "noun": noun}
        if record is not None:
            body["id"] = record
        return self._document("/v1/invalidations", body)

    def events(self, after=None):
        """Yield (id, kind, data) of each change until the connection ends: those after an event's id, or new ones.

        "ready" comes first. After "gap", which means that earlier events are missing, read again what you show.
        """
        headers = {"Last-Event-ID": after} if after else {}
        with self._send("/v1/events", None, headers) as stream:
            if stream.headers.get_content_type() != "text/event-stream":
                raise Problem(stream.status, None, None)
            # This reads line ends of all three kinds, and skips a byte order mark.
            yield from _events(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline=None))

    def _view(self, path, query, known):
        query = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        headers = {"If-None-Match": known.etag} if known and known.etag else {}
        try:
            with self._send(path + ("?" + query if query else ""), None, headers) as response:
                document = _document(response)
                return View(document, response.headers, document)
        except urllib.error.HTTPError as response:
            if headers:
                return View(known.document, response.headers)
            raise Problem(response.code, None, None) from None

    def _document(self, path, body=None, headers=None):
        with self._send(path, body, headers or {}) as response:
            return _document(response)

    def _send(self, path, body, headers):
        request = urllib.request.Request(self._url + path, headers=dict(headers, Authorization="Bearer " + self._key))
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            return urllib.request.urlopen(request, timeout=self._timeout)
        except urllib.error.HTTPError as response:
            if response.code == 304:
                raise
            with response:
                raise Problem(response.code, _json(response), _retry_after(response.headers["Retry-After"])) from None


def _json(response):
    """Return what the body contains; None if it is not JSON, or ends too early."""
    try:
        return json.load(response)
    except (ValueError, RecursionError, http.client.HTTPException, OSError):
        return None


def _document(response):
    document = _json(response)
    if not isinstance(document, dict):
        raise Problem(response.status, None, None)
    return document


def _events(lines):
    """Parse a stream as the HTML standard defines it (server-sent events, 9.2.6)."""
    last, kind, data = "", "", []
    for line in lines:
        if not line.endswith("\n"):
            return  # the connection ended within an event
        name, _, value = line[:-1].partition(":")
        value = value[1:] if value.startswith(" ") else value
        if line == "\n":
            if data:
                yield last, kind or "message", json.loads("\n".join(data))
            kind, data = "", []
        elif name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last = value


def _text(value):
    return value if isinstance(value, str) else ""


def _seconds(text):
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_HTTP_DATE = re.compile(r"[A-Z][a-z]+, \d\d( %s \d{4}|-%s-\d\d) \d\d:\d\d:\d\d GMT" % (_MONTH, _MONTH), re.ASCII)


def _retry_after(text):
    """Return the seconds that a Retry-After header asks to wait, which is a number or a date; None without a usable one."""
    seconds = _seconds(text)
    if seconds is not None or not _HTTP_DATE.fullmatch((text or "").strip()):
        return seconds
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.timezone.utc)
    return max(0, round((at - datetime.datetime.now(datetime.timezone.utc)).total_seconds()))
