"""An export at the command line of the portal's machine: into a file of its own, without the worker."""

from __future__ import annotations

from pathlib import Path

from django.db import transaction

from backups.domain.export import ExportFormat, ExportScope
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.selectors.clock import database_now
from backups.services.export.content import Progress, Wanted, write_events
from backups.services.export.records import filter_of
from backups.services.ledger import record_event
from backups.services.sealing.bundle import file_sha256


def export_to(path: Path, *, format: ExportFormat, scope: ExportScope, actor: Actor) -> Progress:
    """Writes a file that is not there yet; returns what it holds. The ledger then knows of it.

    Raises SealingError and OSError; half a file is removed, and nothing is recorded then.
    """
    progress = Progress(lambda _: None)
    with path.open("xb") as file:
        try:
            write_events(file, Wanted(format, scope, before=database_now()), progress)
        except BaseException:
            path.unlink()
            raise
    details: dict[str, Detail] = {
        "format": format.value,
        "events": progress.events,
        "filter_sha256": filter_of(scope),
        "file_sha256": file_sha256(path),
        "bytes": path.stat().st_size,
    }
    with transaction.atomic():
        record_event(type="ledger.exported", actor=actor, details=details)
    return progress
