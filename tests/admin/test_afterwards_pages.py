"""What is left after a restore, on its pages: pressed by people, refused beside the field, and never lost."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse

from backups.domain.afterwards import ApplicationSeen, PointCode, ReviewSection
from backups.models import ApiToken, Checklist, CorrectiveAction, RemovalRequest, RetrospectiveRecord, SafetyCopy
from backups.models import SafetySchedule as Schedule
from backups.selectors.clock import database_now
from backups.services.afterwards.observing import Seen, note_seen
from tests.admin.test_pages_show import text_of
from tests.support.afterwards import AfterwardsScene

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def scene(scenes) -> AfterwardsScene:
    return AfterwardsScene(scenes)


@pytest.fixture
def alice(people, log_in):
    return log_in(people.alice)


@pytest.fixture
def bob(people, log_in):
    return log_in(people.bob)


def moment(name: str, at: dt.datetime) -> dict[str, str]:
    utc = at.astimezone(dt.UTC)
    return {f"{name}_date": f"{utc:%Y-%m-%d}", f"{name}_time": f"{utc:%H:%M:%S}", f"{name}_zone": "UTC"}


def page(scene: AfterwardsScene, name: str = "afterwards") -> str:
    return reverse(f"ops:{name}", args=[scene.checklist.pk])


def test_the_list_says_what_is_open_and_what_the_portal_sees(scene, alice):
    words = text_of(alice.get(page(scene)))
    assert "Application reconnected" in words
    assert "Not looked at yet." in words
    assert "The schema went from care.0042_dose_windows to care.0041_reminders." in words
    assert "at least 37 doses given" in words
    note_seen(checklist_id=scene.checklist.pk, seen=Seen(ApplicationSeen({"api": 2}, health_asked=True), ""))
    words = text_of(alice.get(page(scene)))
    assert "2 sessions are open; there were 38 before. Its health address does not answer." in words
    assert "no answer" in words


def test_the_restores_own_page_leads_there(scene, alice):
    words = text_of(alice.get(reverse("ops:request", args=[scene.request.pk])))
    assert "Not rewound: payments" in words
    assert "Open the list" in words


def test_a_point_is_settled_with_one_press(scene, alice):
    point = scene.checklist.points.get(code=PointCode.WRITERS)
    where = reverse("ops:afterwards-point", args=[scene.checklist.pk, point.pk])
    answer = alice.post(where, {"state": "done"})
    assert (answer.status_code, answer.headers["Location"]) == (302, page(scene))
    point.refresh_from_db()
    assert point.changed_by_name == "alice"
    assert "alice says so" in text_of(alice.get(page(scene)))


def test_not_needed_without_a_reason_is_said_beside_the_field(scene, alice):
    point = scene.checklist.points.get(code=PointCode.OTHER_SYSTEM, subject="caches")
    where = reverse("ops:afterwards-point", args=[scene.checklist.pk, point.pk])
    answer = alice.post(where, {"state": "not_needed", "reason": ""})
    assert (answer.status_code, "Say why it is not needed" in text_of(answer)) == (422, True)
    assert alice.post(where, {"state": "not_needed", "reason": "We have none."}).status_code == 302
    assert "We have none." in text_of(alice.get(page(scene)))


def test_a_point_of_another_restore_is_not_found(scene, alice):
    point = scene.checklist.points.first()
    assert alice.get(reverse("ops:afterwards-point", args=[scene.checklist.pk + 1, point.pk])).status_code == 404


def test_keeping_the_state_before_is_decided(scene, alice, people):
    owner = {"owner": str(people.bob.user.pk)}
    wrong = alice.post(page(scene, "afterwards-keep"), owner | moment("until", database_now() - DAY))
    assert (wrong.status_code, "This time is over" in text_of(wrong)) == (422, True)
    right = alice.post(page(scene, "afterwards-keep"), owner | moment("until", database_now() + 3 * DAY))
    assert right.status_code == 302
    assert "bob answers for it" in text_of(alice.get(page(scene)))


def test_a_review_is_written_and_signed_by_another(scene, alice, bob):
    sections = {section.value: f"About {section.value}." for section in ReviewSection}
    half = alice.post(page(scene, "review-write"), {"root_cause": "A script."})
    assert half.status_code == 302
    assert "Some sections say nothing yet." in text_of(bob.get(page(scene, "review")))
    alice.post(page(scene, "review-write"), sections)
    assert "Sign this review" in text_of(bob.get(page(scene, "review")))
    assert "Sign this review" not in text_of(alice.get(page(scene, "review")))
    assert bob.post(page(scene, "review-sign")).status_code == 302
    words = text_of(bob.get(page(scene, "review")))
    assert "bob signed it" in words
    assert "About prevention." in words


def test_a_section_that_is_too_long_loses_nothing(scene, alice):
    answer = alice.post(page(scene, "review-write"), {"root_cause": "x" * 5001, "prevention": "Ask twice."})
    assert (answer.status_code, "Ask twice." in answer.content.decode()) == (422, True)


def test_an_action_is_given_out(scene, alice, people):
    body = {"title": "Ask twice", "owner": str(people.bob.user.pk), "due_on": "2020-01-01"}
    wrong = alice.post(page(scene, "afterwards-action"), body)
    assert (wrong.status_code, "This day is over" in text_of(wrong)) == (422, True)
    day = (database_now() + 10 * DAY).date().isoformat()
    assert alice.post(page(scene, "afterwards-action"), body | {"due_on": day}).status_code == 302
    action = CorrectiveAction.objects.get()
    assert "Ask twice" in text_of(alice.get(page(scene)))
    assert alice.get(reverse("ops:action", args=[action.pk])).status_code == 200


def test_a_deletion_wants_two(scene, alice, bob):
    where = reverse("ops:removal", args=[scene.removal.pk])
    words = text_of(alice.get(where))
    assert "somebody else must confirm it" in words
    assert "Confirm the deletion" not in words
    assert "Confirm the deletion" in text_of(bob.get(where))
    alice.post(where, {"answer": "confirm"})
    assert RemovalRequest.objects.get().confirmed_at is None
    bob.post(where, {"answer": "confirm"})
    assert RemovalRequest.objects.get().confirmed_by_name == "bob"
    assert "Agreed on" in text_of(bob.get(where))


def test_a_wish_is_made_and_dropped(scene, alice, bob):
    bob.post(reverse("ops:removal", args=[scene.removal.pk]), {"answer": "drop"})
    empty = alice.post(page(scene, "removal-state"), {"reason": " "})
    assert empty.status_code == 422
    made = alice.post(page(scene, "removal-state"), {"reason": "Nobody misses it."})
    removal = RemovalRequest.objects.latest("pk")
    assert made.headers["Location"] == reverse("ops:removal", args=[removal.pk])


def test_a_record_is_filed_and_signed(scene, alice, log_in, people):
    now = database_now()
    body = {"branch": str(scene.branch.pk), "kind": "in_place", "done_by_name": "Neon support", "why": "No portal.",
            "lost": "Nothing.", "done_by": "", "finding": ""} | moment("done_at", now - DAY)  # fmt: skip
    wrong = alice.post(reverse("ops:retrospective-new"), body | {"why": ""})
    assert (wrong.status_code, "Nothing." in wrong.content.decode()) == (422, True)
    filed = alice.post(reverse("ops:retrospective-new"), body)
    record = RetrospectiveRecord.objects.latest("pk")
    assert filed.headers["Location"] == reverse("ops:retrospective", args=[record.pk])
    assert "Only a manager can sign" in text_of(alice.get(filed.headers["Location"]))
    carol = log_in(people.carol)
    carol.post(reverse("ops:retrospective-decide", args=[record.pk]), {"answer": "sign"})
    words = text_of(carol.get(filed.headers["Location"]))
    assert "Signed by two people" in words
    assert "outside the portal" in words
    assert Checklist.objects.filter(record=record).exists()
    assert "outside the portal" in text_of(carol.get(reverse("ops:afterwards", args=[record.checklist.pk])))


def test_the_overview_names_what_waits(scene, alice):
    words = text_of(alice.get(reverse("ops:afterwards-list")))
    assert scene.checklist.reference in words
    assert scene.record.reference in words
    assert scene.kept.name in words


def test_the_pages_cost_a_fixed_number_of_queries(scene, alice, django_assert_max_num_queries):
    with django_assert_max_num_queries(26):
        alice.get(page(scene))
    with django_assert_max_num_queries(16):
        alice.get(page(scene, "review"))
    with django_assert_max_num_queries(16):
        alice.get(reverse("ops:safety-copies"))


def test_what_is_asked_about_is_set_up(scene, log_in, people):
    erin = log_in(people.erin)
    where = reverse("ops:afterwards-setup", args=[scene.branch.pk])
    assert "document store" in erin.get(where).content.decode()
    wrong = erin.post(where, {"systems": "fax", "health_url": "ftp://x"})
    assert (wrong.status_code, "Give a web address" in text_of(wrong)) == (422, True)
    assert erin.post(where, {"systems": "fax\nmail", "health_url": "https://api.example/healthz"}).status_code == 302
    scene.branch.project.refresh_from_db()
    assert scene.branch.project.other_systems == ["fax", "mail"]


# --- Safety copies and tokens -------------------------------------------------------------------------------------


def test_a_copy_is_asked_for_and_watched(scene, alice):
    body = {"branch": str(scene.branch.pk), "reason": "migration 0043", "kind": "", "keep_days": "3"}
    assert alice.post(reverse("ops:safety-copy-new"), body | {"reason": ""}).status_code == 422
    too_long = alice.post(reverse("ops:safety-copy-new"), body | {"keep_days": "31"})
    assert (too_long.status_code, "1 to 30 days" in text_of(too_long)) == (422, True)
    alice.post(reverse("ops:safety-copy-new"), body)
    copy = SafetyCopy.objects.latest("pk")
    words = text_of(alice.get(reverse("ops:safety-copy", args=[copy.pk])))
    assert "It is not there yet" in words
    assert "migration 0043" in words
    assert "Made" in text_of(alice.get(reverse("ops:safety-copy", args=[scene.copy.pk])))
    assert "S-" in text_of(alice.get(reverse("ops:safety-copies")))


def test_a_daily_copy_is_planned(scene, alice):
    where = reverse("ops:safety-schedule", args=[scene.branch.pk])
    assert alice.post(where, {"is_on": "on", "time": "25:00", "keep_days": "7", "kind": ""}).status_code == 422
    assert alice.post(where, {"is_on": "on", "time": "02:05", "keep_days": "7", "kind": ""}).status_code == 302
    schedule = Schedule.objects.get()
    assert (schedule.hour, schedule.minute, schedule.keep_days, schedule.is_on) == (2, 5, 7, True)
    assert "02:05" in text_of(alice.get(reverse("ops:safety-copies")))


def test_a_token_is_shown_once(scene, log_in, people):
    erin = log_in(people.erin)
    body = {"label": "pipeline two", "scopes": ["safety_copy"], "project": "", "days": "30"}
    assert erin.post(reverse("ops:token-new"), body | {"scopes": []}).status_code == 422
    answer = erin.post(reverse("ops:token-new"), body)
    token = ApiToken.objects.latest("pk")
    assert f"ccops_{token.prefix}_" in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    listed = erin.get(reverse("ops:tokens")).content.decode()
    assert f"ccops_{token.prefix}_…" in listed
    assert scene.secret not in listed
    erin.post(reverse("ops:token-revoke", args=[token.pk]))
    assert "Off since" in text_of(erin.get(reverse("ops:tokens")))


def test_a_page_of_what_is_not_there_is_not_found(scene, alice):
    for name in ("afterwards", "review", "removal", "retrospective", "safety-copy", "safety-schedule"):
        assert alice.get(reverse(f"ops:{name}", args=[987654])).status_code == 404, name
