"""/health/backups and /metrics: the state to everybody, the details to whoever has a token."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from backups.domain.safety_copy import TokenScope
from backups.models import ControlState, Finding, MonitorRun, ProtectedBranch
from backups.services.tokens import make_token
from backups.services.worker import record_heartbeat
from tests import factories

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-tests-9x3"


@pytest.fixture(autouse=True)
def token(settings: Any) -> None:
    settings.HEALTH_TOKEN = TOKEN


@pytest.fixture
def branch() -> ProtectedBranch:
    """A monitor that looked a moment ago and had an answer about everything."""
    made = factories.branch()
    now = timezone.now()
    MonitorRun.objects.create(
        origin="schedule", started_at=now, ended_at=now, projects=1, calls=6, failed_calls=0, answered=1, unknown=0,
        opened=0, closed=0,
    )  # fmt: skip
    ControlState.objects.create(
        control="restorable", project=made.project, branch=made, last_tried_at=now, last_ok_at=now
    )
    return made


def wrong(branch: ProtectedBranch, severity: str = "critical") -> Finding:
    now = timezone.now()
    return Finding.objects.create(
        project=branch.project, branch=branch, control="history", code="history_off", subject="s", severity=severity,
        sentence="Neon keeps no history.", since=now, last_seen_at=now,
    )  # fmt: skip


def get(client: Client, path: str, token: str = "") -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {token}"} if token else {})


def test_healthy(client: Client, branch: ProtectedBranch) -> None:
    answer = get(client, "/health/backups")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


def test_a_notice_alone_is_healthy(client: Client, branch: ProtectedBranch) -> None:
    wrong(branch, "notice")
    assert get(client, "/health/backups").status_code == 200


def test_findings_are_told_without_a_word_of_what(client: Client, branch: ProtectedBranch) -> None:
    wrong(branch)
    answer = get(client, "/health/backups")
    assert (answer.status_code, answer.json()) == (503, {"status": "findings"})


def test_a_monitor_that_is_silent_is_unknown(client: Client, branch: ProtectedBranch) -> None:
    MonitorRun.objects.update(ended_at=timezone.now() - dt.timedelta(hours=1))
    answer = get(client, "/health/backups")
    assert (answer.status_code, answer.json()) == (503, {"status": "unknown"})


def test_nothing_was_ever_looked_at(client: Client) -> None:
    assert get(client, "/health/backups").json() == {"status": "unknown"}


def test_a_branch_that_no_control_has_answered_for_is_unknown(client: Client, branch: ProtectedBranch) -> None:
    ControlState.objects.all().delete()
    assert get(client, "/health/backups").json() == {"status": "unknown"}


def test_a_control_without_an_answer_is_unknown(client: Client, branch: ProtectedBranch) -> None:
    ControlState.objects.update(unknown_since=timezone.now(), unknown_reason="Neon did not answer.")
    answer = get(client, "/health/backups", TOKEN)
    assert (answer.status_code, answer.json()["status"]) == (503, "unknown")
    assert answer.json()["could_not_tell"][0]["reason"] == "Neon did not answer."


def test_the_details_need_the_token(client: Client, branch: ProtectedBranch) -> None:
    wrong(branch)
    details = get(client, "/health/backups", TOKEN).json()
    assert details["open_findings"][0]["code"] == "history_off"
    assert details["branches"][0]["status"] == "findings"
    refused = get(client, "/health/backups", "something-else")
    assert (refused.status_code, refused.json()) == (401, {"status": "refused"})
    assert "Bearer" in refused["WWW-Authenticate"]


def test_without_a_token_in_the_settings_no_header_opens_it(client: Client, branch: Any, settings: Any) -> None:
    settings.HEALTH_TOKEN = ""
    for token in ("", " ", TOKEN):
        assert client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_scoped_token_reads_and_one_for_another_project_sees_only_that(client: Client, branch: Any) -> None:
    erin = factories.person("erin")
    other = factories.project(neon_project_id="other-river-12345678")
    wrong(branch)
    scopes = {TokenScope.READ_HEALTH}
    _, secret = make_token(actor=erin.actor, label="monitoring", scopes=scopes, days=30)
    _, narrow = make_token(actor=erin.actor, label="other", scopes=scopes, days=30, project_id=other.pk)
    _, copies = make_token(actor=erin.actor, label="ci", scopes={TokenScope.SAFETY_COPY}, days=30)
    assert get(client, "/health/backups", secret).json()["open_findings"]
    assert get(client, "/health/backups", narrow).json()["open_findings"] == []
    assert get(client, "/health/backups", copies).status_code == 401


@pytest.mark.parametrize("path", ["/health/backups", "/metrics"])
def test_they_only_read(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


def test_metrics_are_in_prometheus_format(client: Client, branch: ProtectedBranch) -> None:
    record_heartbeat(node="test")
    wrong(branch)
    answer = get(client, "/metrics", TOKEN)
    assert answer["Content-Type"].startswith("text/plain")
    found = {sample.name: sample for each in text_string_to_metric_families(answer.content.decode())
             for sample in each.samples}  # fmt: skip
    assert found["ccops_branch_recoverable"].value == 0
    assert found["ccops_worker_up"].value == 1
    assert found["ccops_finding_open"].labels["code"] == "history_off"
    assert found["ccops_monitor_last_look_age_seconds"].value < 60


def test_unknown_is_never_one(client: Client, branch: ProtectedBranch) -> None:
    ControlState.objects.all().delete()
    families = text_string_to_metric_families(get(client, "/metrics", TOKEN).content.decode())
    (sample,) = [each.samples[0] for each in families if each.name == "ccops_branch_recoverable"]
    assert sample.value == -1


def test_metrics_need_the_token(client: Client) -> None:
    assert get(client, "/metrics").status_code == 401


def test_the_state_costs_a_fixed_number_of_queries(
    client: Client, branch: ProtectedBranch, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        factories.branch(branch.project, neon_branch_id=f"br-{number}", name=f"b{number}", is_default=False)
    with django_assert_num_queries(6):
        get(client, "/health/backups", TOKEN)
