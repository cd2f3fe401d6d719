"""Misbehaviour on demand: what a real network and a real Neon do to a client, one call at a time."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neon_sandbox.problems import ApiProblem

KINDS: Mapping[str, str] = {
    "lose_answer": "do the work, then close the connection without an answer",
    "apply_late": "close the connection now, do the work `seconds` later (default 1)",
    "status": "do nothing and answer `status` (423, 429, 500, 503, ...) with `message` and, if given, `retry_after`",
    "error_after_success": "do the work, then answer `status` (default 500)",
    "hang": "hold the connection for `seconds` (default 3600) and close it; the work is done first with `apply`",
    "drip": "do the work, then answer one byte every `interval_seconds` (default 1)",
    "html": "answer `status` (default 524) with an HTML page; the work is done first with `apply`",
    "drop_fields": "do the work, leave out the `fields` wherever they occur in the answer",
    "delay_operations": "do the work; its operations take `seconds` longer",
    "operation_fails": "do the work; an operation (`action`, default each) is `failed` for `seconds` (default 1) with "
    "`error`, then goes on; with `final` it ends as `error`",
    "revoke_key": "revoke the key of the call, which then answers 401 as all later ones",
    "foreign_operation": "first start somebody else's operation, which locks the project for `seconds` (default 1)",
}
FIELDS = {"id", "kind", "method", "path", "times", "parameters"}


@dataclass
class Fault:
    """`path` is a regular expression, searched in the path without /api/v2; `times` None: until removed."""

    kind: str
    method: str | None = None
    path: str = ""
    times: int | None = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    used: int = 0
    removed: threading.Event = field(default_factory=threading.Event)

    def matches(self, method: str, path: str) -> bool:
        return (
            (self.times is None or self.used < self.times)
            and self.method in (None, method)
            and re.search(self.path, path) is not None
        )

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "method": self.method,
            "path": self.path,
            "times": self.times,
            "parameters": dict(self.parameters),
            "used": self.used,
        }

    def seconds(self, default: float) -> float:
        return float(self.parameters.get("seconds", default))


def fault_from(values: Mapping[str, Any]) -> Fault:
    if values.get("kind") not in KINDS:
        raise ApiProblem(400, f"kind must be one of: {', '.join(KINDS)}")
    if unknown := set(values) - FIELDS:
        raise ApiProblem(400, f"unknown: {', '.join(sorted(unknown))}; what a kind needs goes into parameters")
    try:
        re.compile(values.get("path", ""))
    except (re.error, TypeError):
        raise ApiProblem(400, "path must be a regular expression") from None
    method = values.get("method")
    return Fault(
        kind=values["kind"],
        method=method.upper() if method else None,
        path=values.get("path", ""),
        times=values.get("times", 1),
        parameters=values.get("parameters") or {},
    )


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault that wants this call, counted as used."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(method, path):
                    fault.used += 1
                    return fault
        return None

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def clear(self, fault_id: str | None = None) -> None:
        """Removes one fault or all; calls that hang because of it are let go."""
        with self._lock:
            gone = [fault for fault in self._faults if fault_id in (None, fault.id)]
            self._faults = [fault for fault in self._faults if fault not in gone]
        for fault in gone:
            fault.removed.set()


def without_fields(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: without_fields(inner, names) for name, inner in value.items() if name not in names}
    if isinstance(value, list):
        return [without_fields(inner, names) for inner in value]
    return value
