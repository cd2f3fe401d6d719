"""The pages of drills: what they show, what they refuse, and what cannot be read into silence."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from backups.domain.drill import DrillOutcome, DrillState
from backups.models import Drill, LedgerEvent
from backups.selectors.clock import database_now
from tests.admin.test_pages_show import text_of
from tests.support.drills import ExerciseScene, automatic_drill, plan_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def main(scenes):
    return scenes.staging_ready()


@pytest.fixture
def alice(people, log_in):
    return log_in(people.alice)


@pytest.fixture
def bob(people, log_in):
    return log_in(people.bob)


def page(client, name: str, *arguments: object, **query: str) -> str:
    return text_of(client.get(reverse(name, args=arguments, query=query)))


EXERCISE = {
    "title": "Bad migration at noon",
    "type": "tabletop",
    "scenario": "bad_migration",
    "story": "Migration 0042 drops a column.",
    "planned_zone": "UTC",
}


def test_an_exercise_is_logged_from_its_form_to_its_signature(alice, bob, people, main):
    """Everything through the pages, in the order in which people do it."""
    answer = alice.post(reverse("ops:drill-new"), EXERCISE | {"place": f"b{main.pk}"}, follow=True)
    drill = Drill.objects.get()
    assert "What is rehearsed" in text_of(answer)

    def add(what: str, client=alice, **typed: object) -> str:
        sign, address = reverse("ops:drill-sign", args=[drill.pk]), reverse("ops:drill-add", args=(drill.pk, what))
        return text_of(client.post(sign if what == "sign" else address, typed, follow=True))

    ago = database_now() - dt.timedelta(hours=1)
    at = {"at_date": f"{ago:%Y-%m-%d}", "at_time": f"{ago:%H:%M:%S}", "at_zone": "UTC"}
    assert "It begins now" not in add("begin")
    assert "Dr. Ada Stone" in add("participant", name="Dr. Ada Stone", part="clinic")
    assert "led it" in add("participant", login="alice", ran_it="on")
    assert "Bob was called" in add("note", text="Bob was called", **at)
    ended = {"ended_date": at["at_date"], "ended_time": at["at_time"], "ended_zone": "UTC"}
    assert "Everybody knew" in add("end", outcome="passed", conclusion="Everybody knew what to do", **ended)
    assert "Reachability" in add("finding", severity="major", text="Reachability of managers")
    due_on = f"{ago + dt.timedelta(days=9):%Y-%m-%d}"
    assert "A second number" in add("action", title="A second number", owner=str(people.bob.user.pk), due_on=due_on)
    assert "minutes.txt" in add("file", file=SimpleUploadedFile("minutes.txt", b"who said what"))
    assert "bob signed it off" in add("sign", client=bob, text="I read the minutes")

    drill.refresh_from_db()
    assert (drill.state, drill.outcome) == (DrillState.ENDED, DrillOutcome.PASSED)
    assert LedgerEvent.objects.filter(target_id=drill.reference, type__startswith="drill.").count() == 9


@pytest.mark.parametrize(
    ("what", "typed", "sentence"),
    [
        ("participant", {}, "Give a name, or choose somebody with an account."),
        ("note", {"text": "x", "at_zone": "UTC"}, "Give the date and the time."),
        ("finding", {"text": "x"}, "Say how much it matters."),
        ("finding", {"severity": "major", "text": "key napi_0123456789abcdef"}, "A Neon API key: line 1"),
        ("action", {"title": "x", "owner": "1", "due_on": "2020-01-01"}, "Choose"),
        ("file", {}, "Choose a file."),
        ("end", {"outcome": "passed", "conclusion": "x", "ended_zone": "UTC"}, "Give the date and the time."),
        ("cancel", {}, "This field is required."),
    ],
)
def test_what_cannot_be_used_is_said_beside_its_field(alice, people, main, what, typed, sentence):
    drill = ExerciseScene(people, main).drill
    before = LedgerEvent.objects.count()
    answer = alice.post(reverse("ops:drill-add", args=[drill.pk, what]), typed)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert LedgerEvent.objects.count() == before


def test_a_file_that_lies_about_its_kind_is_refused_and_what_was_chosen_is_not_stored(alice, people, main):
    drill = ExerciseScene(people, main).drill
    page = SimpleUploadedFile("report.pdf", b"<script>alert(1)</script>", content_type="application/pdf")
    answer = alice.post(reverse("ops:drill-add", args=[drill.pk, "file"]), {"file": page})
    assert "not that of a pdf file" in text_of(answer)
    assert not drill.attachments.exists()


def test_a_file_is_a_download_that_no_browser_runs(bob, people, main):
    scene = ExerciseScene(people, main)
    answer = bob.get(reverse("ops:drill-file", args=[scene.drill.pk, scene.file.pk]))
    assert answer.content == b"# Minutes\n<b>hi</b>"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="minutes.md"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Content-Type"] == "text/markdown"
    assert LedgerEvent.objects.filter(type="drill.attachment_read", actor_ref=f"user:{people.bob.user.pk}").exists()
    other = automatic_drill(main)
    assert bob.get(reverse("ops:drill-file", args=[other.pk, scene.file.pk])).status_code == 404


def test_what_the_rules_refuse_is_not_offered(alice, people, log_in, main):
    drill = ExerciseScene(people, main).end()
    for client in (alice, log_in(people.dana)):
        assert "Sign it off" not in page(client, "ops:drill", drill.pk)
    assert "Add a line" not in page(alice, "ops:drill", drill.pk)
    answer = alice.get(reverse("ops:drill-add", args=[drill.pk, "note"]), follow=True)
    assert "This exercise is over." in text_of(answer)


def test_an_automatic_drill_is_a_report(bob, main):
    drill = automatic_drill(main)
    words = page(bob, "ops:drill", drill.pk)
    for said in (
        "Passed", "Every check passed.", "6.0 s", "41.0 s", "3 of 3 passed", "SELECT count(*) FROM doses", "4711",
        "a random moment inside Neon's history", "Removed", "Not signed off.", "Ordered at Neon", "Steps",
    ):  # fmt: skip
        assert said in words, said


def test_a_failed_drill_shows_first_what_failed(bob, main):
    drill = automatic_drill(main, outcome=DrillOutcome.FAILED, rto_milliseconds=1_000_000)
    words = page(bob, "ops:drill", drill.pk)
    assert "missed" in words
    assert words.index("Failed : Holds what the source held") < words.index("Passed : The copy can be connected to")
    assert words.index("Could not tell : No orphaned doses") < words.index("Passed : The copy can be connected to")


def test_what_was_not_measured_is_unknown(bob, main):
    drill = automatic_drill(main, outcome=DrillOutcome.INCONCLUSIVE, rto_milliseconds=None, rpo_milliseconds=None)
    words = page(bob, "ops:drill", drill.pk)
    assert words.count("not measured") == 2
    assert "Could not tell" in words


def test_a_running_drill_tells_where_it_is_and_refreshes_itself(bob, main):
    drill = automatic_drill(main, state=DrillState.RUNNING, outcome=None, ended_at=None, verified_at=None)
    answer = bob.get(reverse("ops:drill", args=[drill.pk]))
    assert 'http-equiv="refresh"' in answer.content.decode()
    assert f'data-live="/drills/{drill.pk}/live/"' in answer.content.decode()
    live = bob.get(reverse("ops:drill-live", args=[drill.pk]))
    assert (live.headers["X-Live-Mark"], live.headers["X-Live-Replace"]) == ("running", "yes")
    Drill.objects.filter(pk=drill.pk).update(state=DrillState.ENDED, outcome="passed", ended_at=database_now())
    assert bob.get(reverse("ops:drill-live", args=[drill.pk])).headers["X-Live-Mark"] == "ended"


def test_nothing_is_green_by_silence(bob, main):
    """The same page, nothing new in the database, only time passing."""
    words = page(bob, "ops:drills")
    assert "No drill plan" in words
    assert "Nothing has been proven yet." in words
    plan = plan_of(main, good_for_seconds=7 * 24 * 3600)
    assert "Never proven" in page(bob, "ops:drills")
    drill = automatic_drill(main, plan=plan)
    assert "Proven" in page(bob, "ops:drills")
    for days, said in ((6, "Proven"), (8, "Proof is fading"), (15, "Proof is worth nothing any more")):
        Drill.objects.filter(pk=drill.pk).update(ended_at=database_now() - dt.timedelta(days=days))
        assert said in page(bob, "ops:drills"), days
    Drill.objects.filter(pk=drill.pk).update(ended_at=database_now() - dt.timedelta(days=6))
    automatic_drill(main, plan=plan, outcome=DrillOutcome.FAILED)
    assert "In doubt" in page(bob, "ops:drills")
    Drill.objects.filter(pk=drill.pk).update(ended_at=database_now() - dt.timedelta(days=15))
    words = page(bob, "ops:drills")
    assert "Proof is worth nothing any more" in words
    assert "The newest one failed" in words


def test_the_calendar_shows_what_was_what_is_planned_and_when_a_proof_fades(bob, people, main):
    drill = automatic_drill(main, ended_ago=dt.timedelta(seconds=1))
    planned = ExerciseScene(people, main).drill
    fades = drill.ended_at + dt.timedelta(days=7)
    words = page(bob, "ops:drills", month=f"{fades:%Y-%m}")
    assert f"{fades:%H:%M} Proof fades" in words
    words = page(bob, "ops:drills", month=f"{planned.planned_for:%Y-%m}")
    assert f"{planned.planned_for:%H:%M} Planned {planned.reference}" in words
    for wrong in ("2026-13", "x", "0001-01", "9999-12"):
        assert bob.get(reverse("ops:drills"), {"month": wrong}).status_code == 200


def test_the_list_is_narrowed_and_paged_by_key(bob, people, main):
    for _ in range(27):
        automatic_drill(main)
    failed = automatic_drill(main, outcome=DrillOutcome.FAILED)
    by_hand = ExerciseScene(people, main).end(signed_by=people.bob)
    newest = bob.get(reverse("ops:drills"))
    assert len(newest.context["drills"]) == 25
    older = bob.get(reverse("ops:drills") + f"?{newest.context['older']}")
    assert len(older.context["drills"]) == 4
    narrowed = {"outcome": "failed", "kind": "by_hand", "signed": "yes", "type": "tabletop"}
    shown = {name: listed(bob, name, value) for name, value in narrowed.items()}
    assert shown == {"outcome": [failed.pk], "kind": [by_hand.pk], "signed": [by_hand.pk], "type": [by_hand.pk]}
    assert bob.get(reverse("ops:drills"), {"branch": "1' OR 1=1", "older_than": "x", "type": "<b>"}).status_code == 200


def listed(client, name: str, value: str) -> list[int]:
    return [row.drill.pk for row in client.get(reverse("ops:drills"), {name: value}).context["drills"]]


def test_the_pages_need_a_fixed_number_of_queries(bob, people, main, django_assert_max_num_queries):
    automatic_drill(main)
    scene = ExerciseScene(people, main)
    assert scene.file
    assert scene.action
    for _ in range(3):
        automatic_drill(main)
    with django_assert_max_num_queries(24):
        bob.get(reverse("ops:drills"))
    with django_assert_max_num_queries(24):
        bob.get(reverse("ops:drill", args=[scene.drill.pk]))


def test_an_action_is_finished_on_its_page(people, log_in, main):
    scene = ExerciseScene(people, main)
    erin = log_in(people.erin)
    address = reverse("ops:action", args=[scene.action.pk])
    assert "It is done" in text_of(erin.get(address))
    assert "It is done" not in text_of(log_in(people.dana).get(address))
    assert erin.post(address, {"act": "done", "proof": ""}).status_code == 422
    answer = erin.post(address, {"act": "done", "proof": "OPS-12"}, follow=True)
    assert "erin says so" in text_of(answer)
