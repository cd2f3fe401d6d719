"""A client that has to ask before each attempt: what is held back is neither sent nor reported as a call."""

from __future__ import annotations

import httpx
import pytest

from backups.neon import errors
from tests.neon.answers import branch
from tests.neon.conftest import MAIN, PROJECT, Fake


class Gate:
    """Says why a call is held back, from the given attempt on."""

    def __init__(self, *, closed_from: int) -> None:
        self.asked, self._closed_from = 0, closed_from

    def __call__(self) -> str:
        self.asked += 1
        return "R-0007 restores production" if self.asked >= self._closed_from else ""


def test_nothing_is_sent_and_the_reason_is_said(fake: Fake) -> None:
    neon = fake.client(hold_back=Gate(closed_from=1))
    for call in (
        lambda: neon.branches.get(PROJECT, MAIN),
        lambda: neon.branches.delete(PROJECT, MAIN),
        lambda: neon.limited_to(1.0).operations.get(PROJECT, "op"),
    ):
        with pytest.raises(errors.HeldBack, match="R-0007 restores production") as held:
            call()
        assert held.value.status is None
    assert (fake.requests, fake.records) == ([], [])


def test_every_attempt_of_a_read_asks_again(fake: Fake) -> None:
    """The first attempt is answered 503; before the second one the gate is closed."""
    fake.will(httpx.Response(503, json={"message": "later"}), httpx.Response(200, json={"branch": branch()}))
    gate = Gate(closed_from=2)
    with pytest.raises(errors.HeldBack):
        fake.client(hold_back=gate).branches.get(PROJECT, MAIN)
    assert (gate.asked, len(fake.requests)) == (2, 1)


def test_it_may_be_tried_again_at_once() -> None:
    assert issubclass(errors.HeldBack, errors.TryLater)
