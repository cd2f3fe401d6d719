"""A worker dies while it writes, is slow, or finds no room: the next one writes the file, or it is said why not."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, ProgrammingError, connection, transaction

from backups.domain.export import ExportFormat, ExportScope, ExportState
from backups.models import LedgerEvent, LedgerExport
from backups.selectors.clock import database_now
from backups.services.export import content, files, write
from backups.services.export.write import MOST_ATTEMPTS, write_due_exports
from tests.factories import People
from tests.support.database import OwnDatabase
from tests.support.exports import a_log, an_export, csv_rows, file_of
from tests.support.sealing import SealedPortal
from tests.support.worker import worker_environment

pytestmark = pytest.mark.usefixtures("exports_in")

CRASH_POINTS = ["export_page", "export_in_place"]
_ONCE = (
    "import django; django.setup(); from backups.services.export.write import write_due_exports; write_due_exports()"
)


@pytest.fixture
def log(portal: SealedPortal, people: People) -> list[LedgerEvent]:
    return a_log(portal)


def worker_dies(database: OwnDatabase, directory: Path, place: str) -> None:
    """A process of its own that is killed there."""
    environment = worker_environment(database) | {"CRASH_AT": place, "LEDGER_EXPORT_DIR": str(directory)}
    done = subprocess.run([sys.executable, "-c", _ONCE], env=environment, cwd=django_settings.BASE_DIR, check=False)
    assert done.returncode == -signal.SIGKILL


def let_the_lease_end(export: LedgerExport) -> None:
    LedgerExport.objects.filter(pk=export.pk).update(lease_until=database_now())


def test_every_place_to_die_at_is_tried():
    source = Path(str(write.__file__)).read_text(encoding="utf-8")
    named = [part.partition('"')[0] for part in source.split('crash_point("')[1:]]
    assert sorted(named) == sorted(CRASH_POINTS)


@pytest.mark.parametrize("place", CRASH_POINTS)
def test_the_next_worker_takes_it_up(
    log: list[LedgerEvent], portal: SealedPortal, people: People, exports_in: Path, place: str
):
    export = an_export(people)
    worker_dies(portal.database, exports_in, place)
    export.refresh_from_db()
    assert (export.state, export.attempts) == (ExportState.RUNNING, 1)
    assert write_due_exports() == 0, "somebody still holds the lease"
    let_the_lease_end(export)
    assert write_due_exports() == 1
    export.refresh_from_db()
    assert (export.state, export.attempts) == (ExportState.READY, 2)
    assert len(csv_rows(file_of(export))) == export.events
    assert [each.name for each in exports_in.iterdir()] == [export.file_name], "no half file is left"
    assert LedgerEvent.objects.filter(type="ledger.exported").count() == 1


def test_one_that_kills_every_worker_fails_with_a_sentence(log: list[LedgerEvent], people: People):
    export = an_export(people)
    LedgerExport.objects.filter(pk=export.pk).update(
        state=ExportState.RUNNING, attempts=MOST_ATTEMPTS, lease_until=database_now()
    )
    assert write_due_exports() == 0
    export.refresh_from_db()
    assert (export.state, "died 3 times" in export.problem) == (ExportState.FAILED, True)
    event = LedgerEvent.objects.get(type="ledger.export_failed")
    assert (event.outcome, event.members["data"]["error"]) == ("failure", "worker_lost")
    other = an_export(people)
    assert write_due_exports() == 1, "and the next export is made"
    other.refresh_from_db()
    assert other.state == ExportState.READY


def test_a_worker_that_was_replaced_while_it_slept_changes_nothing(
    log: list[LedgerEvent], people: People, monkeypatch: pytest.MonkeyPatch, exports_in: Path
):
    """Its lease ends before its last page; another one makes the file meanwhile."""
    export = an_export(people)
    woken: list[str] = []

    def asleep(name: str) -> None:
        if name == "export_page" and not woken:
            woken.append(name)
            let_the_lease_end(export)
            assert write_due_exports() == 1

    monkeypatch.setattr(write, "crash_point", asleep)
    assert write_due_exports() == 0
    export.refresh_from_db()
    assert (export.state, export.attempts) == (ExportState.READY, 2)
    assert file_of(export).stat().st_size == export.bytes
    assert [each.name for each in exports_in.iterdir()] == [export.file_name]
    assert LedgerEvent.objects.filter(type="ledger.exported").count() == 1


def test_a_full_disk_is_told(log: list[LedgerEvent], people: People, monkeypatch: pytest.MonkeyPatch, exports_in: Path):
    export = an_export(people, ExportFormat.LOG)

    def full(path: Path):
        files.new_file(path).close()
        return open("/dev/full", "wb")

    monkeypatch.setattr(write, "new_file", full)
    assert write_due_exports() == 0
    export.refresh_from_db()
    assert export.state == ExportState.FAILED
    assert export.problem.startswith("The file could not be written: No space left on device.")
    assert not list(exports_in.iterdir())
    assert LedgerEvent.objects.get(type="ledger.export_failed").members["data"]["error"] == "disk"


def test_a_search_that_takes_too_long_is_told_and_later_statements_are_bounded_as_before(
    log: list[LedgerEvent], people: People, monkeypatch: pytest.MonkeyPatch
):
    def slow(scope: ExportScope, *, before: dt.datetime):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")
        yield []

    export = an_export(people)
    monkeypatch.setattr(write, "PATIENCE_MILLISECONDS", 50)
    monkeypatch.setattr(content, "pages_of", slow)
    assert write_due_exports() == 0
    export.refresh_from_db()
    assert (export.state, "took too long" in export.problem) == (ExportState.FAILED, True)
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("15s",)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "done"},
        {"format": "pdf"},
        {"state": "running"},
        {"state": "ready"},
        {"state": "failed"},
        {"state": "removed"},
        {"sandbox_events": 2},
        {"lease_until": "2026-11-26T00:00:00Z"},
    ],
)
def test_the_database_refuses_states_that_cannot_be(own_database: OwnDatabase, people: People, change: dict):
    export = an_export(people)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerExport.objects.filter(pk=export.pk).update(**change)


def test_the_web_role_cannot_remove_the_row(own_database: OwnDatabase, people: People):
    export = an_export(people)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        LedgerExport.objects.filter(pk=export.pk).delete()
