"""Compares calls and answers with Neon's description."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from neon_sandbox.traffic import Exchange
from tests.openapi.description import Description, Operation, Validator

# What the sandbox answers when a test has ordered it to answer wrongly. Everything else is checked.
ORDERED_TO_BE_WRONG: Mapping[str, str] = {
    "html": "a page of a proxy in front of Neon instead of JSON",
    "drop_fields": "an answer of which required fields are left out",
}
# Sent by the portal, in whichever process: what it asks for has to be right as well.
OUR_CLIENT = "carecircle-ops/"
REFUSED_ROUTE = frozenset({401, 404, 405, 429})


class Checker:
    def __init__(self, description: Description) -> None:
        self._description = description

    def exchange(self, exchange: Exchange) -> list[str]:
        """What is wrong with an answer of the sandbox and, when the portal's client asked, with the question."""
        asked: list[str] = []
        if exchange.user_agent.startswith(OUR_CLIENT):
            asked = self.request(exchange.method, exchange.path, exchange.query.items(), exchange.request_body)
        return asked + [f"{_named(exchange)}: {error}" for error in self._answer(exchange)]

    def request(self, method: str, path: str, query: Iterable[tuple[str, str]], body: str) -> list[str]:
        """What is wrong with a call that our client makes. `path` as it is sent, so that an escaped slash is none."""
        operation = self._description.find(method, path)
        if operation is None:
            return [f"{method} {path}: Neon has no such call"]
        errors = [*_of_path(operation, path), *_of_query(operation, query), *_of_body(operation, body)]
        return [f"request {method} {path}: {error}" for error in errors]

    def _answer(self, exchange: Exchange) -> list[str]:
        if exchange.fault in ORDERED_TO_BE_WRONG:
            return []
        operation = self._description.find(exchange.method, exchange.path)
        if operation is None:
            return [] if exchange.status in REFUSED_ROUTE else ["Neon has no such call"]
        status = str(exchange.status)
        if status not in operation.answers and exchange.status < 400:
            return [f"the description has no answer {status}"]
        return _of_answer(operation.answers.get(status, operation.answers["default"]), exchange)


def _of_answer(validator: Validator | None, exchange: Exchange) -> list[str]:
    if validator is None:
        return ["a body, though there should be none"] if exchange.body else []
    if exchange.content_type != "application/json":
        return [f"content type {exchange.content_type!r}"]
    parsed = _parsed(exchange.body)
    return ["not JSON"] if parsed is None else validator.errors(parsed)


def _of_path(operation: Operation, path: str) -> list[str]:
    found = operation.pattern.fullmatch(path)
    values = found.groupdict() if found else {}
    return [
        f"{name} in the path: {error}"
        for name, parameter in operation.path_parameters.items()
        for error in parameter.errors(unquote(values[name]))
    ]


def _of_query(operation: Operation, query: Iterable[tuple[str, str]]) -> list[str]:
    given = list(query)
    known = operation.query_parameters
    absent = {name for name, parameter in known.items() if parameter.required} - {name for name, _ in given}
    return [
        *(f"query parameter {name} is missing" for name in sorted(absent)),
        *(f"query parameter {name} is unknown" for name, _ in given if name not in known),
        *(f"query {name}: {error}" for name, value in given if name in known for error in known[name].errors(value)),
    ]


def _of_body(operation: Operation, body: str) -> list[str]:
    if not body:
        return ["the body is missing"] if operation.body_required else []
    if operation.body is None:
        return ["a body, though the call takes none"]
    parsed = _parsed(body)
    return ["the body is not JSON"] if parsed is None else [f"body: {error}" for error in operation.body.errors(parsed)]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _named(exchange: Exchange) -> str:
    return f"answer {exchange.status} to {exchange.method} {exchange.path}"
