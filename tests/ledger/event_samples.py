"""One event of each type, with every field that its type allows: whatever reads events is tried on all of them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor, ActorKind, Role
from backups.ledger import fields
from backups.ledger.catalogue import CATALOGUE
from backups.ledger.identifiers import uuid7
from backups.ledger.record import Happening, World, record_bytes

AT = dt.datetime(2026, 11, 26, 9, 40, 41, 123_456, tzinfo=dt.UTC)
HASH = "sha256:" + "ab" * 32
#: What each kind of value takes. A kind takes the first of these that it does not refuse.
_CANDIDATES: tuple[Any, ...] = (
    AT, 7, True, HASH, "0/1E19478", "/projects/x", "some_code", ["some_code"], {"public.doses": 3},
)  # fmt: skip


def value_of(kind: Callable[[Any], Any]) -> Any:
    for candidate in _CANDIDATES:
        try:
            kind(candidate)
        except ValueError:
            continue
        return candidate
    raise AssertionError(f"No sample fits {kind}; add one to the candidates.")


def sample_bytes(code: str, *, world: World = World.REAL, outcome: Outcome = Outcome.SUCCESS) -> bytes:
    declared = CATALOGUE[code]
    kind = next(each for each in ActorKind if each in declared.actors)
    person = 7 if kind in (ActorKind.HUMAN, ActorKind.SERVICE) else None
    return record_bytes(
        Happening(
            id=uuid7(AT),
            type=code,
            occurred_at=AT,
            recorded_at=AT + dt.timedelta(milliseconds=2),
            actor=Actor(
                kind=kind, name="bob", user_id=person, roles=(Role.MANAGER,), session_ref="hmac:ab", ip="192.0.2.7",
                request_id="r-1",
            ),
            target=Target(
                kind="restore_request", id="R-0007", project="calm-river-1", branch="br-1", environment="production"
            ),
            outcome=outcome,
            world=world,
            details={name: value_of(fields.FIELDS[name]) for name in sorted(declared.fields)},
            reason_code="migration",
            ticket="OPS-7",
            text_commitment=HASH if declared.text else "",
            correlation="R-0007",
        )
    )  # fmt: skip


def sample(code: str, **options: Any) -> dict[str, Any]:
    """The members of the event."""
    members: dict[str, Any] = json.loads(sample_bytes(code, **options))
    return members
