"""Whatever controls say, in whatever order: what is open is what was last told, and every change has its event."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import ProgrammingError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backups.domain.monitor import CouldNotTell, FindingCode, Observation, Severity
from backups.domain.people import SYSTEM
from backups.models import ControlState, Finding, LedgerEvent
from backups.selectors.clock import database_now
from backups.services.monitor.findings import Answer, Reconciliation
from tests import factories

pytestmark = pytest.mark.django_db
C = FindingCode
CLOSING, STAYING = C.ORPHAN, C.RESTORED_OUTSIDE

observations = st.builds(
    lambda code, subject, severity: Observation(code=code, subject=subject, sentence="It is so.", severity=severity),
    st.sampled_from([CLOSING, STAYING]),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(list(Severity)),
)
verdicts = st.one_of(
    st.lists(observations, max_size=4),
    st.builds(CouldNotTell, st.just("Neon did not answer."), st.booleans()),
)


def _open() -> dict[tuple[str, str], str]:
    rows = Finding.objects.filter(closed_at__isnull=True, control="orphans")
    return {(row.code, row.subject): row.severity for row in rows}


@given(history=st.lists(verdicts, max_size=6))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_open_is_what_was_last_told(history: list[Any]) -> None:
    with transaction.atomic():
        project = factories.project(neon_project_id=f"p-{Finding.objects.count()}-{LedgerEvent.objects.count()}")
        expected: dict[tuple[str, str], str] = {}
        for verdict in history:
            before = dict(_open())
            tally = Reconciliation(project, database_now(), SYSTEM).apply([Answer("orphans", verdict)])
            if isinstance(verdict, CouldNotTell):
                assert _open() == before, "silence opens and closes nothing"
                assert (tally.opened, tally.closed) == (0, 0)
            else:
                stays = {key: severity for key, severity in expected.items() if key[0] == STAYING}
                # The first of two that say the same counts.
                told = {(each.code.value, each.subject): each.weight.value for each in reversed(verdict)}
                expected = stays | told
                assert _open() == expected
            state = ControlState.objects.get(control="orphans", project=project)
            assert (state.unknown_since is not None) == isinstance(verdict, CouldNotTell)
        _each_change_has_its_event(project.neon_project_id)
        transaction.set_rollback(True)


def _each_change_has_its_event(neon_project_id: str) -> None:
    findings = Finding.objects.filter(project__neon_project_id=neon_project_id)
    events = LedgerEvent.objects.filter(project=neon_project_id)
    assert events.filter(type="finding.opened").count() == findings.count()
    assert events.filter(type="finding.closed").count() == findings.filter(closed_at__isnull=False).count()


def test_the_web_role_deletes_no_finding() -> None:
    branch, now = factories.branch(), database_now()
    Finding.objects.create(
        project=branch.project, branch=branch, control="outside", code=STAYING, subject="s", severity="critical",
        sentence="main was overwritten", since=now, last_seen_at=now,
    )  # fmt: skip
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        Finding.objects.all().delete()
