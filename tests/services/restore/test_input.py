"""Wrong input gets a sentence beside its field and changes nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from backups.domain.restore import PointKind, RestoreKind, RestorePoint
from backups.models import Comment, LedgerEvent, RestoreRequest, Vote
from backups.selectors.clock import database_now
from backups.services.restore.draft import draft_request
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.votes import cast_vote, comment_on_request
from tests import factories

pytestmark = pytest.mark.django_db


def time_point(**ago) -> RestorePoint:
    return RestorePoint(PointKind.TIMESTAMP, at=database_now() - dt.timedelta(**ago))


WRONG = {
    "future": ("point", lambda: {"point": time_point(minutes=-5)}, "in the future"),
    "before the window": ("point", lambda: {"point": time_point(days=30)}, "Neon can go back only to"),
    "no point": ("point", lambda: {"point": RestorePoint(PointKind.HEAD)}, "which time or log position"),
    "no reason": ("reason", lambda: {"reason": " \n "}, "Say why"),
    "a key in the reason": ("reason", lambda: {"reason": "key napi_abcdefgh12345678"}, "a Neon API key"),
    "words as ticket": ("ticket", lambda: {"ticket": "Mrs Smith, room 4"}, "short name"),
    "noticed later": ("noticed_at", lambda: {"noticed_at": database_now() + dt.timedelta(hours=1)}, "future"),
    "began after noticed": (
        "began_at",
        lambda: {
            "noticed_at": database_now() - dt.timedelta(hours=1),
            "began_at": database_now() - dt.timedelta(minutes=1),
        },
        "can't have begun after",
    ),
    "copy gone at once": (
        "copy_expires_at",
        lambda: {"kind": RestoreKind.NEW_BRANCH, "copy_expires_at": database_now() - dt.timedelta(hours=1)},
        "gone at once",
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_a_sentence_stands_beside_the_field_and_nothing_is_saved(people, case):
    field, changes, sentence = case
    branch = factories.branch()
    events = LedgerEvent.objects.exclude(type__startswith="access.").count()
    alice = people.alice.actor
    with pytest.raises(InvalidInput) as refused:
        draft_request(actor=alice, wish=factories.wish(branch, **changes()))
    assert sentence in refused.value.errors[field]
    assert not RestoreRequest.objects.exists()
    assert LedgerEvent.objects.exclude(type__startswith="access.").count() == events


def test_a_child_branch_can_not_go_back_in_time(people):
    child = factories.branch(is_root=False)
    with pytest.raises(InvalidInput, match="child branch"):
        draft_request(actor=people.alice.actor, wish=factories.wish(child))


def test_a_branch_that_neon_lost_is_refused(people):
    lost = factories.branch(missing_since=database_now())
    with pytest.raises(InvalidInput, match="no longer has this branch"):
        draft_request(actor=people.alice.actor, wish=factories.wish(lost))


def test_an_unknown_branch_is_refused(people):
    wish = factories.wish(factories.branch(), branch_id=10**6)
    with pytest.raises(Refused, match="no such branch"):
        draft_request(actor=people.alice.actor, wish=wish)


@pytest.mark.parametrize("text", ["0/", "zz/1", "0/123456789", "1E19478", "0/1;DROP", ""])
def test_a_malformed_position_is_no_restore_point(text):
    with pytest.raises(ValueError, match="looks like 0/1E19478"):
        RestorePoint(PointKind.LSN, lsn=text)


def test_a_time_without_a_zone_is_no_restore_point():
    with pytest.raises(ValueError, match="zone"):
        RestorePoint(PointKind.TIMESTAMP, at=dt.datetime(2026, 11, 22, 3, 15))  # noqa: DTZ001


def test_a_secret_in_a_vote_or_a_comment_is_refused_beside_its_field(people):
    assert people.bob
    request = factories.pending(people.alice, factories.branch())
    with pytest.raises(InvalidInput) as vote:
        cast_vote(
            actor=people.bob.actor,
            request_id=request.pk,
            digest=request.packet.digest,
            choice=Vote.Choice.APPROVE,
            reason="postgresql://care:secret@db.example/x",
        )
    with pytest.raises(InvalidInput) as comment:
        comment_on_request(actor=people.bob.actor, request_id=request.pk, text="SSN 123-45-6789")
    assert set(vote.value.errors) == {"reason"}
    assert set(comment.value.errors) == {"text"}
    assert not Vote.objects.exists()
    assert not Comment.objects.exists()
