"""The monitor on its pages: what is wrong, what is unknown, and what people do about it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from backups.domain.backup_plan import Rule, WantedBackups
from backups.models import BackupPlan, ControlState, Finding, MetricSample, MonitorRun, PlanProposal, ProjectWatch
from backups.neon.schedules import ScheduleItem
from backups.services.monitor.memory import KnownSchedule, Memory
from tests import factories
from tests.admin.test_pages_show import text_of

pytestmark = pytest.mark.django_db
WHY = "As agreed in the quarterly review."


class Monitored:
    """A branch that the monitor looked at a moment ago."""

    def __init__(self) -> None:
        self.branch = factories.branch()
        self.now = timezone.now()
        MonitorRun.objects.create(
            origin="schedule", started_at=self.now, ended_at=self.now, projects=1, calls=6, failed_calls=0, answered=2,
            unknown=0, opened=0, closed=0,
        )  # fmt: skip
        known = KnownSchedule((ScheduleItem("daily", 5, None, 86_400),), self.now)
        memory = Memory(history_seconds=86_400, schedules={self.branch.neon_branch_id: known})
        ProjectWatch.objects.create(project=self.branch.project, known=memory.to_json(), known_at=self.now)
        for control in ("restorable", "schedule"):
            ControlState.objects.create(
                control=control, project=self.branch.project, branch=self.branch, last_tried_at=self.now,
                last_ok_at=self.now,
            )  # fmt: skip

    def finding(self, **fields) -> Finding:
        defaults = {
            "project": self.branch.project, "branch": self.branch, "control": "outside", "code": "restored_outside",
            "subject": "s", "severity": "critical", "sentence": "main was overwritten <b>by hand</b>",
            "evidence": {"operations": ["op-1", "op-2"], "last_reset_at": "2026-03-01T00:00:00+00:00"},
            "since": self.now, "last_seen_at": self.now,
        }  # fmt: skip
        return Finding.objects.create(**(defaults | fields))


@pytest.fixture
def monitored() -> Monitored:
    return Monitored()


def test_the_overview_says_what_is_wrong_and_since_when(people, log_in, monitored):
    finding = monitored.finding()
    words = text_of(log_in(people.dana).get(reverse("ops:monitor")))
    assert "Something is wrong" in words
    assert "A restore was made outside the portal" in words
    assert finding.reference in words
    assert "<b>" not in log_in(people.dana).get(reverse("ops:monitor")).content.decode()


def test_what_is_unknown_is_said_with_its_reason_and_never_as_healthy(people, log_in, monitored):
    ControlState.objects.filter(control="schedule").update(
        unknown_since=monitored.now, unknown_reason="Neon could not be reached."
    )
    words = text_of(log_in(people.alice).get(reverse("ops:monitor")))
    assert "Neon could not be reached." in words
    assert "Nothing is wrong" not in words
    assert "Yes, as far as is known" not in words


def test_a_silent_monitor_is_said(people, log_in, monitored):
    MonitorRun.objects.update(ended_at=monitored.now - dt.timedelta(hours=1))
    assert "That is too long ago" in text_of(log_in(people.alice).get(reverse("ops:monitor")))


def test_a_finding_shows_evidence_and_what_to_do(people, log_in, monitored):
    words = text_of(log_in(people.alice).get(reverse("ops:finding", args=[monitored.finding().pk])))
    assert "op-1; op-2" in words
    assert "Ask in the team's channel who did it." in words
    assert "Who did it, and why" not in words, "an engineer can't explain it"


def test_it_is_acknowledged_owned_and_explained(people, log_in, monitored):
    finding, alice, bob = monitored.finding(), log_in(people.alice), log_in(people.bob)
    page = reverse("ops:finding", args=[finding.pk])
    alice.post(reverse("ops:finding-acknowledge", args=[finding.pk]), {"reason": "I am looking at it now."})
    alice.post(reverse("ops:finding-give", args=[finding.pk]), {"owner": people.alice.user.pk})
    words = text_of(bob.get(page))
    assert "I am looking at it now." in words
    assert "Owner alice" in words
    bob.post(reverse("ops:finding-explain", args=[finding.pk]), {"reason": "The owner did it during the outage."})
    words = text_of(bob.get(page))
    assert "explained by bob" in words
    assert "The owner did it during the outage." in words


def test_a_reason_that_is_missing_is_said_beside_the_field_and_nothing_is_lost(people, log_in, monitored):
    finding = monitored.finding()
    answer = log_in(people.bob).post(reverse("ops:finding-explain", args=[finding.pk]), {"reason": "short"})
    assert answer.status_code == 422
    assert "Say in a sentence who did it and why." in text_of(answer)
    assert ">short</textarea>" in answer.content.decode()
    finding.refresh_from_db()
    assert finding.closed_at is None


def test_a_branch_shows_declared_and_found_and_its_figures(people, log_in, monitored):
    for day in range(6):
        MetricSample.objects.create(
            project=monitored.branch.project, name="storage_bytes", at=monitored.now - dt.timedelta(days=5 - day),
            value=1e9 * (day + 1),
        )  # fmt: skip
    answer = log_in(people.bob).get(reverse("ops:branch-health", args=[monitored.branch.pk]))
    words = text_of(answer)
    assert "daily at 02:00 UTC, kept 7 days" in words
    assert "daily at 05:00 UTC, kept 1 day" in words
    assert "Neon has not what is declared." in words
    assert "A straight line through the last 5 days" in words
    assert "<svg" in answer.content.decode()


def test_without_figures_there_is_no_forecast(people, log_in, monitored):
    words = text_of(log_in(people.bob).get(reverse("ops:branch-health", args=[monitored.branch.pk])))
    assert "No figure is known yet." in words


def rules(**first: str) -> dict[str, str]:
    typed = {"r-TOTAL_FORMS": "3", "r-INITIAL_FORMS": "0", "history_days": "14", "reason": WHY}
    return typed | {f"r-0-{name}": value for name, value in first.items()}


def test_backups_are_declared(people, log_in, monitored):
    page = reverse("ops:declare-backups", args=[monitored.branch.pk])
    erin = log_in(people.erin)
    assert erin.get(page).status_code == 200
    answer = erin.post(page, rules(frequency="weekly", hour="3", day="1", keep_days="14"))
    assert answer.status_code == 302
    plan = BackupPlan.objects.get()
    assert plan.history_seconds == 14 * 86_400
    assert plan.schedule == [{"frequency": "weekly", "hour": 3, "day": 1, "retention_seconds": 14 * 86_400}]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"frequency": "weekly", "hour": "3"}, "A weekly rule needs a day"),
        ({"frequency": "daily", "hour": "25"}, "less than or equal to 23"),
        ({"frequency": "daily"}, "Each rule needs an hour"),
    ],
)
def test_what_neon_would_not_take_is_said_and_nothing_is_stored(people, log_in, monitored, typed, sentence):
    answer = log_in(people.erin).post(reverse("ops:declare-backups", args=[monitored.branch.pk]), rules(**typed))
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not BackupPlan.objects.exists()


def test_a_proposal_shows_what_vanishes_and_another_manager_agrees(people, log_in, monitored):
    bob, carol = log_in(people.bob), log_in(people.carol)
    page = reverse("ops:propose-backups", args=[monitored.branch.pk])
    assert "Vanishes: daily at 05:00 UTC, kept 1 day" in text_of(bob.get(page))
    bob.post(page, {"reason": WHY})
    proposal = PlanProposal.objects.get()
    shown = reverse("ops:plan-proposal", args=[proposal.pk])
    assert "somebody else must agree" in text_of(bob.get(shown))
    bob.post(shown, {"answer": "confirm"})
    proposal.refresh_from_db()
    assert proposal.confirmed_at is None
    carol.post(shown, {"answer": "confirm"})
    proposal.refresh_from_db()
    assert proposal.decided_by == people.carol.user
    assert WantedBackups.from_json(proposal.wanted).schedule == (Rule("daily", 2, None, 604_800),)


def test_a_proposal_without_a_reason_is_not_made(people, log_in, monitored):
    page = reverse("ops:propose-backups", args=[monitored.branch.pk])
    answer = log_in(people.alice).post(page, {"reason": ""})
    assert answer.status_code == 422
    assert "Say why" in text_of(answer)


def test_the_overview_asks_a_fixed_number_of_questions(people, log_in, monitored, django_assert_max_num_queries):
    for number in range(5):
        monitored.finding(subject=f"s{number}")
    client = log_in(people.alice)
    with django_assert_max_num_queries(16):
        client.get(reverse("ops:monitor"))


@pytest.mark.parametrize("name", ["ops:finding", "ops:branch-health", "ops:plan-proposal"])
def test_what_does_not_exist_is_not_found(people, log_in, name):
    assert log_in(people.alice).get(reverse(name, args=[987654])).status_code == 404
