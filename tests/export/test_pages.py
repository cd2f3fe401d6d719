"""Exports through the front door: asked for, watched, downloaded, refused."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backups.domain.export import ExportFormat, ExportState
from backups.models import LedgerEvent, LedgerExport
from backups.services.export.keep import remove_due_files
from backups.services.export.write import write_due_exports
from tests.factories import People
from tests.ledger.sample_log import keys_file
from tests.support.exports import a_log, an_export, csv_rows, exported, file_of, verifier_says
from tests.support.sealing import SealedPortal

pytestmark = pytest.mark.usefixtures("exports_in")

LIST, NEW = reverse("ops:audit-exports"), reverse("ops:audit-export-new")


@pytest.fixture
def log(portal: SealedPortal, people: People) -> list[LedgerEvent]:
    return a_log(portal)


def client_of(person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def page(client: Client, name: str, export: LedgerExport) -> str:
    return client.get(reverse(name, args=[export.pk])).content.decode()


def content_of(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_dana_makes_one_watches_it_and_downloads_it(log: list[LedgerEvent], people: People):
    dana = client_of(people.dana)
    answer = dana.post(NEW, {"format": "csv", "target": "R-0007"})
    export = LedgerExport.objects.get()
    assert answer["Location"] == reverse("ops:audit-export", args=[export.pk])
    waiting = page(dana, "ops:audit-export", export)
    assert "Waiting for the worker" in waiting
    assert "data-live=" in waiting
    assert '<noscript><meta http-equiv="refresh"' in waiting
    write_due_exports()
    ready = page(dana, "ops:audit-export", export)
    assert "Download" in ready
    assert "about R-0007, without the sandbox" in ready
    answer = dana.get(reverse("ops:audit-export-file", args=[export.pk]))
    content = content_of(answer)
    export.refresh_from_db()
    assert answer.streaming
    assert "sha256:" + hashlib.sha256(content).hexdigest() == export.file_sha256
    assert answer["Content-Disposition"] == f'attachment; filename="{export.file_name}"'
    assert (answer["Cache-Control"], answer["X-Content-Type-Options"]) == ("no-store, private", "nosniff")
    assert (answer["Content-Type"], int(answer["Content-Length"])) == ("text/csv; charset=utf-8", export.bytes)
    assert len(csv_rows(file_of(export))) == export.events == 4


def test_each_step_is_an_event_that_names_hashes_and_no_filter(log: list[LedgerEvent], people: People):
    dana = client_of(people.dana)
    dana.post(NEW, {"format": "ocsf", "target": "R-4711"})
    export = LedgerExport.objects.get()
    write_due_exports()
    for _ in range(2):
        content_of(dana.get(reverse("ops:audit-export-file", args=[export.pk])))
    export.refresh_from_db()
    asked, made, *taken = LedgerEvent.objects.filter(target_id=str(export)).order_by("recorded_at", "id")
    assert [event.type for event in taken] == ["ledger.downloaded", "ledger.downloaded"]
    assert (asked.type, asked.actor_ref) == ("ledger.export_asked", f"user:{people.dana.user.pk}")
    assert (made.type, made.actor_kind) == ("ledger.exported", "system")
    assert made.members["data"] == {
        "format": "ocsf",
        "events": 0,
        "bytes": 0,
        "file_sha256": export.file_sha256,
        "filter_sha256": asked.members["data"]["filter_sha256"],
    }
    assert taken[0].members["data"]["file_sha256"] == export.file_sha256
    assert not LedgerEvent.objects.filter(body__contains="4711").exists()


def test_a_bundle_goes_through_the_front_door_and_verifies(
    portal: SealedPortal, log: list[LedgerEvent], people: People, tmp_path
):
    dana = client_of(people.dana)
    dana.post(NEW, {"format": "bundle", "family": "request.", "with_sandbox": "on"})
    write_due_exports()
    export = LedgerExport.objects.get()
    assert "Verify it elsewhere" in page(dana, "ops:audit-export", export)
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(content_of(dana.get(reverse("ops:audit-export-file", args=[export.pk]))))
    status, said = verifier_says(bundle, keys_file(tmp_path, portal.signer.verifier_key.text()), portal.anchor.path)
    assert status == 0, said
    assert "1 of the events are of sandbox projects" in page(dana, "ops:audit-export", export)


@pytest.mark.parametrize("who", ["alice", "bob", "erin"])
def test_others_are_refused_and_that_is_on_record(log: list[LedgerEvent], people: People, who: str):
    export = exported(people, ExportFormat.CSV)
    person = getattr(people, who)
    client = client_of(person)
    answers = [
        client.get(LIST), client.get(NEW), client.post(NEW, {"format": "csv"}),
        client.get(reverse("ops:audit-export", args=[export.pk])),
        client.get(reverse("ops:audit-export-file", args=[export.pk])),
    ]  # fmt: skip
    assert {answer.status_code for answer in answers} == {403}
    refused = LedgerEvent.objects.filter(type="access.refused", actor_ref=f"user:{person.user.pk}")
    assert refused.filter(outcome="denied").count() == len(answers)
    assert LedgerExport.objects.count() == 1
    assert not LedgerEvent.objects.filter(type="ledger.downloaded").exists()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({}, "Choose one."),
        ({"format": "pdf"}, "not one of the available choices"),
        ({"format": "csv", "first": "2026-11-01"}, "Give both days"),
        ({"format": "csv", "last": "2026-11-01"}, "Give both days"),
        ({"format": "csv", "first": "2026-11-02", "last": "2026-11-01"}, "The last day is before the first."),
        ({"format": "csv", "first": "yesterday", "last": "2026-11-01"}, "Give the day as"),
        ({"format": "csv", "person": "user:999999"}, "not one of the available choices"),
        ({"format": "log"}, "Nothing is sealed yet"),
    ],
)
def test_what_cannot_be_made_is_said_beside_its_field(own_database, people: People, typed, sentence: str):
    answer = client_of(people.dana).post(NEW, typed | {"target": "R-0042"})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert 'value="R-0042"' in answer.content.decode()
    assert not LedgerExport.objects.exists()


def test_one_person_cannot_fill_the_disk_at_once(own_database, people: People):
    dana = client_of(people.dana)
    answers = [dana.post(NEW, {"format": "csv"}).status_code for _ in range(4)]
    assert answers == [302, 302, 302, 422]


def test_a_file_that_was_changed_on_the_server_is_not_handed_out(log: list[LedgerEvent], people: People):
    export, dana = exported(people, ExportFormat.CSV), client_of(people.dana)
    with file_of(export).open("ab") as file:
        file.write(b"one line more\r\n")
    address = reverse("ops:audit-export-file", args=[export.pk])
    assert "is not the one that was written" in dana.get(address, follow=True).content.decode()
    file_of(export).unlink()
    assert "not where the worker put it" in dana.get(address, follow=True).content.decode()
    assert not LedgerEvent.objects.filter(type="ledger.downloaded").exists()


def test_files_are_for_their_owner_alone_and_go_when_their_days_are_over(
    log: list[LedgerEvent], people: People, settings
):
    export, dana = exported(people, ExportFormat.CSV), client_of(people.dana)
    assert file_of(export).stat().st_mode & 0o777 == 0o600
    assert file_of(export).parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in file_of(export).parent.iterdir()] == [export.file_name]
    assert remove_due_files() == 0
    before = export.finished_at - dt.timedelta(days=settings.LEDGER_EXPORT_KEEP_DAYS, seconds=1)
    LedgerExport.objects.update(finished_at=before)
    assert remove_due_files() == 1
    assert not file_of(export).exists()
    assert remove_due_files() == 0
    shown = page(dana, "ops:audit-export", export)
    assert "File deleted" in shown
    assert export.file_sha256 in shown
    answer = dana.get(reverse("ops:audit-export-file", args=[export.pk]), follow=True)
    assert "There is no file to download" in answer.content.decode()
    assert LedgerEvent.objects.filter(type="ledger.export_removed").count() == 1


def test_the_list_says_what_was_taken_out_and_costs_the_same_for_many(log: list[LedgerEvent], people: People):
    dana = client_of(people.dana)
    export = exported(people, ExportFormat.CSV)
    dana.get(LIST)
    with CaptureQueriesContext(connection) as few:
        shown = dana.get(LIST).content.decode()
    assert export.file_sha256 in shown
    for _ in range(3):
        exported(people, ExportFormat.OCSF)
    with CaptureQueriesContext(connection) as many:
        dana.get(LIST)
    assert len(many) == len(few) <= 16
    assert LedgerEvent.objects.filter(type="ledger.read", body__contains='"exports"').count() == 3


def test_the_page_counts_while_the_worker_writes(log: list[LedgerEvent], people: People):
    dana, export = client_of(people.dana), an_export(people)
    now = export.asked_at
    LedgerExport.objects.filter(pk=export.pk).update(
        state=ExportState.RUNNING,
        attempts=2,
        lease_until=now,
        began_at=now,
        events=1500,
        events_expected=6000,
        bytes=2048,
    )
    answer = dana.get(reverse("ops:audit-export-live", args=[export.pk]), headers={"X-Background-Refresh": "1"})
    text = answer.content.decode()
    assert "1,500 of 6,000 events are written" in text
    assert '<progress class="wide" id="x-bar" max="100" value="25">' in text
    assert "this is attempt 2" in text
    assert answer["X-Live-Mark"] == "running"
