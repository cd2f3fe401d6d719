from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from neon_sandbox.problems import ApiProblem


@dataclass(frozen=True)
class Request:
    """One call. `effects` is what a fault wants of the operations that the call starts."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    raw_body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    effects: Mapping[str, Any] = field(default_factory=dict)
    key_kind: str = ""
    key_project_id: str | None = None

    def body(self) -> dict[str, Any]:
        """The JSON object sent, {} when there is none."""
        if not self.raw_body.strip():
            return {}
        try:
            parsed = json.loads(self.raw_body)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise ApiProblem(400, "invalid request: decode application/json: invalid: a JSON object is expected")
        return parsed

    def part(self, name: str, *, required: bool = False) -> dict[str, Any]:
        """An object inside the body."""
        value = self.body().get(name)
        if value is None and not required:
            return {}
        if not isinstance(value, dict):
            raise ApiProblem(400, f"invalid request: decode application/json: invalid: {name} (field required)")
        return value

    def whole_number(self, name: str, *, default: int, maximum: int) -> int:
        text = self.query.get(name, str(default))
        if not text.isdigit() or not 1 <= int(text) <= maximum:
            raise ApiProblem(400, f"invalid request: {name} must be a number from 1 to {maximum}")
        return int(text)


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body).encode()


def query_of(text: str) -> dict[str, str]:
    """A parameter that is repeated becomes one list with commas, which is the other way to give a list."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def text_of(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ApiProblem(400, f"invalid request: {name} must be a non-empty string")
    return value


def flag_of(values: Mapping[str, Any], name: str) -> bool | None:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise ApiProblem(400, f"invalid request: {name} must be true or false")
    return value


Handler = Callable[..., Reply]
