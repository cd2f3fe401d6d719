"""What the ledger is told of exports: hashes of filters and files, never what was looked for."""

from __future__ import annotations

from collections.abc import Mapping

from backups.domain.export import ExportScope
from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.models import LedgerExport
from backups.services.ledger import record_event
from backups.services.reading import filter_hash


def target_of_export(export: LedgerExport | None) -> Target:
    """None: one that does not exist yet."""
    return Target(kind="export", id=str(export) if export else "new")


def filter_of(scope: ExportScope) -> str:
    """The hash by which the ledger names a filter."""
    return filter_hash({name: str(value) for name, value in scope.to_json().items()})


def record_export(
    export: LedgerExport,
    type: str,
    actor: Actor,
    details: Mapping[str, Detail],
    *,
    outcome: Outcome = Outcome.SUCCESS,
) -> None:
    """In the caller's transaction."""
    record_event(
        type=type,
        actor=actor,
        target=target_of_export(export),
        details=details,
        outcome=outcome,
        correlation=str(export),
    )
