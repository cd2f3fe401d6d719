"""One call of every method of the catalogue, with an answer that it can use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from backups.neon.client import NeonClient
from backups.neon.consumption import Granularity, Metric
from tests.neon.answers import COPY, ENDPOINT, OP, SNAPSHOT, branch, restore
from tests.neon.conftest import MAIN, PROJECT, START

ORG = "org-quiet-lake-55555555"
IDS = {
    "project_id": PROJECT,
    "branch_id": MAIN,
    "endpoint_id": ENDPOINT,
    "snapshot_id": SNAPSHOT,
    "operation_id": OP,
    "org_id": ORG,
    "role_name": "app",
    "database_name": "carecircle",
}
OPERATIONS = [{"id": OP, "status": "running"}]
PROJECT_MADE: dict[str, Any] = {
    "project": {"id": PROJECT}, "branch": branch(), "endpoints": [{"id": ENDPOINT}], "roles": [{"name": "app"}],
    "databases": [{"name": "carecircle"}], "operations": OPERATIONS,
    "connection_uris": [{"connection_uri": "postgresql://app:canary@host/carecircle"}],
}  # fmt: skip
RANGE: dict[str, Any] = {"since": START - timedelta(days=1), "until": START, "granularity": Granularity.HOURLY}
FIGURES: dict[str, Any] = RANGE | {"metrics": [Metric.COMPUTE_UNIT_SECONDS]}


@dataclass(frozen=True)
class Sample:
    call: Callable[[NeonClient], Any]
    answer: Mapping[str, Any]


def _of(key: str, one: Any, **more: Any) -> dict[str, Any]:
    return {key: one, "operations": OPERATIONS} | more


SAMPLES: dict[str, Sample] = {
    "auth": Sample(lambda c: c.auth(), {"account_id": "acc"}),
    "connection_uri": Sample(
        lambda c: c.connection_uri(PROJECT, branch_id=MAIN, database_name="carecircle", role_name="app"),
        {"uri": "postgresql://app:canary@host/carecircle"},
    ),
    "account.me": Sample(lambda c: c.account.me(), {"id": "u"}),
    "account.organizations": Sample(lambda c: c.account.organizations(), {"organizations": [{"id": ORG}]}),
    "account.organization": Sample(lambda c: c.account.organization(ORG), {"id": ORG}),
    "account.regions": Sample(lambda c: c.account.regions(), {"regions": [{"region_id": "aws-us-east-2"}]}),
    "projects.list": Sample(lambda c: c.projects.list(), {"projects": [{"id": PROJECT}]}),
    "projects.list_shared": Sample(lambda c: c.projects.list_shared(), {"projects": [{"id": PROJECT}]}),
    "projects.get": Sample(lambda c: c.projects.get(PROJECT), {"project": {"id": PROJECT}}),
    "projects.create": Sample(lambda c: c.projects.create(name="second"), PROJECT_MADE),
    "projects.update": Sample(lambda c: c.projects.update(PROJECT, name="new"), _of("project", {"id": PROJECT})),
    "projects.delete": Sample(lambda c: c.projects.delete(PROJECT), {"project": {"id": PROJECT}}),
    "branches.list": Sample(lambda c: c.branches.list(PROJECT), {"branches": [branch()]}),
    "branches.get": Sample(lambda c: c.branches.get(PROJECT, MAIN), {"branch": branch()}),
    "branches.count": Sample(lambda c: c.branches.count(PROJECT), {"count": 1}),
    "branches.create": Sample(
        lambda c: c.branches.create(PROJECT, name="a", parent_id=MAIN), _of("branch", branch(COPY, "a"))
    ),
    "branches.update": Sample(lambda c: c.branches.update(PROJECT, MAIN, name="a"), _of("branch", branch())),
    "branches.delete": Sample(lambda c: c.branches.delete(PROJECT, MAIN), _of("branch", branch())),
    "branches.set_as_default": Sample(lambda c: c.branches.set_as_default(PROJECT, MAIN), _of("branch", branch())),
    "branches.restore": Sample(lambda c: restore(c), _of("branch", branch())),
    "branches.finalize_restore": Sample(
        lambda c: c.branches.finalize_restore(PROJECT, MAIN), {"operations": OPERATIONS}
    ),
    "schemas.sql": Sample(lambda c: c.schemas.sql(PROJECT, MAIN, database_name="carecircle"), {"sql": ""}),
    "schemas.tables": Sample(
        lambda c: c.schemas.tables(PROJECT, MAIN, database_name="carecircle"), {"json": {"tables": []}}
    ),
    "schemas.compare": Sample(
        lambda c: c.schemas.compare(PROJECT, MAIN, database_name="carecircle", base_branch_id=COPY), {"diff": ""}
    ),
    "snapshots.list": Sample(lambda c: c.snapshots.list(PROJECT), {"snapshots": []}),
    "snapshots.create": Sample(
        lambda c: c.snapshots.create(PROJECT, branch_id=MAIN, name="a"), _of("snapshot", {"id": SNAPSHOT, "name": "a"})
    ),
    "snapshots.update": Sample(
        lambda c: c.snapshots.update(PROJECT, SNAPSHOT, name="a"), {"snapshot": {"id": SNAPSHOT, "name": "a"}}
    ),
    "snapshots.delete": Sample(lambda c: c.snapshots.delete(PROJECT, SNAPSHOT), {"operations": OPERATIONS}),
    "snapshots.restore": Sample(
        lambda c: c.snapshots.restore(PROJECT, SNAPSHOT, target_branch_id=MAIN, finalize=True),
        _of("branch", branch(COPY)),
    ),
    "schedules.get": Sample(lambda c: c.schedules.get(PROJECT, MAIN), {"schedule": []}),
    "schedules.put": Sample(lambda c: c.schedules.put(PROJECT, MAIN, ()), {}),
    "operations.list_since": Sample(lambda c: c.operations.list_since(PROJECT, START), {"operations": []}),
    "operations.get": Sample(lambda c: c.operations.get(PROJECT, OP), {"operation": {"id": OP}}),
    "endpoints.list": Sample(lambda c: c.endpoints.list(PROJECT), {"endpoints": []}),
    "endpoints.list_for_branch": Sample(lambda c: c.endpoints.list_for_branch(PROJECT, MAIN), {"endpoints": []}),
    "endpoints.get": Sample(lambda c: c.endpoints.get(PROJECT, ENDPOINT), {"endpoint": {"id": ENDPOINT}}),
    "endpoints.create": Sample(
        lambda c: c.endpoints.create(PROJECT, branch_id=MAIN), _of("endpoint", {"id": ENDPOINT})
    ),
    "endpoints.update": Sample(
        lambda c: c.endpoints.update(PROJECT, ENDPOINT, disabled=True), _of("endpoint", {"id": ENDPOINT})
    ),
    "endpoints.delete": Sample(lambda c: c.endpoints.delete(PROJECT, ENDPOINT), _of("endpoint", {"id": ENDPOINT})),
    "endpoints.start": Sample(lambda c: c.endpoints.start(PROJECT, ENDPOINT), _of("endpoint", {"id": ENDPOINT})),
    "endpoints.suspend": Sample(lambda c: c.endpoints.suspend(PROJECT, ENDPOINT), _of("endpoint", {"id": ENDPOINT})),
    "endpoints.restart": Sample(lambda c: c.endpoints.restart(PROJECT, ENDPOINT), _of("endpoint", {"id": ENDPOINT})),
    "databases.list": Sample(lambda c: c.databases.list(PROJECT, MAIN), {"databases": []}),
    "databases.get": Sample(
        lambda c: c.databases.get(PROJECT, MAIN, "carecircle"), {"database": {"name": "carecircle"}}
    ),
    "databases.create": Sample(
        lambda c: c.databases.create(PROJECT, MAIN, "new", owner_name="app"), _of("database", {"name": "new"})
    ),
    "databases.update": Sample(
        lambda c: c.databases.update(PROJECT, MAIN, "carecircle", name="new"), _of("database", {"name": "new"})
    ),
    "databases.delete": Sample(
        lambda c: c.databases.delete(PROJECT, MAIN, "carecircle"), _of("database", {"name": "carecircle"})
    ),
    "roles.list": Sample(lambda c: c.roles.list(PROJECT, MAIN), {"roles": []}),
    "roles.get": Sample(lambda c: c.roles.get(PROJECT, MAIN, "app"), {"role": {"name": "app"}}),
    "roles.reveal_password": Sample(lambda c: c.roles.reveal_password(PROJECT, MAIN, "app"), {"password": "canary"}),
    "roles.create": Sample(
        lambda c: c.roles.create(PROJECT, MAIN, "new"), _of("role", {"name": "new", "password": "canary"})
    ),
    "roles.delete": Sample(lambda c: c.roles.delete(PROJECT, MAIN, "app"), _of("role", {"name": "app"})),
    "roles.reset_password": Sample(
        lambda c: c.roles.reset_password(PROJECT, MAIN, "app"), _of("role", {"name": "app", "password": "canary"})
    ),
    "consumption.projects": Sample(lambda c: c.consumption.projects(ORG, **FIGURES), {"projects": []}),
    "consumption.branches": Sample(
        lambda c: c.consumption.branches(ORG, project_ids=[PROJECT], **FIGURES), {"branches": []}
    ),
}
