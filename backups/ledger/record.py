"""Builds the exact bytes of one event.

Members that have nothing to say are absent rather than empty, so that a later member can be added without
changing what the absence of it meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor
from backups.ledger.canonical import JSON, canonical_bytes
from backups.ledger.catalogue import event_type
from backups.ledger.errors import NotInCatalogue
from backups.ledger.event_types import EventType
from backups.ledger.fields import Detail, address, code, identifier, read_fields, read_value, sha256
from backups.ledger.identifiers import utc_text

FORMAT = "ccops.audit/1"

# Details with a place of their own in the record: the approval they belong to, the run they belong to.
_APPROVAL = {"digest": "req_hash", "step": "step", "of": "of"}
_CORRELATION = {"attempt": "n", "operation_ids": "ops"}


class World(StrEnum):
    """What the event's project is. Only `real` can be evidence of anything."""

    REAL = "real"
    SANDBOX = "sandbox"
    UNKNOWN = "unknown"
    """It names a project that the portal does not know."""
    PORTAL = "portal"
    """It concerns no project, such as a log-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event before it is bytes. `recorded_at` is the database's clock; `occurred_at` is when it happened."""

    id: UUID
    type: str
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    target: Target
    outcome: Outcome
    world: World
    details: Mapping[str, Detail]
    reason_code: str = ""
    ticket: str = ""
    text_commitment: str = ""
    correlation: str = ""


def record_bytes(happening: Happening) -> bytes:
    """The bytes to be stored, hashed and signed. Raises NotInCatalogue, FieldRefused, NotCanonical."""
    declared = event_type(happening.type)
    _check_author(declared, happening)
    details = read_fields(allowed=declared.fields, details=happening.details)
    return canonical_bytes(_without_gaps(_members(happening, details)))


def _check_author(declared: EventType, happening: Happening) -> None:
    if happening.actor.kind not in declared.actors:
        raise NotInCatalogue(f"{declared.code} cannot be caused by an actor of kind {happening.actor.kind.value}.")
    if happening.text_commitment and not declared.text:
        raise NotInCatalogue(f"{declared.code} carries no words of a person.")


def _members(happening: Happening, details: dict[str, JSON]) -> dict[str, JSON]:
    approval = _taken(details, _APPROVAL)
    run = _taken(details, _CORRELATION)
    return {
        "v": FORMAT,
        "id": str(happening.id),
        "type": happening.type,
        "time": utc_text(happening.occurred_at),
        "rec": utc_text(happening.recorded_at),
        "env": happening.world.value,
        "actor": _actor(happening.actor),
        "src": _source(happening.actor),
        "target": _target(happening.target),
        "out": {"s": happening.outcome.value},
        "reason": _reason(happening),
        "appr": approval,
        "corr": {"wf": _optional("correlation", identifier, happening.correlation), **run},
        "data": details,
    }


def _actor(actor: Actor) -> dict[str, JSON]:
    return {
        "id": read_value("actor", identifier, actor.ref),
        "kind": actor.kind.value,
        "roles": [role.value for role in sorted(actor.roles)],
        "sess": _optional("session", identifier, actor.session_ref),
    }


def _source(actor: Actor) -> dict[str, JSON]:
    return {
        "ip": _optional("address", address, actor.ip),
        "req": _optional("web request", identifier, actor.request_id),
    }


def _target(target: Target) -> dict[str, JSON]:
    return {
        "kind": read_value("target kind", code, target.kind),
        "id": read_value("target id", identifier, target.id),
        "proj": _optional("project", identifier, target.project),
        "branch": _optional("branch", identifier, target.branch),
        "env": _optional("environment", code, target.environment),
    }


def _reason(happening: Happening) -> dict[str, JSON]:
    return {
        "code": _optional("reason", code, happening.reason_code),
        "ticket": _optional("ticket", identifier, happening.ticket),
        "text_commit": _optional("text commitment", sha256, happening.text_commitment),
    }


def _optional(name: str, kind: Callable[[Detail], JSON], value: str) -> JSON:
    return read_value(name, kind, value) if value else ""


def _taken(details: dict[str, JSON], places: Mapping[str, str]) -> dict[str, JSON]:
    """Moves the named details out of `details`, under the names that the record gives them."""
    return {place: details.pop(name) for name, place in places.items() if name in details}


def _without_gaps(members: dict[str, JSON]) -> dict[str, JSON]:
    kept: dict[str, JSON] = {}
    for name, value in members.items():
        if isinstance(value, dict):
            value = {inner: held for inner, held in value.items() if held not in ("", None)}
        if value not in ("", None, {}):
            kept[name] = value
    return kept
