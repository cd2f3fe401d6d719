"""Databases, roles, their definitions and the computes: what is sent, and what is made of the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from tests.neon.answers import COPY, ENDPOINT, OP, POINT, body, params
from tests.neon.conftest import MAIN, PROJECT, Fake

BRANCH = f"/projects/{PROJECT}/branches/{MAIN}"
OPERATIONS = [{"id": OP, "action": "apply_config"}]
DATABASE = {"id": 1, "name": "carecircle", "owner_name": "app"}


def test_a_role_is_made_with_a_password_that_does_not_show(fake: Fake, neon: NeonClient) -> None:
    fake.says({"role": {"name": "app", "password": "canary"}, "operations": OPERATIONS}, status=201)
    fake.says({"role": {"name": "reports"}, "operations": OPERATIONS}, status=201)
    made = neon.roles.create(PROJECT, MAIN, "app")
    assert body(fake) == {"role": {"name": "app"}}
    assert made.password is not None
    assert (made.password.reveal(), made.operation_ids) == ("canary", (OP,))
    assert "canary" not in repr(made)
    assert neon.roles.create(PROJECT, MAIN, "reports", no_login=True).password is None
    assert body(fake) == {"role": {"name": "reports", "no_login": True}}
    assert fake.asked == [f"POST {BRANCH}/roles"] * 2


def test_a_reset_password_that_is_not_told_is_unknown(fake: Fake, neon: NeonClient) -> None:
    fake.says({"role": {"name": "app", "password": "canary"}, "operations": OPERATIONS})
    fake.says({"role": {"name": "app"}, "operations": OPERATIONS})
    told = neon.roles.reset_password(PROJECT, MAIN, "app/x").password
    assert told is not None
    assert told.reveal() == "canary"
    assert fake.requests[0].url.raw_path.endswith(b"/roles/app%2Fx/reset_password")
    assert fake.requests[0].content == b""
    with pytest.raises(errors.OutcomeUnknown):
        neon.roles.reset_password(PROJECT, MAIN, "app")


def test_one_role_and_one_database(fake: Fake, neon: NeonClient) -> None:
    fake.says({"role": {"name": "app", "protected": True}})
    fake.says({"database": DATABASE})
    assert neon.roles.get(PROJECT, MAIN, "app").protected
    assert neon.databases.get(PROJECT, MAIN, "a b").owner_name == "app"
    assert fake.requests[1].url.raw_path.endswith(b"/databases/a%20b")


def test_a_database_is_made_and_given_away(fake: Fake, neon: NeonClient) -> None:
    fake.says({"database": DATABASE, "operations": OPERATIONS}, status=201)
    fake.says({"database": DATABASE, "operations": OPERATIONS})
    made = neon.databases.create(PROJECT, MAIN, "carecircle", owner_name="app")
    assert body(fake) == {"database": {"name": "carecircle", "owner_name": "app"}}
    assert (made.database.name, made.operation_ids) == ("carecircle", (OP,))
    neon.databases.update(PROJECT, MAIN, "carecircle", owner_name="reports")
    assert body(fake) == {"database": {"owner_name": "reports"}}
    assert fake.asked == [f"POST {BRANCH}/databases", f"PATCH {BRANCH}/databases/carecircle"]


DELETES: list[Callable[[NeonClient], Any]] = [
    lambda c: c.roles.delete(PROJECT, MAIN, "app"),
    lambda c: c.databases.delete(PROJECT, MAIN, "carecircle"),
    lambda c: c.endpoints.delete(PROJECT, ENDPOINT),
]


@pytest.mark.parametrize("delete", DELETES)
def test_delete_and_delete_again(fake: Fake, neon: NeonClient, delete: Callable[[NeonClient], Any]) -> None:
    fake.says({"operations": OPERATIONS})
    fake.will(httpx.Response(204))
    fake.says({})
    assert delete(neon).operation_ids == (OP,)
    assert delete(neon).operations == ()
    with pytest.raises(errors.OutcomeUnknown):
        delete(neon)


def test_an_unexpected_204_is_not_taken_for_a_delete(fake: Fake, neon: NeonClient) -> None:
    fake.will(httpx.Response(204), httpx.Response(204))
    with pytest.raises(errors.OutcomeUnknown):
        neon.databases.create(PROJECT, MAIN, "carecircle", owner_name="app")
    with pytest.raises(errors.OutcomeUnknown):
        neon.endpoints.restart(PROJECT, ENDPOINT)


MISTAKES: list[tuple[Callable[[NeonClient], Any], str]] = [
    (lambda c: c.roles.create(PROJECT, MAIN, ""), "bytes"),
    (lambda c: c.roles.create(PROJECT, MAIN, "é" * 32), "bytes"),
    (lambda c: c.roles.delete(PROJECT, MAIN, ".."), "role"),
    (lambda c: c.databases.delete(PROJECT, MAIN, ""), "database"),
    (lambda c: c.databases.create(PROJECT, MAIN, "x" * 64, owner_name="app"), "bytes"),
    (lambda c: c.databases.create(PROJECT, MAIN, "x", owner_name=""), "bytes"),
    (lambda c: c.databases.update(PROJECT, MAIN, "carecircle"), "change"),
    (lambda c: c.endpoints.update(PROJECT, ENDPOINT), "change"),
    (lambda c: c.endpoints.restart(PROJECT, "../x"), "Neon id"),
    (lambda c: c.schemas.sql(PROJECT, MAIN, database_name="d", timestamp=POINT, lsn="0/1"), "not both"),
    (lambda c: c.schemas.compare(PROJECT, MAIN, database_name="d", base_branch_id=""), "Neon id"),
]


@pytest.mark.parametrize(("mistake", "reason"), MISTAKES)
def test_what_makes_no_sense_is_not_sent(neon: NeonClient, mistake: Callable[[NeonClient], Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mistake(neon)


def test_an_endpoint_is_changed_and_restarted(fake: Fake, neon: NeonClient) -> None:
    endpoint = {"endpoint": {"id": ENDPOINT, "disabled": False}, "operations": OPERATIONS}
    fake.says(endpoint)
    fake.says(endpoint)
    change = neon.endpoints.update(PROJECT, ENDPOINT, suspend_timeout_seconds=0, disabled=False)
    assert body(fake) == {"endpoint": {"suspend_timeout_seconds": 0, "disabled": False}}
    assert (change.endpoint.disabled, change.operation_ids) == (False, (OP,))
    assert neon.endpoints.restart(PROJECT, ENDPOINT).operation_ids == (OP,)
    assert fake.requests[-1].content == b""
    assert fake.asked[-1] == f"POST /projects/{PROJECT}/endpoints/{ENDPOINT}/restart"


def test_a_schema_as_sql(fake: Fake, neon: NeonClient) -> None:
    fake.says({"sql": "CREATE TABLE a ();"})
    fake.says({"sql": ""})
    assert neon.schemas.sql(PROJECT, MAIN, database_name="carecircle", timestamp=POINT) == "CREATE TABLE a ();"
    assert params(fake) == {"db_name": "carecircle", "format": "sql", "timestamp": "2026-11-22T09:30:15.250Z"}
    assert neon.schemas.sql(PROJECT, MAIN, database_name="empty") == ""
    fake.says({})
    with pytest.raises(errors.AnswerUnusable):
        neon.schemas.sql(PROJECT, MAIN, database_name="carecircle")


def test_a_schema_as_tables(fake: Fake, neon: NeonClient) -> None:
    orders = {
        "schema": "public",
        "name": "orders",
        "columns": [{"name": "id", "type": "bigint", "nullable": False}, {"name": "patient_id", "type": "bigint"}],
        "constraints": [
            {"type": "primary_key", "columns": ["id"], "name": "orders_pkey"},
            {
                "type": "foreign_key",
                "columns": ["patient_id"],
                "referenced_table": {"schema": "public", "table": "patients", "columns": ["id"]},
            },
        ],
    }
    fake.says({"json": {"tables": [orders, {"schema": "public", "name": "empty", "columns": []}]}})
    first, second = neon.schemas.tables(PROJECT, MAIN, database_name="carecircle", lsn="0/1E19478")
    assert params(fake) == {"db_name": "carecircle", "format": "json", "lsn": "0/1E19478"}
    assert [(column.name, column.type, column.nullable) for column in first.columns] == [
        ("id", "bigint", False),
        ("patient_id", "bigint", None),
    ]
    key, reference = first.constraints
    assert (key.type, key.name, key.columns, key.references) == ("primary_key", "orders_pkey", ("id",), None)
    assert reference.references == ("public", "patients")
    assert (second.columns, second.constraints) == ((), ())


def test_two_schemas_compared(fake: Fake, neon: NeonClient) -> None:
    fake.says({"diff": "--- a/carecircle\n+++ b/carecircle\n"})
    fake.says({})
    different = neon.schemas.compare(
        PROJECT, MAIN, database_name="carecircle", base_branch_id=COPY, timestamp=POINT, base_lsn="A/B"
    )
    assert different.startswith("--- a/")
    assert params(fake) == {
        "db_name": "carecircle",
        "base_branch_id": COPY,
        "timestamp": "2026-11-22T09:30:15.250Z",
        "base_lsn": "A/B",
    }
    assert neon.schemas.compare(PROJECT, MAIN, database_name="carecircle", base_branch_id=COPY) == ""
    fake.says({"diff": None})
    with pytest.raises(errors.AnswerUnusable):
        neon.schemas.compare(PROJECT, MAIN, database_name="carecircle", base_branch_id=COPY)
