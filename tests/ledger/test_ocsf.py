"""Every type of event, in the words of OCSF, against the schema of the version that the export names."""

from __future__ import annotations

import json
from functools import cache

import jsonschema_rs
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from backups.domain.ledger import Outcome
from backups.ledger.catalogue import CATALOGUE
from backups.ledger.ocsf import OCSF_VERSION, SANDBOX_LABEL, ocsf_object
from backups.ledger.record import World
from tests.ledger.event_samples import AT, sample

ORIGIN = "ops.example.org/audit/2026"


@cache
def _schemas() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=OCSF_VERSION))


@cache
def validator(class_uid: int) -> jsonschema_rs.Draft202012Validator:
    schema = _schemas().get_class_schema(class_name=_schemas().lookup_class_name_from_uid(class_uid))
    return jsonschema_rs.Draft202012Validator(schema)


def problems(line: dict) -> list[str]:
    return [f"{error.instance_path}: {error.message}" for error in validator(line["class_uid"]).iter_errors(line)]


def translated(code: str, **options) -> dict:
    return ocsf_object(
        sample(code, **options), actor_name="bob", meaning=CATALOGUE[code].meaning, origin=ORIGIN, place=41,
        leaf_hash=b"\x07" * 32,
    )  # fmt: skip


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_type_of_event_is_valid(code: str):
    for outcome in Outcome:
        line = translated(code, outcome=outcome)
        assert not problems(line), code
        assert json.loads(json.dumps(line)) == line


def test_the_schema_refuses_what_is_wrong():
    """Otherwise the tests above would show nothing."""
    changes: tuple[dict[str, object], ...] = ({"time": "now"}, {"metadata": {}}, {"invented": 1}, {"severity_id": 42})
    for change in changes:
        assert problems(translated("request.voted") | change)
    without = translated("neon.call")
    del without["api"]
    assert problems(without)


def test_what_a_line_says_of_its_event():
    line = translated("request.voted")
    event = sample("request.voted") | {"id": line["metadata"]["uid"]}
    assert line["time"] == int(AT.timestamp() * 1000)
    assert line["metadata"]["original_time"] == "2026-11-26T09:40:41.123456Z"
    assert line["metadata"]["sequence"] == 41
    assert line["metadata"]["correlation_uid"] == "R-0007"
    assert line["unmapped"] == {
        "record": event,
        "actor_name": "bob",
        "tlog": {"index": 41, "leaf_hash": "07" * 32, "origin": ORIGIN},
    }
    assert line["type_uid"] == line["class_uid"] * 100 + line["activity_id"]


def test_a_sandbox_event_is_marked_and_an_unsealed_one_has_no_place():
    assert translated("request.voted", world=World.SANDBOX)["metadata"]["labels"] == [SANDBOX_LABEL]
    assert "labels" not in translated("request.voted")["metadata"]
    line = ocsf_object(sample("request.voted"))
    assert not problems(line)
    assert "sequence" not in line["metadata"]
    assert "tlog" not in line["unmapped"]
