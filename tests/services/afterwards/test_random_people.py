"""Whoever presses what in whichever order: the rules of the list, its review and what is kept hold after each act."""

from __future__ import annotations

import contextlib
import itertools
import random
from typing import Any

import pytest

from backups.domain.afterwards import PointState, ReviewSection
from backups.models import Checklist, LedgerEvent, RemovalRequest, Review
from backups.services.afterwards.points import settle_point
from backups.services.afterwards.removal import ask_removal_of_state, confirm_removal, drop_removal
from backups.services.afterwards.review import sign_review, write_review
from backups.services.restore.errors import InvalidInput, Refused
from tests.factories import People
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db
NAMES = ("alice", "bob", "carol", "dana", "erin", "charlie")


class Play:
    """One restore and everybody who could touch what it left."""

    def __init__(self, people: People, dice: random.Random) -> None:
        self.dice, self.people = dice, people
        self.request = Scenes(people).completed()
        self.checklist = Checklist.objects.get(request=self.request)
        self.kept = self.request.owned_branches.get(purpose="preserved")
        self.changes = 0

    def act(self) -> None:
        actor = getattr(self.people, self.dice.choice(NAMES)).actor
        acts = [self.settle, self.settle, self.write, self.sign, self.ask, self.confirm, self.drop]
        with contextlib.suppress(Refused, InvalidInput, IndexError):
            self.dice.choice(acts)(actor)

    def settle(self, actor: Any) -> None:
        point = self.dice.choice(list(self.checklist.points.all()))
        reason = self.dice.choice(["", "We have none."])
        settle_point(actor=actor, point_id=point.pk, state=self.dice.choice(list(PointState)), reason=reason)

    def write(self, actor: Any) -> None:
        some = {section: f"said {self.dice.random()}" for section in ReviewSection if self.dice.random() < 0.8}
        write_review(actor=actor, checklist_id=self.checklist.pk, sections=some)

    def sign(self, actor: Any) -> None:
        sign_review(actor=actor, checklist_id=self.checklist.pk)

    def ask(self, actor: Any) -> None:
        ask_removal_of_state(actor=actor, owned_branch_id=self.kept.pk, reason="Nothing is missed.")

    def confirm(self, actor: Any) -> None:
        confirm_removal(actor=actor, removal_id=self._newest().pk)

    def drop(self, actor: Any) -> None:
        drop_removal(actor=actor, removal_id=self._newest().pk)

    def _newest(self) -> RemovalRequest:
        return list(RemovalRequest.objects.order_by("pk"))[-1]

    def check(self) -> None:
        self.checklist.refresh_from_db()
        states = list(self.checklist.points.values_list("state", flat=True))
        assert (self.checklist.closed_at is None) == (PointState.OPEN in states)
        told = LedgerEvent.objects.filter(type="afterwards.point_changed").order_by("recorded_at", "pk")
        for point in self.checklist.points.all():
            mine = [e.members["data"] for e in told if e.members["data"]["point"] == point.code
                    and e.members["data"].get("subject", "") == point.subject]  # fmt: skip
            assert all(a["to_state"] == b["from_state"] for a, b in itertools.pairwise(mine))
            assert not mine or mine[-1]["to_state"] == point.state
            assert point.state != PointState.NOT_NEEDED or point.reason is not None
        review = Review.objects.get(checklist=self.checklist)
        assert review.signed_by in {None, self.people.bob.user, self.people.carol.user}
        assert (self.checklist.points.get(code="review").state == PointState.DONE) == (review.signed_at is not None)
        for removal in RemovalRequest.objects.all():
            assert removal.confirmed_by_id != removal.asked_by_id
            assert not (removal.confirmed_at and removal.dropped_at)


@pytest.mark.parametrize("seed", range(5))
def test_the_rules_hold_whoever_presses_what(people: People, seed: int) -> None:
    play = Play(people, random.Random(seed))
    for _ in range(25):
        play.act()
    play.check()
