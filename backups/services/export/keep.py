"""Files of exports are deleted when their days are over, or when words that they may hold were erased.

The rows that say what they were stay.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction

from backups.domain.export import ExportState
from backups.models import LedgerExport
from backups.selectors.clock import database_now
from backups.selectors.erasing import files_with_erased_words
from backups.services.execution.events import the_worker
from backups.services.export.files import path_of
from backups.services.export.records import record_export


def remove_due_files() -> int:
    """The worker's duty; returns how many files were deleted. A file that is gone already counts as deleted."""
    before = database_now() - dt.timedelta(days=settings.LEDGER_EXPORT_KEEP_DAYS)
    ready = LedgerExport.objects.filter(state=ExportState.READY)
    due = (ready.filter(finished_at__lt=before) | ready.filter(pk__in=files_with_erased_words())).order_by("pk")
    return sum(_removed(pk) for pk in due.values_list("pk", flat=True)[:100])


def _removed(export_id: int) -> bool:
    with transaction.atomic():
        export = LedgerExport.objects.select_for_update().get(pk=export_id)
        if export.state != ExportState.READY:
            return False
        path_of(export).unlink(missing_ok=True)
        export.state, export.removed_at = ExportState.REMOVED, database_now()
        export.save(update_fields=["state", "removed_at"])
        details = {"format": export.format, "file_sha256": export.file_sha256}
        record_export(export, "ledger.export_removed", the_worker(), details)
        return True
