"""Recovery times over time: the chart draws what the table says, and the proposed line is said to be proposed."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from backups.admin.charts import Dot, Line, durations, stage_bar, trend
from tests.admin.test_pages_show import text_of
from tests.support.drills import ExerciseScene, automatic_drill

HUNDRED = st.floats(0, 1e9, allow_nan=False)


@given(st.lists(HUNDRED, min_size=1, max_size=60), st.lists(HUNDRED, max_size=3))
def test_every_measurement_lies_inside_the_chart(values, levels):
    dots, lines = [Dot(value, "good", "x") for value in values], [Line(each, "objective", "o") for each in levels]
    for drawn in (str(durations(dots, lines)), str(trend(dots))):
        assert_inside(drawn, values)


def assert_inside(drawn: str, values: list[float]) -> None:
    places = [(float(x), float(y)) for x, y in re.findall(r'cx="([^"]+)" cy="([^"]+)"', drawn)]
    assert len(places) == len(values)
    assert all(0 <= x <= 640 and 0 <= y <= 220 for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    heights = sorted(zip(values, (-y for _, y in places), strict=True))
    assert [height for _, height in heights] == sorted(height for _, height in heights), "more is never drawn lower"


@given(st.lists(st.tuples(st.just("verified"), HUNDRED), max_size=6))
def test_a_bar_is_as_long_as_its_parts(parts):
    widths = [float(width) for width in re.findall(r'width="([^"]+)"', str(stage_bar(parts)))]
    assert not widths or 639 <= sum(widths) <= 640 + len(parts) + 1


def test_labels_are_escaped():
    assert "<b>" not in str(durations([Dot(1, "good", "<b>")], [Line(1, "objective", "<b>")]))


def test_seconds_and_days_can_both_be_read():
    """A drill of seconds does not lie on the ground, an objective of minutes not under the limit of days."""
    drawn = str(durations([Dot(3, "good", "x")], [Line(900, "objective", "o"), Line(259_200, "proposed", "p")]))
    (dot,) = [float(y) for y in re.findall(r'cy="([^"]+)"', drawn)]
    objective, proposed = [float(y) for y in re.findall(r'chart__line--[a-z]+" x1="[^"]+" y1="([^"]+)"', drawn)]
    assert 196 - 10 > dot > objective + 20 > objective > proposed + 20
    assert "10 min" in drawn


@pytest.fixture
def main(scenes):
    return scenes.staging_ready()


@pytest.fixture
def dana(people, log_in):
    return log_in(people.dana)


@pytest.mark.django_db
def test_drills_and_restores_are_measured_apart(dana, people, scenes, main):
    for minutes in range(4):
        automatic_drill(main, ended_ago=dt.timedelta(minutes=minutes))
    automatic_drill(main, rto_objective_seconds=3, outcome="failed")
    automatic_drill(main, verified_at=None, outcome="inconclusive")
    exercise = ExerciseScene(people, main).end()
    restore = scenes.completed()
    words = text_of(dana.get(reverse("ops:drill-trends")))
    for said in (
        "Drills: time to recover", "6 verified, 1 never verified", "Median 6.0 s", "Real restores: time to recover",
        "asked for to ordered at Neon", "ordered at Neon to takes connections", "missed", "never verified",
        "It is no law.", exercise.reference, restore.reference, "41.0 s", "proposed and not law",
    ):  # fmt: skip
        assert said in words, said


@pytest.mark.django_db
def test_a_period_or_branch_without_any_says_so(dana, main):
    automatic_drill(main, ended_ago=dt.timedelta(days=40))
    assert "None in this period." in text_of(dana.get(reverse("ops:drill-trends"), {"days": "30"}))
    assert dana.get(reverse("ops:drill-trends"), {"days": "-1", "branch": "<b>"}).status_code == 200


@pytest.mark.django_db
def test_the_page_needs_few_queries(dana, main, django_assert_max_num_queries):
    for _ in range(3):
        automatic_drill(main)
    with django_assert_max_num_queries(12):
        dana.get(reverse("ops:drill-trends"))
