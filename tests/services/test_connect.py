from __future__ import annotations

import json
from io import StringIO
from typing import Any
from urllib.request import Request, urlopen

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from backups.checks import portal_is_no_guest_of_its_own
from backups.domain.people import SYSTEM, Actor
from backups.models import LedgerEvent, Project, ProtectedBranch
from backups.neon.secret import Secret
from backups.services.connect import ConnectRefused, connect_project, examine_project
from backups.services.secrets import api_key_of
from backups.services.self_hosting import normal_address, refuse_to_start_inside_a_managed_project
from neon_sandbox.testing import RunningSandbox
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def elsewhere(sandbox: RunningSandbox) -> None:
    """The quiet database lies beside the portal's own; here the branches are at an address where nobody listens."""
    sandbox.settings(connection_uri="postgresql://carecircle_owner@127.0.0.1:1/carecircle?connect_timeout=1")


def connect(sandbox: RunningSandbox, actor: Actor = SYSTEM, **changes: Any) -> Project:
    wanted: dict[str, Any] = {
        "neon_project_id": sandbox.project_id,
        "api_host": sandbox.url,
        "api_key": Secret(sandbox.api_key),
        "is_sandbox": True,
    }
    return connect_project(actor=actor, **(wanted | changes))


def change_history(sandbox: RunningSandbox, seconds: int) -> None:
    """As the owner does in Neon's console."""
    request = Request(  # noqa: S310 - an address of this machine
        f"{sandbox.url}/projects/{sandbox.project_id}",
        method="PATCH",
        data=json.dumps({"project": {"history_retention_seconds": seconds}}).encode(),
        headers={"Authorization": f"Bearer {sandbox.api_key}", "Content-Type": "application/json"},
    )
    urlopen(request).close()  # noqa: S310


def lines(project: Project) -> dict[str, dict[str, str]]:
    return {line["code"]: line for line in project.connect_report["lines"]}


def test_it_registers_project_and_branches_and_keeps_the_key_encrypted(sandbox: RunningSandbox) -> None:
    project = connect(sandbox)
    branch = ProtectedBranch.objects.get(project=project)
    assert (branch.name, branch.is_root, branch.is_default, branch.label) == ("main", True, True, None)
    assert (branch.database_name, branch.role_name) == ("carecircle", "carecircle_owner")
    assert branch.environment == "production"
    assert sandbox.api_key.encode() not in bytes(project.api_key_encrypted or b"")
    assert api_key_of(project).reveal() == sandbox.api_key


def test_each_line_says_ok_to_do_or_cant_tell(sandbox: RunningSandbox) -> None:
    found = lines(connect(sandbox))
    assert {code: line["status"] for code, line in found.items()} == {
        "key": "ok",
        "plan": "ok",
        "history": "to_do",
        "head_room": "ok",
        "default_branch": "ok",
        "environment": "to_do",
        "restorable": "ok",
        "connection": "to_do",
        "own_home": "ok",
    }
    assert "1 d is the default" in found["history"]["sentence"]
    assert all(line["next"] for line in found.values() if line["status"] != "ok")


def test_a_history_of_nothing_is_said(sandbox: RunningSandbox) -> None:
    change_history(sandbox, 0)
    assert "no point in time can be restored" in lines(connect(sandbox))["history"]["sentence"]


def test_a_full_plan_is_to_do(sandbox: RunningSandbox) -> None:
    sandbox.settings(plan="free")
    found = lines(connect(sandbox))
    assert (found["plan"]["status"], found["head_room"]["status"]) == ("to_do", "ok")


def test_what_neon_leaves_out_cant_be_told(sandbox: RunningSandbox) -> None:
    sandbox.faults.add(
        "drop_fields",
        method="GET",
        path="/projects/[^/]+$",
        times=None,
        fields=["owner", "history_retention_seconds"],
    )
    found = lines(connect(sandbox))
    assert {found[code]["status"] for code in ("plan", "history", "head_room")} == {"unknown"}


def test_a_key_that_neon_rejects_stores_nothing(sandbox: RunningSandbox) -> None:
    with pytest.raises(ConnectRefused, match="does not accept this API key"):
        connect(sandbox, api_key=Secret("napi_wrong"))
    assert not Project.objects.exists()
    assert LedgerEvent.objects.get(type="access.refused").members["data"]["refused"] == "key_rejected"


def test_an_unknown_project_stores_nothing(sandbox: RunningSandbox) -> None:
    with pytest.raises(ConnectRefused, match="shows no project"):
        connect(sandbox, neon_project_id="calm-river-00000000")
    assert not Project.objects.exists()


