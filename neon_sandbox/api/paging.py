"""Neon's two kinds of pages. The last page still carries a cursor; the page after it is empty."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from neon_sandbox import times
from neon_sandbox.api.request import Request
from neon_sandbox.entities import Branch, Operation
from neon_sandbox.problems import ApiProblem

T = TypeVar("T")

_BRANCH_ORDERS: dict[str, Callable[[Branch], Any]] = {
    "name": lambda branch: (branch.name, branch.id),
    "created_at": lambda branch: (branch.created_at, branch.id),
    "updated_at": lambda branch: (branch.updated_at, branch.id),
}


def branch_page(request: Request, branches: Sequence[Branch]) -> tuple[list[Branch], dict[str, str]]:
    sort_by = request.query.get("sort_by", "updated_at")
    sort_order = request.query.get("sort_order", "desc")
    if sort_by not in _BRANCH_ORDERS or sort_order not in ("asc", "desc"):
        raise ApiProblem(400, "invalid request: unknown sort_by or sort_order")
    search = request.query.get("search", "")
    found = [branch for branch in branches if search in branch.name or search in branch.id]
    found.sort(key=_BRANCH_ORDERS[sort_by], reverse=sort_order == "desc")
    start = _offset(request.query.get("cursor"))
    page = found[start : start + request.whole_number("limit", default=10000, maximum=10000)]
    pagination = {"sort_by": sort_by, "sort_order": sort_order.upper()}
    if page:
        pagination["next"] = base64.b64encode(f"offset:{start + len(page)}".encode()).decode()
    return page, pagination


def operation_page(request: Request, operations: Sequence[Operation]) -> tuple[list[Operation], dict[str, Any]]:
    newest_first = sorted(operations, key=lambda operation: operation.created_at, reverse=True)
    if cursor := request.query.get("cursor"):
        before = times.parse_time(cursor, "cursor")
        newest_first = [operation for operation in newest_first if operation.created_at < before]
    page = newest_first[: request.whole_number("limit", default=1000, maximum=1000)]
    return page, {"pagination": {"cursor": times.shown_exactly(page[-1].created_at)}} if page else {}


def page_after_id(request: Request, entities: Sequence[T], id_of: Callable[[T], str], *, maximum: int) -> list[T]:
    ordered = sorted(entities, key=id_of)
    cursor = request.query.get("cursor", "")
    after = [entity for entity in ordered if id_of(entity) > cursor]
    return after[: request.whole_number("limit", default=10, maximum=maximum)]


def _offset(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("offset:"))
    except (binascii.Error, ValueError):
        raise ApiProblem(400, "invalid request: invalid cursor") from None
