"""What crossed the wire: every call of Neon's API that was answered, told to whoever wants to check it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LOG_VARIABLE = "SANDBOX_TRAFFIC_LOG"


@dataclass(frozen=True)
class Exchange:
    """One call and its answer. `fault` is the kind of the misbehaviour that was ordered for this call, if any."""

    method: str
    path: str
    status: int
    query: Mapping[str, str] = field(default_factory=dict)
    request_body: str = ""
    user_agent: str = ""
    content_type: str = ""
    body: str = ""
    fault: str | None = None

    def as_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


Observer = Callable[[Exchange], None]


def exchange_from(line: str) -> Exchange:
    values: dict[str, Any] = json.loads(line)
    return Exchange(**values)


def appending_to(path: Path) -> Observer:
    """An observer that adds one line of JSON an exchange. Processes may share the file: each line is one write."""
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def append(exchange: Exchange) -> None:
        os.write(log, exchange.as_line().encode())

    return append
