"""The catalogue: nothing undeclared, nothing of another kind, nobody who may not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from backups.domain.people import ActorKind
from backups.ledger import catalogue
from backups.ledger.catalogue import CATALOGUE, event_type, undeclared_fields
from backups.ledger.catalogue_afterwards import AFTERWARDS_ROWS
from backups.ledger.catalogue_audit import AUDIT_ROWS
from backups.ledger.catalogue_drill import DRILL_ROWS
from backups.ledger.catalogue_page import render
from backups.ledger.catalogue_seal import SEAL_ROWS
from backups.ledger.errors import LedgerError, NotInCatalogue
from backups.ledger.event_types import OcsfClass
from backups.ledger.fields import FIELDS, read_fields
from backups.ledger.ocsf_classes import types_with_a_class_of_their_own

PRODUCT = Path(__file__).resolve().parents[2] / "backups"


def test_every_field_of_every_type_has_a_kind():
    assert not undeclared_fields()


def test_every_kind_of_field_is_used():
    used = frozenset().union(*(declared.fields for declared in CATALOGUE.values()))
    assert not FIELDS.keys() - used


def test_no_type_is_declared_twice():
    rows = [row[0] for row in (*catalogue._ROWS, *DRILL_ROWS, *AFTERWARDS_ROWS, *SEAL_ROWS, *AUDIT_ROWS)]
    assert sorted(set(rows)) == sorted(rows)
    assert CATALOGUE.keys() == set(rows)


def test_types_are_named_by_family_and_past_act():
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", code) for code in CATALOGUE)
    assert all(declared.meaning and declared.actors for declared in CATALOGUE.values())


@pytest.mark.parametrize(
    ("code", "ocsf_class"),
    [
        ("access.login", OcsfClass.AUTHENTICATION),
        ("access.role_granted", OcsfClass.USER_ACCESS_MANAGEMENT),
        ("access.password_changed", OcsfClass.ACCOUNT_CHANGE),
        ("access.refused", OcsfClass.ENTITY_MANAGEMENT),
        ("request.voted", OcsfClass.ENTITY_MANAGEMENT),
        ("neon.call", OcsfClass.API_ACTIVITY),
        ("finding.opened", OcsfClass.DETECTION_FINDING),
        ("system.finding", OcsfClass.DETECTION_FINDING),
        ("system.heartbeat", OcsfClass.APPLICATION_LIFECYCLE),
    ],
)
def test_a_type_has_the_class_that_other_tools_know_it_by(code, ocsf_class):
    assert CATALOGUE[code].ocsf_class is ocsf_class


def test_exceptions_to_the_class_of_a_family_name_types_that_exist():
    assert types_with_a_class_of_their_own() <= CATALOGUE.keys()


def test_the_documented_catalogue_is_the_one_in_the_code():
    page = PRODUCT.parent / "docs" / "event-catalogue.md"
    made_by = "python -m backups.ledger.catalogue_page > docs/event-catalogue.md"
    assert page.read_text(encoding="utf-8") == render(), f"run: {made_by}"


def test_no_vote_is_ever_the_act_of_a_program():
    assert CATALOGUE["request.voted"].actors == {ActorKind.HUMAN}


def test_every_type_that_the_code_writes_is_declared():
    """A type that is missing would stop the change that it describes, in production first."""
    written = {code for path in PRODUCT.rglob("*.py") for code in _types_written(path)}
    assert written
    assert not written - CATALOGUE.keys()


def _types_written(path: Path) -> set[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    named = (word for call in calls for word in call.keywords if word.arg in ("type", "event_type"))
    values = (word.value for word in named)
    texts = (value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str))
    return {text for text in texts if "." in text}


def test_an_unknown_type_is_refused():
    with pytest.raises(NotInCatalogue, match=r"request\.guessed"):
        event_type("request.guessed")


def test_a_field_of_another_type_is_refused():
    with pytest.raises(NotInCatalogue, match="patient_name"):
        read_fields(allowed=frozenset({"request"}), details={"request": "R-0001", "patient_name": "x"})


def test_absent_values_are_left_out():
    assert read_fields(allowed=frozenset({"request", "digest"}), details={"request": "R-0001", "digest": None}) == {
        "request": "R-0001"
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "200"),
        ("status", True),
        ("status", 1.5),
        ("staff", 1),
        ("kind", "in place"),
        ("request", "R 0001"),
        ("digest", "sha256:abc"),
        ("point_lsn", "0/zz"),
        ("point_time", "yesterday"),
        ("path", "/projects/p?key=CANARY"),
        ("path", "projects"),
        ("branch_name", "two\nlines"),
        ("branch_name", "right\u202eleft"),
        ("branch_name", "x" * 201),
        ("branch_name", "napi_CANARY0123456789"),
        ("host", "postgresql://owner:CANARY@host/db"),
        ("operation_ids", "not-a-list"),
        ("operation_ids", ["fine", "not fine"]),
        ("operation_ids", ["x"] * 501),
        ("rows", {"medications": "many"}),
        ("rows", {"two\nlines": 1}),
    ],
)
def test_a_value_of_another_kind_is_refused_and_not_repeated(field, value):
    with pytest.raises(LedgerError) as refused:
        read_fields(allowed=frozenset({field}), details={field: value})
    assert field in str(refused.value)
    assert "CANARY" not in str(refused.value)
