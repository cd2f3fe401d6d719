"""The start page: what waits for the reader beside requests, what is proven, what is wrong, and what is not known."""

from __future__ import annotations

import pytest
from django.urls import reverse

from backups.domain.drill import DrillOutcome
from tests.admin.test_monitor_pages import Monitored
from tests.admin.test_pages_show import text_of
from tests.support.drills import ExerciseScene, automatic_drill, plan_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def main(scenes):
    return scenes.staging_ready()


def titles(client) -> list[str]:
    return [task.title for task in client.get("/").context["tasks"]]


def test_a_corrective_action_waits_for_its_owner_alone(people, log_in, main):
    scene = ExerciseScene(people, main)
    scene.end()
    action = scene.action
    assert titles(log_in(people.erin)) == [action.title]
    assert action.title not in titles(log_in(people.alice))
    link = log_in(people.erin).get("/").context["tasks"][0].url
    assert link == reverse("ops:action", args=[action.pk])


def test_an_exercise_without_a_signature_waits_for_managers(people, log_in, main):
    drill = ExerciseScene(people, main, title="A Sunday night").end()
    assert titles(log_in(people.bob)) == [f"{drill.reference}: A Sunday night"]
    for other in (people.alice, people.dana, people.erin):
        assert titles(log_in(other)) == []


def test_it_says_what_the_last_good_drill_measured_and_doubts_it_after_a_failure(people, log_in, main):
    plan = plan_of(main)
    good = automatic_drill(main, plan=plan)
    words = text_of(log_in(people.bob).get("/"))
    assert "Proven" in words
    assert f"Last good drill {good.reference}" in words
    automatic_drill(main, plan=plan, outcome=DrillOutcome.FAILED)
    assert "In doubt" in text_of(log_in(people.bob).get("/"))


def test_it_names_open_findings_and_counts_changes_outside(people, log_in):
    monitored = Monitored()
    for number in range(7):
        monitored.finding(subject=str(number))
    words = text_of(log_in(people.bob).get("/"))
    assert "Findings (7)" in words
    assert "A restore was made outside the portal" in words
    assert "and 2 more" in words
    assert "7 unexplained changes at Neon in 30 days" in words


def test_more_of_everything_costs_no_more_queries(people, log_in, main, django_assert_num_queries):
    client = log_in(people.bob)

    def more() -> None:
        scene = ExerciseScene(people, main)
        scene.end()
        assert scene.action
        automatic_drill(main)

    more()
    with django_assert_num_queries(44, exact=False) as few:
        client.get("/")
    more()
    more()
    with django_assert_num_queries(len(few.captured_queries)):
        client.get("/")


def test_a_log_that_nobody_seals_or_verified_is_not_said_to_be_intact(people, log_in):
    words = text_of(log_in(people.dana).get("/"))
    assert "Not sealed: no sealer has run here." in words
    assert "Outside copies of the audit log: none is recorded" in words
    assert "never verified" in words
