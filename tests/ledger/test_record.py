"""One event as bytes, member by member."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor, ActorKind, Role
from backups.ledger.errors import LedgerError, NotInCatalogue
from backups.ledger.record import Happening, World, record_bytes

DIGEST = "sha256:" + "ab" * 32
BOB = Actor(
    kind=ActorKind.HUMAN,
    name="bob",
    user_id=7,
    roles=(Role.MANAGER, Role.AUDITOR),
    session_ref="hmac:9c00",
    ip="10.2.0.9",
    request_id="0193-request",
)
VOTE = Happening(
    id=UUID("01a202e9-0117-7d0e-ad18-95853c4aff61"),
    type="request.voted",
    occurred_at=datetime(2026, 11, 22, 9, 40, 41, 123456, tzinfo=UTC),
    recorded_at=datetime(2026, 11, 22, 9, 40, 41, 125001, tzinfo=UTC),
    actor=BOB,
    target=Target(
        kind="restore_request", id="R-0007", project="calm-river-1", branch="br-calm-sea-1", environment="production"
    ),
    outcome=Outcome.SUCCESS,
    world=World.REAL,
    details={"digest": DIGEST, "step": 2, "of": 2, "vote": "approve"},
    reason_code="DATA_CORRUPTION",
    ticket="INC-311",
    text_commitment="sha256:" + "cd" * 32,
    correlation="R-0007",
)


def test_the_bytes_of_a_vote():
    assert record_bytes(VOTE).decode() == (
        '{"actor":{"id":"user:7","kind":"human","roles":["auditor","manager"],"sess":"hmac:9c00"},'
        f'"appr":{{"of":2,"req_hash":"{DIGEST}","step":2}},'
        '"corr":{"wf":"R-0007"},"data":{"vote":"approve"},"env":"real","id":"01a202e9-0117-7d0e-ad18-95853c4aff61",'
        '"out":{"s":"success"},'
        f'"reason":{{"code":"DATA_CORRUPTION","text_commit":"sha256:{"cd" * 32}","ticket":"INC-311"}},'
        '"rec":"2026-11-22T09:40:41.125001Z","src":{"ip":"10.2.0.9","req":"0193-request"},'
        '"target":{"branch":"br-calm-sea-1","env":"production","id":"R-0007","kind":"restore_request",'
        '"proj":"calm-river-1"},"time":"2026-11-22T09:40:41.123456Z","type":"request.voted","v":"ccops.audit/1"}'
    )


def test_names_of_people_stay_outside():
    assert "bob" not in record_bytes(VOTE).decode()


def test_what_has_nothing_to_say_is_absent():
    bare = replace(VOTE, details={}, reason_code="", ticket="", text_commitment="", correlation="")
    members = json.loads(record_bytes(bare))
    assert not {"appr", "corr", "data", "reason"} & members.keys()


def test_falsehood_and_zero_are_values_and_stay():
    event = replace(VOTE, type="access.account_changed", details={"active": False}, text_commitment="", correlation="")
    assert json.loads(record_bytes(event))["data"] == {"active": False}


def test_a_lost_answer_is_neither_success_nor_failure():
    assert json.loads(record_bytes(replace(VOTE, outcome=Outcome.UNKNOWN)))["out"] == {"s": "unknown"}


@pytest.mark.parametrize("kind", [ActorKind.SERVICE, ActorKind.SYSTEM, ActorKind.ANONYMOUS])
def test_only_a_person_votes(kind):
    with pytest.raises(NotInCatalogue, match="cannot be caused"):
        record_bytes(replace(VOTE, actor=replace(BOB, kind=kind)))


def test_words_are_refused_where_none_belong():
    with pytest.raises(NotInCatalogue, match="no words"):
        record_bytes(replace(VOTE, type="request.opened", details={}))


@pytest.mark.parametrize(
    "changed",
    [
        {"ticket": "the patient fell"},
        {"reason_code": "two words"},
        {"target": Target(kind="restore request", id="R-0007")},
        {"target": Target(kind="restore_request", id="")},
        {"target": Target(kind="restore_request", id="two words")},
        {"actor": replace(BOB, request_id="line\nbreak")},
        {"actor": replace(BOB, ip="not an address")},
    ],
)
def test_free_words_find_no_way_in(changed):
    with pytest.raises(LedgerError):
        record_bytes(replace(VOTE, **changed))
