"""manage.py export_ledger with its options."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from backups.ledger.verifier.log import ALTERED, VERIFIED
from backups.models import LedgerEvent
from tests.factories import People
from tests.ledger.sample_log import keys_file
from tests.ledger.test_ocsf import problems
from tests.support.exports import a_log, altered, csv_rows, json_lines, verifier_says
from tests.support.sealing import SealedPortal


@pytest.fixture
def log(portal: SealedPortal, people: People) -> list[LedgerEvent]:
    return a_log(portal)


def run(path: Path, *options: str) -> str:
    out = io.StringIO()
    call_command("export_ledger", str(path), *options, stdout=out)
    return out.getvalue()


def test_a_part_in_each_form(portal: SealedPortal, log: list[LedgerEvent], tmp_path: Path):
    chosen = [str(log[4].pk)]
    assert "1 events are in" in run(tmp_path / "a.csv", "--format", "csv", "--target", "R-0008")
    assert [row["id"] for row in csv_rows(tmp_path / "a.csv")] == chosen
    run(tmp_path / "a.jsonl", "--format", "ocsf", "--target", "R-0008")
    (line,) = json_lines(tmp_path / "a.jsonl")
    assert (line["metadata"]["uid"], problems(line)) == (chosen[0], [])
    run(tmp_path / "a.zip", "--target", "R-0008", "--from", "2020-01-01", "--to", "2100-01-01", "--type", "request")
    keys = keys_file(tmp_path, portal.signer.verifier_key.text())
    assert verifier_says(tmp_path / "a.zip", keys, portal.anchor.path)[0] == VERIFIED
    assert verifier_says(altered(tmp_path / "a.zip", "events.jsonl", b"R-0008", b"R-0009"), keys)[0] == ALTERED
    made = LedgerEvent.objects.filter(type="ledger.exported").order_by("recorded_at")
    assert [event.members["data"]["format"] for event in made] == ["csv", "ocsf", "bundle"]
    assert {event.members["data"]["events"] for event in made} == {1}


def test_the_sandbox_comes_along_when_it_is_asked_for(log: list[LedgerEvent], tmp_path: Path):
    run(tmp_path / "without.csv", "--format", "csv", "--type", "request.")
    run(tmp_path / "with.csv", "--format", "csv", "--type", "request.", "--with-sandbox")
    marks = [row["evidence"] for row in csv_rows(tmp_path / "with.csv")]
    assert len(csv_rows(tmp_path / "without.csv")) == len(marks) - 1
    assert marks.count("no: sandbox") == 1


def test_without_options_it_is_the_whole_log(log: list[LedgerEvent], tmp_path: Path):
    run(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert json.loads(archive.read("manifest.json"))["whole"] is True
    assert LedgerEvent.objects.filter(type="ledger.bundled").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--from", "2026-11-01"], "Give both"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "The last day is before the first"),
        (["--person", "nobody"], "Nobody here is called nobody"),
    ],
)
def test_what_it_refuses(log: list[LedgerEvent], tmp_path: Path, options: list[str], sentence: str):
    with pytest.raises(CommandError, match=sentence):
        run(tmp_path / "a.csv", "--format", "csv", *options)
    assert not (tmp_path / "a.csv").exists()


def test_nothing_half_is_left_and_nothing_is_written_over(own_database, tmp_path: Path):
    with pytest.raises(CommandError, match="Nothing is sealed yet"):
        run(tmp_path / "a.zip", "--target", "R-0007")
    assert not (tmp_path / "a.zip").exists()
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(CommandError, match="is there already"):
        run(tmp_path / "a.csv", "--format", "csv")
    assert (tmp_path / "a.csv").read_text() == "mine"