def test_only_an_administrator_connects(sandbox: RunningSandbox) -> None:
    people = factories.People()
    for person in (people.alice, people.bob, people.dana, people.charlie):
        with pytest.raises(ConnectRefused, match="Only an administrator"):
            connect(sandbox, actor=person.actor)
    assert connect(sandbox, actor=people.erin.actor).pk


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"api_host": "http://neon.example.org/api/v2", "is_sandbox": False}, "no_tls"),
        ({"api_host": "https://console.neon.tech/api/v2", "is_sandbox": True}, "not_a_sandbox"),
        ({"api_host": "console.neon.tech"}, "bad_host"),
    ],
)
def test_an_address_that_would_leak_the_key_is_refused_before_any_call(
    sandbox: RunningSandbox, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ConnectRefused) as refused:
        connect(sandbox, **changes)
    assert refused.value.code == code
    assert not sandbox.calls()


def test_without_a_secrets_key_nothing_is_stored(sandbox: RunningSandbox, settings: Any) -> None:
    settings.SECRETS_KEYS = []
    with pytest.raises(ConnectRefused, match="SECRETS_KEY is not set"):
        connect(sandbox)
    assert not Project.objects.exists()


def test_examining_again_refreshes_what_is_known(sandbox: RunningSandbox) -> None:
    project = connect(sandbox)
    change_history(sandbox, 7 * 86_400)
    project = examine_project(actor=SYSTEM, project_id=project.pk)
    assert project.history_retention_seconds == 7 * 86_400
    assert lines(project)["history"]["status"] == "ok"
    assert LedgerEvent.objects.filter(type="project.checked").count() == 2


def test_a_check_that_breaks_off_says_so_and_forgets_nothing(sandbox: RunningSandbox) -> None:
    project = connect(sandbox)
    before = project.connect_report["addresses"]
    sandbox.faults.add("revoke_key", path="/projects")
    project = examine_project(actor=SYSTEM, project_id=project.pk)
    assert lines(project)["interrupted"]["status"] == "unknown"
    assert project.connect_report["addresses"] == before


def test_the_portal_refuses_a_project_that_holds_its_own_database(sandbox: RunningSandbox) -> None:
    # Neon's computes tell their project by this setting; any PostgreSQL lets a session have it.
    with connection.cursor() as cursor:
        cursor.execute(f"SET neon.project_id = '{sandbox.project_id}'")
    try:
        with pytest.raises(ConnectRefused, match="own database lies in the Neon project"):
            connect(sandbox)
        assert not Project.objects.exists()
    finally:
        connection.cursor().execute("RESET neon.project_id")


def test_the_portal_refuses_to_start_in_a_project_that_it_manages(sandbox: RunningSandbox) -> None:
    project = connect(sandbox)
    refuse_to_start_inside_a_managed_project()
    assert portal_is_no_guest_of_its_own() == []
    config = connection.settings_dict
    Project.objects.filter(pk=project.pk).update(
        connect_report={"addresses": [normal_address(config["HOST"], int(config["PORT"]))]}
    )
    with pytest.raises(ImproperlyConfigured, match="Nothing was started"):
        refuse_to_start_inside_a_managed_project()
    assert [message.id for message in portal_is_no_guest_of_its_own()] == ["backups.E001"]


def test_a_branch_beside_the_portals_own_database_is_told(sandbox: RunningSandbox, quiet_database_url: str) -> None:
    sandbox.settings(connection_uri=quiet_database_url)
    project = connect(sandbox)
    assert lines(project)["connection"]["status"] == "ok"
    assert lines(project)["own_home"]["status"] == "to_do"
    with pytest.raises(ImproperlyConfigured, match="own database lies in the Neon project"):
        refuse_to_start_inside_a_managed_project()


def test_a_sandbox_beside_a_portal_on_the_usual_port_is_not_taken_for_its_home(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The connection is open already; only what the settings say is changed.
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", "5432")
    assert lines(connect(sandbox))["own_home"]["status"] == "ok"


def test_pooled_and_direct_host_are_one_address() -> None:
    pooled = normal_address("EP-calm-sea-12345678-pooler.us-east-2.aws.neon.tech", 6543)
    assert pooled == normal_address("ep-calm-sea-12345678.us-east-2.aws.neon.tech", 5432)
    assert normal_address("127.0.0.1", 5432) != normal_address("127.0.0.1", 5433)


def test_the_command_connects_labels_and_shows(sandbox: RunningSandbox, settings: Any) -> None:
    settings.NEON_API_KEY = sandbox.api_key
    out = StringIO()
    call_command("connect", project=sandbox.project_id, api_host=sandbox.url, production=["main"], stdout=out)
    assert ProtectedBranch.objects.get().label == "production"
    assert "ok          Used for (main)" in out.getvalue()
    assert "to do       History window" in out.getvalue()
    assert sandbox.api_key not in out.getvalue()


def test_the_command_without_anything_says_what_is_missing(settings: Any) -> None:
    settings.NEON_API_KEY = settings.NEON_PROJECT_ID = ""
    with pytest.raises(CommandError, match="There is no project to examine"):
        call_command("connect", project="")
