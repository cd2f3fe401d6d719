"""Every API call that arrived, so that a test can count what was really asked for."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from itertools import count
from typing import Any

from neon_sandbox import times
from neon_sandbox.api.request import Reply, Request

KEPT_CALLS = 20_000


class Calls:
    """The newest calls; `number` counts all."""

    def __init__(self) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT_CALLS)
        self._numbers = count(1)
        self._lock = threading.Lock()

    def begin(self, request: Request) -> dict[str, Any]:
        call = {
            "at": times.shown_exactly(times.now()),
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "body": _body(request.raw_body),
            "request_id": request.id,
            "user_agent": request.headers.get("user-agent", ""),
            "status": None,
            "seconds": None,
            "applied": False,
            "answered": False,
            "fault": None,
            "_started": time.monotonic(),
        }
        with self._lock:
            call["number"] = next(self._numbers)
            self._calls.append(call)
        return call

    def performed(self, call: dict[str, Any], reply: Reply) -> None:
        """`applied`: the call changed something, whether or not its answer arrived."""
        with self._lock:
            call["applied"] = call["method"] not in ("GET", "HEAD") and reply.status < 400

    def ended(self, call: dict[str, Any], status: int | None, *, answered: bool) -> None:
        with self._lock:
            call |= {"status": status, "answered": answered, "seconds": time.monotonic() - call["_started"]}

    def all(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{name: value for name, value in call.items() if name[0] != "_"} for call in self._calls]

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()


def _body(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")
