"""Filing through the page: what is typed is kept, what is wrong is said beside its field, and nothing is saved then."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse

from backups.domain.people import Role
from backups.domain.restore import PointKind, RequestState, RestoreKind, StartMode
from backups.models import LedgerEvent, RestoreRequest
from backups.selectors.clock import database_now
from tests.admin.test_pages_show import text_of
from tests.factories import branch as make_branch
from tests.factories import person

pytestmark = pytest.mark.django_db
NEW = "/restores/new/"
WRITTEN = "Rows are gone since the clean-up script ran"


@pytest.fixture
def branch(scenes):
    return make_branch(scenes.project)


@pytest.fixture
def alice(people, log_in):
    return log_in(people.alice)


def moment(name: str, at: dt.datetime, zone: str = "UTC") -> dict[str, str]:
    return {f"{name}_date": f"{at:%Y-%m-%d}", f"{name}_time": f"{at:%H:%M:%S}", f"{name}_zone": zone}


def typed(branch, **changes: Any) -> dict[str, Any]:
    form = {
        "scenario": "accidental_deletion",
        "ticket": "INC-9",
        "urgency": "urgent",
        "branch": str(branch.pk),
        "point_kind": "timestamp",
        **moment("point", database_now() - dt.timedelta(minutes=30)),
        "kind": "in_place",
        "copy_days": "7",
        "writers_stopped": "before_start",
        "start_mode": "by_hand",
        "reason": WRITTEN,
    }
    return form | changes


def test_what_is_filed_becomes_a_draft_that_is_previewed_before_anybody_is_told(alice, branch):
    answer = alice.post(NEW, typed(branch), follow=True)
    request = RestoreRequest.objects.get()
    assert answer.redirect_chain == [(reverse("ops:request", args=[request.pk]), 302)]
    words = text_of(answer)
    assert "This is a draft: nobody has been told" in words
    assert "Submit: tells Bob, Carol" in words
    assert "Take ALL of production back 30 min?" in words


def test_submitting_the_draft_hands_it_to_the_worker(alice, branch):
    alice.post(NEW, typed(branch))
    request = RestoreRequest.objects.get()
    alice.post(reverse("ops:submit", args=[request.pk]))
    request.refresh_from_db()
    assert request.state == RequestState.PREPARING


def test_a_time_is_meant_in_the_zone_chosen_beside_it(alice, branch):
    local = dt.datetime(2026, 1, 10, 9, 30, tzinfo=dt.UTC)
    branch.project.history_retention_seconds = None
    branch.project.save()
    alice.post(NEW, typed(branch, **moment("point", local, "America/New_York")))
    request = RestoreRequest.objects.get()
    assert request.point_at == dt.datetime(2026, 1, 10, 14, 30, tzinfo=dt.UTC)
    assert request.point_entered_as == "2026-01-10 09:30:00 America/New_York"


def minutes_from_now(minutes: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)


WRONG = {
    "no zone": (lambda: {"point_zone": ""}, "Choose the zone that this time is meant in"),
    "an unknown zone": (lambda: {"point_zone": "Europe/Berln"}, "This zone is not known here"),
    "a zone inside the time": (lambda: {"point_time": "10:00:00Z"}, "Write the time without a zone"),
    "a time without a date": (lambda: {"point_date": ""}, "Give both a date and a time"),
    "no time at all": (lambda: {"point_date": "", "point_time": ""}, "Say when the data were last good"),
    "not a date": (lambda: {"point_date": "22/11/2026"}, "Write the date as 2026-11-22"),
    "skipped by the clocks": (
        lambda: {"point_date": "2026-03-29", "point_time": "02:30:00", "point_zone": "Europe/Berlin"},
        "skipped this time",
    ),
    "shown twice by the clocks": (
        lambda: {"point_date": "2026-10-25", "point_time": "02:30:00", "point_zone": "Europe/Berlin"},
        "showed this time twice",
    ),
    "in the future": (lambda: moment("point", minutes_from_now(5)), "in the future"),
    "before the window": (lambda: moment("point", minutes_from_now(-8 * 24 * 60)), "Neon can go back only to"),
    "a malformed position": (lambda: {"point_kind": "lsn", "point_lsn": "16/ZZ"}, "looks like 0/1E19478"),
    "no position": (lambda: {"point_kind": "lsn", "point_lsn": ""}, "looks like 0/1E19478"),
    "no branch": (lambda: {"branch": ""}, "Choose the branch"),
    "an unknown branch": (lambda: {"branch": "987654"}, "Select a valid choice"),
    "no reason": (lambda: {"reason": "   "}, "Say why"),
    "no scenario": (lambda: {"scenario": ""}, "Say what happened"),
    "noticed in the future": (lambda: moment("noticed", minutes_from_now(5)), "This time is in the future"),
    "began after it was noticed": (
        lambda: moment("noticed", minutes_from_now(-20)) | moment("began", minutes_from_now(-10)),
        "begun after it was noticed",
    ),
    "not a link": (lambda: {"thread_url": "call me"}, "This is not a link"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_gets_a_sentence_and_changes_nothing(alice, branch, wrong):
    change, sentence = WRONG[wrong]
    events = LedgerEvent.objects.exclude(type__startswith="access.").count()
    answer = alice.post(NEW, typed(branch) | change())
    words = text_of(answer)
    assert answer.status_code == 422
    assert sentence in words
    assert "what you typed is kept" in words
    if wrong != "no reason":
        assert WRITTEN in words
    assert not RestoreRequest.objects.exists()
    assert LedgerEvent.objects.exclude(type__startswith="access.").count() == events


def test_the_sentence_stands_beside_the_field_that_it_is_about(alice, branch):
    html = alice.post(NEW, typed(branch) | moment("point", minutes_from_now(5))).content.decode()
    place = html.index('name="point_zone"')
    assert place < html.index("in the future") < html.index('name="point_lsn"')
    assert 'aria-invalid="true"' in html


def test_a_child_branch_is_refused_beside_the_field(alice, scenes):
    child = make_branch(scenes.project, is_root=False, name="pr-311", neon_branch_id="br-child-1")
    answer = alice.post(NEW, typed(child))
    assert "This is a child branch" in text_of(answer)
    assert not RestoreRequest.objects.exists()


def test_a_secret_in_the_reason_is_refused_and_not_kept(alice, branch):
    answer = alice.post(NEW, typed(branch, reason="password is postgres://u:hunter2secret@host/db"))
    assert answer.status_code == 422
    assert "A connection string with a password: line 1" in text_of(answer)
    assert not RestoreRequest.objects.exists()


def test_the_form_says_who_can_vote_and_warns_when_the_rule_cannot_be_met(people, alice, branch):
    assert "Bob, Carol can vote now." in text_of(alice.get(NEW))
    people.carol.user.groups.clear()
    assert "Bob can vote now, so replacing production can't be approved at present." in text_of(alice.get(NEW))


def test_nothing_defaults_to_overwriting(alice):
    html = alice.get(NEW).content.decode()
    assert "checked" in html.split('value="new_branch"')[1].split(">")[0]
    assert "checked" not in html.split('value="in_place"')[1].split(">")[0]


def test_filing_goes_on_from_a_look_with_its_moment(alice, scenes):
    look = scenes.look()
    html = alice.get(NEW, {"look": look.pk}).content.decode()
    assert f'value="{look.point_at:%H:%M:%S}"' in html
    assert f'<option value="{look.branch_id}" selected>' in html


def test_a_log_position_can_be_the_point(alice, branch):
    alice.post(NEW, typed(branch, point_kind="lsn", point_lsn="0/1e19478"))
    request = RestoreRequest.objects.get()
    assert (request.point_kind, request.point_lsn, request.point_at) == (PointKind.LSN, "0/1E19478", None)


def test_a_copy_carries_the_day_of_its_end(alice, branch):
    alice.post(NEW, typed(branch, kind="new_branch", copy_days="3"))
    left = RestoreRequest.objects.get().copy_expires_at - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=2, hours=23) < left < dt.timedelta(days=3, minutes=1)


def test_a_pending_request_can_be_changed_and_gathers_its_facts_again(alice, scenes):
    request = scenes.half_approved()
    edit = reverse("ops:edit", args=[request.pk])
    page = alice.get(edit).content.decode()
    assert "Votes that were given lapse" in page
    assert request.branch.name in page
    assert 'value="INC-881"' in page
    answer = alice.post(edit, typed(request.branch, reason="An hour earlier is better"))
    request.refresh_from_db()
    assert answer.status_code == 302
    assert (request.state, request.revision) == (RequestState.PREPARING, 2)
    assert str(request.reason) == "An hour earlier is better"


def test_only_the_requester_changes_a_request(people, scenes, log_in):
    request = scenes.pending()
    other = person("adam", Role.ENGINEER)
    answer = log_in(other).get(reverse("ops:edit", args=[request.pk]), follow=True)
    assert "Only the requester can change it." in text_of(answer)


def test_the_undo_is_filled_in_from_the_restore(alice, scenes):
    restore = scenes.completed()
    undo = reverse("ops:undo", args=[restore.pk])
    assert restore.preserve_name in text_of(alice.get(undo))
    refused = alice.post(undo, {"reason": " ", "start_mode": "by_hand"})
    assert refused.status_code == 422
    assert "Say why it is taken back" in text_of(refused)
    alice.post(undo, {"reason": "The deletion was wanted", "start_mode": "at_once"})
    undoing = RestoreRequest.objects.get(undo_of=restore)
    assert (undoing.kind, undoing.ticket, undoing.start_mode) == (RestoreKind.UNDO, "INC-881", StartMode.AT_ONCE)
    assert text_of(alice.get(reverse("ops:request", args=[undoing.pk]))).count(f"Undo {restore.reference}")


def test_the_draft_of_an_undo_can_be_changed_but_not_its_aim(alice, scenes):
    restore = scenes.completed()
    alice.post(reverse("ops:undo", args=[restore.pk]), {"reason": "The deletion was wanted", "start_mode": "at_once"})
    undoing = RestoreRequest.objects.get(undo_of=restore)
    edit = reverse("ops:edit", args=[undoing.pk])
    assert "is fixed by the restore that it takes back" in text_of(alice.get(edit))
    alice.post(edit, typed(restore.branch, kind="new_branch", reason="It was wanted after all"))
    undoing.refresh_from_db()
    assert (undoing.kind, undoing.point_kind) == (RestoreKind.UNDO, PointKind.HEAD)
    assert str(undoing.reason) == "It was wanted after all"


def test_withdrawing_asks_first(alice, scenes):
    request = scenes.pending()
    url = reverse("ops:withdraw", args=[request.pk])
    assert "Nothing is changed at Neon" in text_of(alice.get(url))
    alice.post(url, {"reason": "Found a backup"})
    request.refresh_from_db()
    assert request.state == RequestState.WITHDRAWN
