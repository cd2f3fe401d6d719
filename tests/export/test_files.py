"""What is in the files that the worker writes."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from pathlib import Path

import pytest

from backups.domain.export import ExportFormat, ExportScope, ExportState
from backups.domain.period import Period
from backups.models import LedgerEvent, LedgerExport
from backups.selectors import export as export_selector
from backups.services.sealing import bundle
from tests.factories import People
from tests.ledger.sample_log import keys_file
from tests.ledger.test_ocsf import problems
from tests.support.exports import (
    FORMULA,
    a_log,
    altered,
    csv_rows,
    exported,
    file_of,
    json_lines,
    verifier_says,
)
from tests.support.sealing import SealedPortal, comment

pytestmark = pytest.mark.usefixtures("exports_in")

EVERYTHING = ExportScope(with_sandbox=True)


@pytest.fixture
def log(portal: SealedPortal, people: People) -> list[LedgerEvent]:
    return a_log(portal)


@pytest.fixture
def keys(portal: SealedPortal, log: list[LedgerEvent], tmp_path: Path) -> Path:
    return keys_file(tmp_path, portal.signer.verifier_key.text())


def test_a_csv_file_has_every_event_once(log: list[LedgerEvent], people: People):
    export = exported(people, ExportFormat.CSV, EVERYTHING)
    rows = csv_rows(file_of(export))
    before = LedgerEvent.objects.filter(recorded_at__lt=export.asked_at).order_by("recorded_at", "id")
    assert [row["id"] for row in rows] == [str(event.pk) for event in before]
    assert (export.state, export.events, export.sandbox_events) == (ExportState.READY, len(rows), 1)
    assert export.events_expected == len(rows)
    assert [row["evidence"] for row in rows if row["id"] == str(log[3].pk)] == ["no: sandbox"]


def test_a_formula_in_an_event_does_not_begin_a_cell(log: list[LedgerEvent], people: People):
    """The canary: it went into the record as the name of a branch, and a person's name can be one too."""
    path = file_of(exported(people, ExportFormat.CSV, EVERYTHING))
    text = path.read_text(encoding="utf-8")
    assert FORMULA.replace('"', '\\""') in text
    for line in text.split("\r\n"):
        assert not line.startswith(("=", '"='))
        assert ",=" not in line
        assert ',"=' not in line


def test_the_sandbox_is_left_out_unless_asked_for(log: list[LedgerEvent], people: People):
    rows = csv_rows(file_of(exported(people, ExportFormat.CSV)))
    assert str(log[3].pk) not in {row["id"] for row in rows}
    assert str(log[4].pk) in {row["id"] for row in rows}


@pytest.mark.parametrize(
    ("scope", "numbers"),
    [
        (ExportScope(target="R-0008"), [4]),
        (ExportScope(target="R-0007", with_sandbox=True), [0, 1, 2, 3, 5]),
        (ExportScope(person="user:7"), [0, 1, 2, 4, 5]),
        (ExportScope(person="kind:system", family="request."), []),
        (ExportScope(family="request.", period=Period(dt.date(2020, 1, 1), dt.date(2020, 12, 31))), []),
        (ExportScope(family="request.", period=Period(dt.date(2020, 1, 1), dt.date(2100, 1, 1))), [0, 1, 2, 4, 5]),
    ],
)
def test_filters(log: list[LedgerEvent], people: People, scope: ExportScope, numbers: list[int]):
    rows = csv_rows(file_of(exported(people, ExportFormat.CSV, scope)))
    assert [row["id"] for row in rows] == [str(log[number].pk) for number in numbers]


def test_small_pages_make_the_same_file(log: list[LedgerEvent], people: People, monkeypatch: pytest.MonkeyPatch):
    whole = csv_rows(file_of(exported(people, ExportFormat.CSV, ExportScope(target="R-0007"))))
    monkeypatch.setattr(export_selector, "CHUNK", 2)
    assert csv_rows(file_of(exported(people, ExportFormat.CSV, ExportScope(target="R-0007")))) == whole


def test_every_line_of_ocsf_is_valid_and_says_its_place(log: list[LedgerEvent], people: People, settings):
    lines = json_lines(file_of(exported(people, ExportFormat.OCSF, EVERYTHING)))
    assert not [problem for line in lines for problem in problems(line)]
    by_id = {line["metadata"]["uid"]: line for line in lines}
    leaf = log[3].leaf
    sandbox = by_id[str(log[3].pk)]
    assert sandbox["metadata"]["sequence"] == leaf.index
    assert sandbox["unmapped"]["tlog"] == {
        "index": leaf.index, "leaf_hash": bytes(leaf.hash).hex(), "origin": settings.LEDGER_ORIGIN,
    }  # fmt: skip
    assert sandbox["metadata"]["labels"] == ["sandbox: no evidence"]
    assert sandbox["unmapped"]["record"] == json.loads(log[3].body)


