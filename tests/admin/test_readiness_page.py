"""The readiness page: computed from evidence with its age, unknown where nothing can be seen."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse

from backups.admin.drill import words
from backups.domain.drill import Proof
from backups.domain.policy import Environment
from backups.models import (
    ControlState,
    Drill,
    DutyTask,
    Finding,
    LedgerEvent,
    MonitorRun,
    ProjectWatch,
    RunbookCopy,
)
from backups.selectors import readiness as selector
from backups.selectors.clock import database_now
from backups.selectors.readiness import Readiness, readiness
from backups.services.duties import keep_duties
from backups.services.runbook import content
from tests.admin.test_pages_show import text_of
from tests.factories import branch, project
from tests.support.drills import ExerciseScene, automatic_drill

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def main(people):
    return branch(project(is_sandbox=False, api_host="https://console.neon.tech/api/v2", region="aws-eu-central-1"))


def state_of(code: str, at: dt.datetime | None = None) -> Readiness:
    return {row.code: row.state for row in readiness(at or database_now())}[code]


def monitor_answers(main, at: dt.datetime | None = None) -> None:
    now = at or database_now()
    MonitorRun.objects.create(
        origin="worker", started_at=now, ended_at=now, projects=1, calls=9, failed_calls=0, answered=6, unknown=0,
        opened=0, closed=0,
    )  # fmt: skip
    ProjectWatch.objects.update_or_create(project=main.project, defaults={"known_at": now})
    for control in ("history", "schedule", "snapshot", "restorable"):
        ControlState.objects.update_or_create(
            control=control,
            project=main.project,
            branch=main,
            defaults={"last_tried_at": now, "last_ok_at": now, "unknown_since": None, "unknown_reason": ""},
        )


def test_with_nothing_seen_nothing_is_ready(people):
    rows = readiness(database_now())
    assert [row.code for row in rows] == ["backups", "recovery", "encryption", "off_site", "documentation", "testing"]
    assert not [row.code for row in rows if row.state is Readiness.READY]
    assert all(row.sentences for row in rows)


def test_backups_are_ready_only_while_the_monitor_says_so(main):
    assert state_of("backups") is Readiness.UNKNOWN
    monitor_answers(main)
    assert state_of("backups") is Readiness.READY
    assert state_of("backups", database_now() + DAY) is Readiness.UNKNOWN, "a monitor that fell silent knows nothing"
    unclear = ControlState.objects.get(control="schedule")
    unclear.unknown_since, unclear.unknown_reason = database_now(), "Neon answered 503"
    unclear.save()
    assert state_of("backups") is Readiness.UNKNOWN
    now = database_now()
    Finding.objects.create(
        project=main.project, branch=main, control="schedule", code="schedule_drift", severity="warning",
        sentence="The schedule is not as declared.", since=now, last_seen_at=now,
    )  # fmt: skip
    assert state_of("backups") is Readiness.WEAK
    Finding.objects.update(severity="critical")
    assert state_of("backups") is Readiness.MISSING


def test_recovery_decays_by_itself(main):
    assert state_of("recovery") is Readiness.MISSING
    automatic_drill(main)
    now = database_now()
    assert [state_of("recovery", now + days * DAY) for days in (0, 6, 8, 15)] == [
        Readiness.READY, Readiness.READY, Readiness.WEAK, Readiness.MISSING,
    ]  # fmt: skip


def test_encryption_and_copies_outside_cannot_be_talked_into_being_ready(main, people, log_in):
    assert state_of("encryption") is Readiness.UNKNOWN
    assert state_of("off_site") is Readiness.MISSING
    erin = log_in(people.erin)
    erin.post(reverse("ops:duty", args=["off_site_copy"]), {"reason": "Nightly dump to another cloud"})
    assert state_of("off_site") is Readiness.UNKNOWN
    main.project.api_host = "http://neon.example/api/v2"
    main.project.save()
    assert state_of("encryption") is Readiness.MISSING


def test_documentation_is_as_old_as_its_oldest_runbook(main):
    assert state_of("documentation") is Readiness.MISSING
    copy = RunbookCopy.objects.create(project=main.project, written_at=database_now())
    assert state_of("documentation") is Readiness.READY
    assert state_of("documentation", database_now() + 9 * DAY) is Readiness.WEAK
    copy.problem, copy.problem_since = "It could not be written to RUNBOOK_DIR: read-only.", database_now()
    copy.save()
    assert state_of("documentation") is Readiness.WEAK


def test_testing_wants_drills_and_people(main, people):
    automatic_drill(main)
    assert state_of("testing") is Readiness.MISSING
    ExerciseScene(people, main).end(signed_by=people.bob)
    assert state_of("testing") is Readiness.READY
    automatic_drill(main, outcome="failed")
    assert state_of("testing") is Readiness.WEAK


def test_every_degree_of_proof_has_its_words():
    for said in (selector._PROOF, content._PROOF, words._PROOF):
        assert set(said) == set(Proof)


def test_other_environments_do_not_count(main):
    branch(main.project, neon_branch_id="br-other-1", name="dev", label=Environment.DEVELOPMENT, is_default=False)
    automatic_drill(main)
    assert state_of("recovery") is Readiness.READY


def test_the_page_shows_age_duties_and_what_is_left(main, people, log_in):
    scene = ExerciseScene(people, main)
    scene.end()
    assert scene.action
    keep_duties()
    words = text_of(log_in(people.dana).get(reverse("ops:readiness")))
    for said in (
        "Could we recover?", "Off-site copy Missing", "Encryption Unknown", "Put a second manager on call",
        f"Not signed {scene.drill.reference}", "I have done it", "Each month", "Download to print",
    ):  # fmt: skip
        assert said in words, said


def test_a_duty_is_said_with_a_reason(main, people, log_in):
    dana, address = log_in(people.dana), reverse("ops:duty", args=["people_reviewed"])
    assert dana.get(address).status_code == 200
    assert dana.post(address, {"reason": ""}).status_code == 422
    assert "dana says so" in text_of(dana.post(address, {"reason": "All are still here"}, follow=True))
    assert "completes this by itself" in text_of(dana.get(reverse("ops:duty", args=["drill_passed"]), follow=True))
    assert dana.get(reverse("ops:duty", args=["nothing"])).status_code == 404
    assert DutyTask.objects.filter(done_at__isnull=False).count() == 1


def test_the_runbook_is_a_download_and_whoever_took_it_is_known(main, people, log_in):
    answer = log_in(people.dana).get(reverse("ops:runbook", args=[main.project.pk]))
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert b"Runbook: restore" in answer.content
    assert LedgerEvent.objects.filter(type="runbook.read", actor_ref=f"user:{people.dana.user.pk}").count() == 1
    assert state_of("documentation") is Readiness.READY


def test_the_page_needs_a_fixed_number_of_queries(main, people, log_in, django_assert_max_num_queries):
    keep_duties()
    dana = log_in(people.dana)
    for number in range(3):
        branch(main.project, neon_branch_id=f"br-more-{number}", name=f"more{number}")
        automatic_drill(main)
    with django_assert_max_num_queries(34):
        dana.get(reverse("ops:readiness"))
    assert Drill.objects.count() == 3
