"""Who acts in this thread, for the few writers that Django calls without telling them: its signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from backups.domain.correlation import current_request_id
from backups.domain.people import Actor, ActorKind

_current: ContextVar[Callable[[], Actor] | None] = ContextVar("actor", default=None)


def current_actor() -> Actor:
    """The actor in force; outside of `acting`, somebody at the command line."""
    find = _current.get()
    if find is None:
        return Actor(kind=ActorKind.SYSTEM, name="command-line", request_id=current_request_id())
    return find()


@contextmanager
def acting(find: Callable[[], Actor]) -> Iterator[None]:
    """Puts an actor in force. It is found only when somebody asks, so a page that changes nothing pays nothing."""
    token = _current.set(find)
    try:
        yield
    finally:
        _current.reset(token)
