"""Walking through Neon's pages, to the end or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.wire import Raw, UnusableShape

T = TypeVar("T")

PAGE_SIZE = 400
_MAX_PAGES = 1000


def pages(
    caller: Caller,
    name: str,
    build: Callable[[Raw], tuple[T, ...]],
    /,
    *,
    cursor: str,
    params: Mapping[str, str] | None = None,
    page_size: int = PAGE_SIZE,
    **ids: str,
) -> Iterator[tuple[T, ...]]:
    """The items of each page that has any. `name` and `ids` are those of `Caller.read`; `cursor` names the field
    of `pagination` to follow.

    The last page carries a cursor too, so the walk ends at an empty page. It raises rather than stop early
    when cursors repeat: a list cut short would make something that exists look absent.
    """
    sent = {**(params or {}), "limit": str(page_size)}
    seen: set[str] = set()

    def read(page: Raw) -> tuple[tuple[T, ...], str | None]:
        items, following = build(page), _cursor_of(page, cursor)
        if items and following is not None and (following in seen or len(seen) >= _MAX_PAGES):
            raise UnusableShape("paging does not come to an end")
        return items, following

    while True:
        items, following = caller.read(name, read, sent, **ids)
        if not items:
            return
        yield items
        if following is None:
            return
        seen.add(following)
        sent["cursor"] = following


def _cursor_of(page: Raw, cursor: str) -> str | None:
    pagination = page.get("pagination")
    return wire.text(pagination, cursor) if isinstance(pagination, dict) else None
