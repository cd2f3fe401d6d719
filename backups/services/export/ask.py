"""Asking for an export, and taking its file out of the portal. Both are on the record."""

from __future__ import annotations

from typing import IO

from backups.domain.export import ExportFormat, ExportScope, ExportState
from backups.domain.people import Actor, Capability
from backups.ledger.fields import Detail
from backups.models import LedgerExport
from backups.selectors.clock import database_now
from backups.selectors.erasing import may_hold_erased_words
from backups.selectors.export import open_exports
from backups.services.export.files import path_of
from backups.services.export.records import filter_of, record_export, target_of_export
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now
from backups.services.sealing.sealer import newest_note

#: One person's exports that may wait or run at once: a file of the whole log is work of a minute and hundreds of MB.
MOST_OPEN = 3
_ERASED_SINCE = (
    "Words that may stand in this file were erased since it was made, so it is deleted. Nothing was downloaded. Make a "
    "new export."
)


def ask_for_export(*, actor: Actor, format: ExportFormat, scope: ExportScope) -> LedgerExport:
    """A row that the worker turns into a file. Raises Refused and InvalidInput; nothing was changed then."""
    with refusals_recorded(actor=actor, target=target_of_export(None)):
        person = _may_export(actor)
        _check(person, format)
        export = LedgerExport.objects.create(
            format=format,
            scope=(ExportScope(with_sandbox=True) if format is ExportFormat.LOG else scope).to_json(),
            person_id=account_of(person),
            person_name=person.name,
            asked_at=database_now(),
        )
        details = {"format": format.value, "filter_sha256": filter_of(export.chosen)}
        record_export(export, "ledger.export_asked", person, details)
        return export


def take_file(*, actor: Actor, export_id: int) -> tuple[LedgerExport, IO[bytes]]:
    """The open file, once the taking is on record. Raises Refused, with a sentence for whoever asked."""
    export = LedgerExport.objects.get(pk=export_id)
    with refusals_recorded(actor=actor, target=target_of_export(export)):
        person = _may_export(actor)
        file = _opened(export)
        details: dict[str, Detail] = {
            "format": export.format,
            "events": export.events,
            "file_sha256": export.file_sha256,
        }
        record_export(export, "ledger.downloaded", person, details)
    return export, file


def _opened(export: LedgerExport) -> IO[bytes]:
    if export.state != ExportState.READY:
        raise Refused(action=None, code="no_file", sentence="There is no file to download. Make a new export.")
    if may_hold_erased_words(export):
        raise Refused(action=None, code="erased_since", sentence=_ERASED_SINCE)
    try:
        file = path_of(export).open("rb")
    except OSError:
        raise Refused(
            action=None,
            code="file_gone",
            sentence="The file is not where the worker put it. Nothing was downloaded. Make a new export.",
        ) from None
    if file.seek(0, 2) != export.bytes:
        file.close()
        raise Refused(
            action=None,
            code="file_changed",
            sentence="The file on the server is not the one that was written. Nothing was downloaded. Find out who "
            "changed it, and make a new export.",
        )
    file.seek(0)
    return file


def _check(person: Actor, format: ExportFormat) -> None:
    if format in (ExportFormat.BUNDLE, ExportFormat.LOG) and newest_note() is None:
        raise InvalidInput({"format": "Nothing is sealed yet, so a bundle would prove nothing. Choose CSV or OCSF."})
    if open_exports().filter(person=person.user_id).count() >= MOST_OPEN:
        raise InvalidInput({"format": f"{MOST_OPEN} of your exports are still being made. Wait until one is ready."})


def _may_export(actor: Actor) -> Actor:
    person = with_roles_of_now(actor)
    if not person.may(Capability.EXPORT_LEDGER):
        raise Refused(action=None, code="export_not_allowed", sentence="Your role does not let you export the record.")
    return person
