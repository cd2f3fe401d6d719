"""Tokens: shown once, stored as a hash, good for their scopes, for their time, and for so many calls a minute."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backups.domain.people import SYSTEM
from backups.domain.safety_copy import TokenScope
from backups.models import ApiToken, LedgerEvent
from backups.services import token_refusals
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.tokens import TokenRefused, authenticate, make_token, revoke_token, token_allows
from tests.factories import People

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_refusals() -> None:
    token_refusals.forget()


def token(people: People, *scopes: TokenScope, **fields: Any) -> tuple[ApiToken, str]:
    asked: dict[str, Any] = {
        "label": "deploy pipeline",
        "scopes": scopes or (TokenScope.SAFETY_COPY,),
        "days": 30,
    } | fields
    made, secret = make_token(actor=people.erin.actor, **asked)
    return made, f"Bearer {secret}"


def refusals() -> list[str]:
    events = LedgerEvent.objects.filter(type="access.refused").order_by("recorded_at")
    return [event.members["data"]["refused"] for event in events]


def test_its_secret_is_stored_nowhere(people: People) -> None:
    made, header = token(people, TokenScope.SAFETY_COPY, TokenScope.READ_HEALTH)
    secret = header.removeprefix("Bearer ")
    stored = repr(list(ApiToken.objects.values())) + "".join(LedgerEvent.objects.values_list("body", flat=True))
    assert secret not in stored
    assert secret.split("_", 2)[2] not in stored
    assert made.prefix in secret
    event = LedgerEvent.objects.get(type="token.made")
    assert event.members["data"]["scopes"] == ["read_health", "safety_copy"]


def test_a_good_one_is_a_service_that_holds_no_role(people: People) -> None:
    made, header = token(people)
    caller = authenticate(header, TokenScope.SAFETY_COPY, ip="192.0.2.7")
    assert (caller.token_id, caller.project_id) == (made.pk, None)
    assert (caller.actor.ref, caller.actor.roles, caller.actor.is_human) == (f"service:token-{made.prefix}", (), False)
    made.refresh_from_db()
    assert made.last_used_at is not None
    assert refusals() == []


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ccops_abcdefgh_short", "Basic x", "Bearer ccops_abcdefgh_" + "x" * 43, "Bearer \x00é"],
)
def test_what_is_no_token_is_refused_and_recorded(people: People, header: str) -> None:
    token(people)
    with pytest.raises(TokenRefused) as refused:
        authenticate(header, TokenScope.SAFETY_COPY)
    assert (refused.value.status, refusals()) == (401, ["token_unknown"])
    assert LedgerEvent.objects.get(type="access.refused").actor_kind == "anonymous"


def test_the_right_prefix_with_another_secret_is_refused(people: People) -> None:
    _, header = token(people)
    assert not token_allows(header[:-1] + ("A" if header[-1] != "A" else "B"), TokenScope.SAFETY_COPY)


def test_a_scope_is_for_nothing_else(people: People) -> None:
    _, header = token(people, TokenScope.READ_HEALTH)
    assert token_allows(header, TokenScope.READ_HEALTH)
    with pytest.raises(TokenRefused) as refused:
        authenticate(header, TokenScope.SAFETY_COPY)
    assert (refused.value.status, refusals()) == (403, ["token_scope"])


def test_an_expired_or_revoked_one_is_refused(people: People) -> None:
    made, header = token(people)
    past = made.made_at - dt.timedelta(days=2)
    ApiToken.objects.update(made_at=past, expires_at=past + dt.timedelta(days=1))
    assert not token_allows(header, TokenScope.SAFETY_COPY)
    other, second = token(people)
    revoke_token(actor=people.erin.actor, token_id=other.pk)
    assert not token_allows(second, TokenScope.SAFETY_COPY)
    with pytest.raises(Refused, match="already"):
        revoke_token(actor=people.erin.actor, token_id=other.pk)
    assert refusals() == ["token_expired", "token_revoked", "token_revoked"]


def test_too_many_calls_wait_and_are_recorded_once(people: People, settings: Any) -> None:
    settings.TOKEN_CALLS_PER_MINUTE = 2
    made, header = token(people)
    assert [token_allows(header, TokenScope.SAFETY_COPY) for _ in range(4)] == [True, True, False, False]
    with pytest.raises(TokenRefused) as refused:
        authenticate(header, TokenScope.SAFETY_COPY)
    assert refused.value.status == 429
    assert 1 <= (refused.value.retry_after_seconds or 0) <= 61
    assert refusals() == ["token_too_fast"]
    ApiToken.objects.update(window_from=made.made_at - dt.timedelta(minutes=2))
    assert token_allows(header, TokenScope.SAFETY_COPY)


def test_strangers_dont_fill_the_ledger(people: People) -> None:
    for _ in range(40):
        assert not token_allows("Bearer nonsense", TokenScope.SAFETY_COPY)
    assert len(refusals()) == 30


@pytest.mark.parametrize("name", ["alice", "bob", "dana", "charlie"])
def test_only_an_administrator_makes_and_revokes(people: People, name: str) -> None:
    made, _ = token(people)
    who = getattr(people, name).actor
    with pytest.raises(Refused, match="administrator"):
        make_token(actor=who, label="x", scopes=[TokenScope.READ_HEALTH], days=1)
    with pytest.raises(Refused, match="administrator"):
        revoke_token(actor=who, token_id=made.pk)
    assert (ApiToken.objects.count(), refusals()) == (1, ["tokens_not_allowed"] * 2)


def test_the_portal_itself_makes_none() -> None:
    with pytest.raises(Refused):
        make_token(actor=SYSTEM, label="x", scopes=[TokenScope.READ_HEALTH], days=1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"label": " "}, "label"), ({"days": 0}, "days"), ({"days": 366}, "days"), ({"project_id": 999}, "project")],
)
def test_what_cant_be_is_said_beside_the_field(people: People, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        token(people, **fields)
    assert list(refused.value.errors) == [field]


def test_a_token_can_do_something(people: People) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_token(actor=people.erin.actor, label="x", scopes=[], days=1)
    assert list(refused.value.errors) == ["scopes"]