def test_the_words_of_people_are_in_bundles_alone(log: list[LedgerEvent], people: People):
    for format in (ExportFormat.CSV, ExportFormat.OCSF):
        assert b"Which table" not in file_of(exported(people, format)).read_bytes()
    with zipfile.ZipFile(file_of(exported(people, ExportFormat.BUNDLE))) as archive:
        assert b"Which table" in archive.read("texts.jsonl")


@pytest.mark.parametrize("format", [ExportFormat.BUNDLE, ExportFormat.LOG])
def test_a_bundle_verifies_elsewhere(
    portal: SealedPortal, log: list[LedgerEvent], people: People, keys: Path, format: ExportFormat
):
    path = file_of(exported(people, format, EVERYTHING))
    status, said = verifier_says(path, keys, portal.anchor.path)
    assert status == 0, said
    changed = altered(path, "events.jsonl", b"R-0008", b"R-0009")
    assert verifier_says(changed, keys, portal.anchor.path)[0] == 1
    words = altered(path, "texts.jsonl", b"Which table", b"Which chair")
    assert verifier_says(words, keys, portal.anchor.path)[0] == 1


def test_a_part_has_a_proof_of_each_of_its_events_and_says_what_it_is(
    log: list[LedgerEvent], people: People, keys: Path
):
    export = exported(people, ExportFormat.BUNDLE, ExportScope(target="R-0007"))
    chosen = {str(log[number].pk) for number in (0, 1, 2, 5)}
    with zipfile.ZipFile(file_of(export)) as archive:
        proofs = {name for name in archive.namelist() if name.startswith("proofs/")}
        manifest = json.loads(archive.read("manifest.json"))
        receipts = archive.read("anchors/receipts.jsonl")
    assert proofs == {f"proofs/{event_id}.tlog-proof" for event_id in chosen}
    assert (manifest["whole"], manifest["scope"]) == (False, {"with_sandbox": False, "target": "R-0007"})
    assert b"directory:" in receipts
    status, said = verifier_says(file_of(export), keys)
    assert (status, "4 events, 4 of them under a checkpoint" in said) == (0, True)
    # A proof of another event, and one that is missing.
    some, other = sorted(proofs)[:2]
    with zipfile.ZipFile(file_of(export)) as archive:
        swapped = altered(file_of(export), some, archive.read(some), archive.read(other))
    assert verifier_says(swapped, keys)[0] == 1


def test_proofs_lead_to_the_anchored_checkpoint_or_past_it(
    portal: SealedPortal, log: list[LedgerEvent], people: People, keys: Path
):
    """What was sealed after the last receipt of an anchor is proven by the newest checkpoint."""
    (portal.directory / "anchors").rename(portal.directory / "away")
    comment("after the anchor went away")
    portal.seal()
    (portal.directory / "away").rename(portal.directory / "anchors")
    export = exported(people, ExportFormat.BUNDLE, ExportScope(target="R-0007"))
    assert export.events == 5, export.problem
    status, said = verifier_says(file_of(export), keys, portal.anchor.path)
    assert (status, "4 under an anchor" in said) == (0, True), said


def test_a_part_that_is_too_large_is_refused(log: list[LedgerEvent], people: People, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bundle, "MAX_PART_EVENTS", 2)
    export = exported(people, ExportFormat.BUNDLE)
    assert (export.state, file_of(export).exists()) == (ExportState.FAILED, False)
    assert "more than 2 events" in export.problem
    assert LedgerEvent.objects.get(type="ledger.export_failed").members["data"]["error"] == "not_sealed"


def test_an_event_that_is_not_sealed_yet(portal: SealedPortal, log: list[LedgerEvent], people: People):
    """CSV and OCSF show it without a place; a bundle cannot prove it and leaves it out."""
    late = comment()
    row = csv_rows(file_of(exported(people, ExportFormat.CSV, ExportScope(target="R-0007"))))[-1]
    assert (row["id"], row["place"], row["leaf_hash"]) == (str(late.pk), "", "")
    with zipfile.ZipFile(file_of(exported(people, ExportFormat.BUNDLE))) as archive:
        assert str(late.pk).encode() not in archive.read("events.jsonl")


def test_nothing_recorded_after_the_asking_is_in_it(log: list[LedgerEvent], people: People):
    export = exported(people, ExportFormat.CSV)
    assert LedgerEvent.objects.filter(type="ledger.export_asked", recorded_at__gte=export.asked_at).exists()
    assert "ledger.export_asked" not in {row["type"] for row in csv_rows(file_of(export))}
    assert LedgerExport.objects.count() == 1
