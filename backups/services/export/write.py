"""The worker's part: claims an export, writes its file, says how far it is, and is replaced when it dies.

A file is written whole by one attempt. An attempt that ends without a result is followed by another one from the
beginning, after its lease; the third such death is the last.
"""

from __future__ import annotations

import datetime as dt
import logging

from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from psycopg.errors import QueryCanceled

from backups.domain.export import ExportFormat, ExportState
from backups.domain.ledger import Outcome
from backups.ledger.fields import Detail
from backups.models import LedgerExport
from backups.selectors.clock import database_now
from backups.selectors.export import events_of, open_exports
from backups.services.execution.crash_points import crash_point
from backups.services.execution.events import the_worker
from backups.services.export.content import Progress, Wanted, write_events
from backups.services.export.errors import ExportFailed, LeaseLost
from backups.services.export.files import new_file, part_of, path_of, put_in_place, remove_parts
from backups.services.export.records import filter_of, record_export
from backups.services.patience import patience
from backups.services.sealing.bundle import file_sha256
from backups.services.sealing.errors import SealingError
from backups.services.sealing.sealer import newest_note

logger = logging.getLogger(__name__)

#: A search for a few events in a large log reads all of it. Shorter than the lease, longer than a web page may take.
PATIENCE_MILLISECONDS = 50_000
#: A page of events takes a fraction of a second; who is silent for so long is dead.
LEASE = dt.timedelta(seconds=60)
MOST_ATTEMPTS = 3


def write_due_exports() -> int:
    """The worker's duty: writes what waits, one after the other; returns how many files it made."""
    made = 0
    while (export := _claim()) is not None:
        made += _made(export)
    return made


def _claim() -> LedgerExport | None:
    """The oldest that waits or whose worker is silent, leased to this one; None when there is none."""
    with transaction.atomic():
        now = database_now()
        due = open_exports().filter(Q(state=ExportState.WAITING) | Q(lease_until__lt=now))
        export = due.select_for_update(skip_locked=True).first()
        if export is None:
            return None
        if export.attempts >= MOST_ATTEMPTS:
            _fail(export, "worker_lost", f"The worker died {MOST_ATTEMPTS} times while it wrote this file. Nothing can "
                  "be downloaded. Look into the worker's log, then make a new export.")  # fmt: skip
            return None
        export.state, export.lease_until = ExportState.RUNNING, now + LEASE
        export.attempts += 1
        export.began_at = export.began_at or now
        export.events = export.sandbox_events = export.bytes = 0
        export.save()
        return export


def _made(export: LedgerExport) -> bool:
    try:
        remove_parts(export)
        with patience(PATIENCE_MILLISECONDS):
            _note_expected(export)
            _write(export)
    except LeaseLost:
        logger.warning("Another worker has taken %s on; what this one wrote is thrown away", export)
        part_of(export).unlink(missing_ok=True)
        return False
    except (SealingError, OperationalError, OSError) as error:
        failed = _reason(error)
        if failed is None:
            raise  # the database is away; the next attempt may find it
        _give_up(export, failed)
        return False
    return True


def _reason(error: Exception) -> ExportFailed | None:
    """Why another attempt would end in the same way; None when it may not."""
    if isinstance(error, SealingError):
        return ExportFailed("not_sealed", str(error))
    if isinstance(error, OSError):
        what = error.strerror or type(error).__name__
        sentence = f"The file could not be written: {what}. Nothing can be downloaded."
        return ExportFailed("disk", f"{sentence} Make room in LEDGER_EXPORT_DIR, then make a new export.")
    if isinstance(error.__cause__, QueryCanceled):
        sentence = "The database took too long to find these events. Nothing can be downloaded."
        return ExportFailed("too_slow", f"{sentence} Choose a shorter period, then make a new export.")
    return None


def _write(export: LedgerExport) -> None:
    part = part_of(export)
    with new_file(part) as file:

        def step(progress: Progress) -> None:
            crash_point("export_page")
            _say_how_far(export, progress, file.tell())

        progress = Progress(step)
        wanted = Wanted(ExportFormat(export.format), export.chosen, before=export.asked_at)
        write_events(file, wanted, progress)
    digest, size = file_sha256(part), part.stat().st_size
    put_in_place(part, path_of(export))
    crash_point("export_in_place")
    _finish(export, progress, digest, size)


def _note_expected(export: LedgerExport) -> None:
    """For the page only. A count that takes too long is not known."""
    if export.format == ExportFormat.LOG:
        newest = newest_note()
        expected = newest.size if newest else 0
    else:
        try:
            expected = events_of(export.chosen, before=export.asked_at).count()
        except OperationalError:
            return
    _mine(export).update(events_expected=expected)


def _say_how_far(export: LedgerExport, progress: Progress, size: int) -> None:
    changed = _mine(export).update(
        events=progress.events,
        sandbox_events=progress.sandbox_events,
        bytes=size,
        lease_until=database_now() + LEASE,
    )
    if not changed:
        raise LeaseLost


def _finish(export: LedgerExport, progress: Progress, digest: str, size: int) -> None:
    with transaction.atomic():
        mine = _mine(export).select_for_update().first()
        if mine is None:
            raise LeaseLost
        mine.state, mine.lease_until, mine.finished_at = ExportState.READY, None, database_now()
        mine.events, mine.sandbox_events = progress.events, progress.sandbox_events
        mine.bytes, mine.file_sha256 = size, digest
        mine.save()
        details: dict[str, Detail] = {
            "format": mine.format,
            "events": mine.events,
            "filter_sha256": filter_of(mine.chosen),
            "file_sha256": digest,
            "bytes": size,
        }
        record_export(mine, "ledger.exported", the_worker(), details)


def _give_up(export: LedgerExport, failed: ExportFailed) -> None:
    part_of(export).unlink(missing_ok=True)
    with transaction.atomic():
        mine = _mine(export).select_for_update().first()
        if mine is not None:
            _fail(mine, failed.code, failed.sentence)


def _fail(export: LedgerExport, code: str, sentence: str) -> None:
    """In the caller's transaction, which holds the row."""
    export.state, export.lease_until, export.finished_at = ExportState.FAILED, None, database_now()
    export.problem = sentence[:400]
    export.save()
    details: dict[str, Detail] = {"format": export.format, "error": code, "attempts": export.attempts}
    record_export(export, "ledger.export_failed", the_worker(), details, outcome=Outcome.FAILURE)


def _mine(export: LedgerExport) -> QuerySet[LedgerExport]:
    """The row while this attempt holds it."""
    return LedgerExport.objects.filter(pk=export.pk, state=ExportState.RUNNING, attempts=export.attempts)
