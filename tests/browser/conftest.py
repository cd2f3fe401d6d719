"""People who arrive at the portal with a browser of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.factories import People
from tests.support.browser import LAPTOP, OpenPage
from tests.support.portal import LivePortal
from tests.support.visitor import Visitor

Arrive = Callable[..., Visitor]


@pytest.fixture
def arrive(live_portal: LivePortal, people: People, open_page: OpenPage) -> Iterator[Arrive]:
    """`arrive("bob", viewport=PHONE, javascript=False)`: Bob before the log-in page."""
    complaints: list[str] = []
    people.all()

    def come(person: str, *, viewport: dict[str, int] = LAPTOP, javascript: bool = True) -> Visitor:
        page = open_page(viewport=viewport, javascript=javascript)
        return Visitor(page, live_portal.url, person=person, javascript=javascript, complaints=complaints)

    yield come
    assert not complaints, "\n".join(complaints)
