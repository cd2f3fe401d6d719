"""Every page answers for every state, says what people need, and costs a fixed number of queries."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.urls import reverse

from backups.domain.restore import RequestState
from backups.models import DecisionPacket, Drill, LookState, RequestOpened, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.restore_page import observed_of
from tests.support.drills import automatic_drill
from tests.support.scenes import observed

pytestmark = pytest.mark.django_db

#: Scene -> the state that its request is in.
STATES = {
    "draft": "draft", "preparing": "preparing", "pending": "pending", "half_approved": "pending",
    "approved": "approved", "copy_pending": "pending", "snapshot_pending": "pending",
    "snapshot_completed": "completed", "started": "approved", "waiting": "approved", "running": "running",
    "completed": "completed", "undo_pending": "pending", "unverified": "needs_attention",
    "unknown_effect": "needs_attention", "proposed": "needs_attention", "rejected": "rejected",
    "withdrawn": "withdrawn", "expired": "expired", "failed": "failed",
}  # fmt: skip


def text_of(answer) -> str:
    """The words of a page as they are read, without markup."""
    html = re.sub(r"<(script|style|head).*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("&#x27;", "'").replace("\u2019", "'")


def show(client, request: RestoreRequest) -> str:
    answer = client.get(reverse("ops:request", args=[request.pk]))
    assert answer.status_code == 200
    return text_of(answer)


@pytest.mark.parametrize("state", STATES)
def test_the_request_page_answers_in_every_state(people, scenes, log_in, state):
    request = getattr(scenes, state)()
    assert request.state == STATES[state]
    for who in (people.alice, people.bob, people.dana, people.erin):
        assert request.reference in show(log_in(who), request)


def test_every_state_of_a_request_is_shown_by_one_of_these():
    assert set(STATES.values()) == {state.value for state in RequestState}


def test_the_first_things_are_what_when_loss_who_and_how_long(people, scenes, log_in):
    words = show(log_in(people.bob), scenes.pending())
    assert "Take ALL of production back 50 min?" in words
    assert re.search(r"to (\d+ \w{3} )?\d\d:\d\d:\d\d", words)  # with its date just after midnight
    assert "At least 1,377 new rows, 4 tables; 1 table unknown" in words
    assert "Alice asks" in words
    assert re.search(r"3 h 59 min left|4 h left", words)
    assert "you can decide" in words


def test_patient_safety_comes_first_and_says_so(people, scenes, log_in):
    answer = log_in(people.bob).get(reverse("ops:request", args=[scenes.pending().pk]))
    html = answer.content.decode()
    assert html.index("doses given") < html.index("appointments")
    assert 'aria-label="Touches patient safety:"' in html


def test_unknown_is_never_nothing_zero_or_good(people, scenes, log_in):
    nothing = {"as_of": "2026-11-22T02:00:00+00:00", "tables": [], "rehearsal": {
        "outcome": None, "checks": [], "ready_seconds": None, "checked_seconds": None,
    }, "sessions": {"count": None, "by_application": {}}, "root_branches": {"used": None, "cap": None},
        "unknown": [{"what": "tables now", "why": "preview timed out after 20 s"}]}  # fmt: skip
    words = show(log_in(people.bob), scenes.pending(**nothing))
    assert "Unknown: preview timed out after 20 s" in words
    assert "unknown, not run" in words
    assert "open sessions unknown" in words
    assert "No new row was found" not in words
    assert "0 sessions" not in words


def test_a_packet_that_lacks_facts_shows_them_as_unknown(people, scenes):
    request = scenes.pending()
    packet = DecisionPacket(observed={"as_of": "2026-11-22T02:00:00+00:00", "tables": observed()["tables"]})
    facts = observed_of(packet, request.created_at)
    assert facts["sessions"]["count"] is None
    assert facts["rehearsal"]["outcome"] is None


def test_a_failed_and_an_unclear_check_are_named_as_such(people, scenes, log_in):
    words = show(log_in(people.alice), scenes.unverified())
    assert "The restore ran, but we can't call it good" in words
    assert "2 passed, 1 failed, 1 could not tell" in words
    assert "Nothing else will happen by itself" in words


def test_an_unknown_effect_says_how_to_find_out(people, scenes, log_in):
    request = scenes.unknown_effect()
    words = show(log_in(people.bob), request)
    assert "We don't know whether Neon carried it out" in words
    assert "was not sent again, and will not be" in words
    assert request.preserve_name in words


def test_the_stage_that_nobody_can_vouch_for_has_no_tick(people, scenes, log_in):
    client = log_in(people.bob)
    for state, stopped in (("unknown_effect", "Restore"), ("unverified", "Verified")):
        html = client.get(reverse("ops:request", args=[getattr(scenes, state)().pk])).content.decode()
        assert re.search(rf'<li class="is-stopped">(?:(?!</li>).)*{stopped}</li>', html, re.DOTALL), state


def test_an_expired_request_says_that_nothing_was_changed_and_offers_to_file_again(people, scenes, log_in):
    request = scenes.expired()
    words = show(log_in(people.alice), request)
    assert "Nothing was changed" in words
    assert "The point can still be restored until" in words
    answer = log_in(people.alice).get(reverse("ops:file"), {"like": request.pk})
    assert 'value="INC-881"' in answer.content.decode()


def test_an_undo_says_what_it_undoes_and_that_one_vote_is_enough_soon_after(people, scenes, log_in):
    request = scenes.undo_pending()
    words = show(log_in(people.bob), request)
    assert f"Undo {request.undo_of.reference}: take production back to before it?" in words
    assert f"to what {request.undo_of.preserve_name} holds" in words
    assert "0 of 1" in words


def test_a_running_request_shows_its_steps_and_refreshes_without_script(people, scenes, log_in):
    client, request = log_in(people.alice), scenes.running()
    answer = client.get(reverse("ops:request", args=[request.pk]))
    assert '<noscript><meta http-equiv="refresh"' in answer.content.decode()
    words = text_of(answer)
    assert "Order given to Neon" in words
    assert "This can't be stopped: Neon has, or may have, accepted the order." in words


def test_a_page_with_an_open_form_never_refreshes_itself(people, scenes, log_in):
    for request in (scenes.pending(), scenes.approved(), scenes.draft(), scenes.unverified()):
        html = log_in(people.bob).get(reverse("ops:request", args=[request.pk])).content.decode()
        assert "http-equiv" not in html
    moving = log_in(people.bob).get(reverse("ops:request", args=[scenes.running().pk])).content.decode()
    assert "<textarea" not in moving


def test_a_waiting_start_names_what_it_waits_for(people, scenes, log_in):
    words = show(log_in(people.alice), scenes.waiting())
    assert "Not started. Neon is busy with another operation of this project" in words
    assert "The approvals stay valid until" in words


def test_the_moving_part_has_a_mark_that_changes_with_the_state(people, scenes, log_in):
    client, request = log_in(people.alice), scenes.started()
    live = reverse("ops:live", args=[request.pk])
    first = client.get(live)
    assert first.headers["X-Live-Replace"] == "yes"
    RestoreRequest.objects.filter(pk=request.pk).update(state="rejected")
    assert client.get(live).headers["X-Live-Mark"] != first.headers["X-Live-Mark"]


def test_the_sandbox_is_said_to_be_not_real(people, scenes, log_in):
    scenes.project.is_sandbox = True
    scenes.project.save()
    assert "SANDBOX - not real" in show(log_in(people.bob), scenes.pending())


def test_others_see_that_an_approver_opened_the_page(people, scenes, log_in):
    request = scenes.pending()
    show(log_in(people.alice), request)
    assert not RequestOpened.objects.filter(request=request).exists()
    show(log_in(people.bob), request)
    show(log_in(people.bob), request)
    assert [seen.person for seen in RequestOpened.objects.filter(request=request)] == [people.bob.user]


def test_what_was_counted_again_stands_beside_what_was_voted_on(people, scenes, log_in):
    request = scenes.pending()
    later = observed(as_of=(request.packet.built_at + dt.timedelta(seconds=30)).isoformat())
    later["tables"][0] |= {"lost_at_least": 62}
    RestoreRequest.objects.filter(pk=request.pk).update(observed_now=later)
    words = show(log_in(people.bob), request)
    assert "At least 1,377 new rows, 4 tables; 1 table unknown" in words
    assert re.search(r"Counted again .*: at least 1,402 new rows", words)


def test_opening_the_page_has_the_worker_count_again_but_not_at_every_load(people, scenes, log_in):
    request, bob = scenes.pending(), log_in(people.bob)
    show(bob, request)
    asked = RestoreRequest.objects.get(pk=request.pk).observed_now_asked_at
    show(bob, request)
    assert asked is not None
    assert RestoreRequest.objects.get(pk=request.pk).observed_now_asked_at == asked


@pytest.mark.parametrize("state", list(LookState))
def test_a_look_answers_in_every_state(people, scenes, log_in, state):
    look = scenes.look(state)
    words = text_of(log_in(people.alice).get(reverse("ops:look", args=[look.pk])))
    assert str(look) in words
    if state == LookState.READY:
        assert "310,455" in words
        assert "the count took longer than 3 s" in words


def test_times_are_in_the_readers_zone_and_in_utc(people, scenes, log_in):
    request = scenes.pending()
    client = log_in(people.bob)
    client.cookies["zone"] = "Asia/Kolkata"
    words = show(client, request)
    assert "Kolkata" in words
    assert f"{request.point_at:%H:%M:%S} UTC" in words


def test_a_made_up_zone_in_the_cookie_is_ignored(people, log_in):
    client = log_in(people.bob)
    client.cookies["zone"] = "../../etc/passwd"
    assert "Times in UTC" in text_of(client.get("/"))


def test_colours_and_zone_are_kept_without_script(people, log_in):
    client = log_in(people.bob)
    answer = client.post(reverse("ops:display"), {"theme": "dark", "zone": "Europe/Berlin", "back": "/restores/"})
    assert answer.headers["Location"] == "/restores/"
    assert 'data-theme="dark"' in client.get("/restores/").content.decode()
    elsewhere = client.post(reverse("ops:display"), {"theme": "light", "back": "https://evil.example/"})
    assert elsewhere.headers["Location"] == "/"


@pytest.mark.parametrize("who", ["alice", "bob", "dana", "erin"])
def test_the_start_page_shows_unknown_as_unknown(people, scenes, log_in, who):
    scenes.pending()
    words = text_of(log_in(getattr(people, who)).get("/"))
    assert "Can we recover?" in words
    assert "Not proven by a verified restore" in words
    assert "No drill plan" in words
    assert "the monitor has never looked" in words
    assert "Changes at Neon outside the portal: not watched" in words


def test_a_proof_decays_on_the_start_and_project_pages_by_itself(people, scenes, log_in):
    """Nothing changes in the database but the age of the one drill that passed."""
    main = scenes.staging_ready()
    drill = automatic_drill(main)
    bob, project = log_in(people.bob), reverse("ops:project", args=[scenes.project.pk])
    for days, said in ((1, "Proven"), (8, "Proof is fading"), (15, "Proof is worth nothing any more")):
        Drill.objects.filter(pk=drill.pk).update(ended_at=database_now() - dt.timedelta(days=days))
        for address in ("/", project):
            assert said in text_of(bob.get(address)), (days, address)
        shown = bob.get("/").context["recoveries"]
        item = next(each.item for each in shown if each.item.branch == main)
        assert item.is_proven is (days == 1)


def test_the_request_page_names_the_newest_drill(people, scenes, log_in):
    pending = scenes.pending()
    bob, address = log_in(people.bob), reverse("ops:request", args=[pending.pk])
    assert "none is recorded" in text_of(bob.get(address))
    drill = automatic_drill(pending.branch, outcome="failed")
    assert f"{drill.reference} Failed 5 min ago , recovered in 6.0 s" in text_of(bob.get(address))


def test_the_start_page_does_not_believe_an_old_answer_of_neon(people, scenes, log_in):
    scenes.draft()
    scenes.project.connected_at = None
    scenes.project.save()
    words = text_of(log_in(people.erin).get("/"))
    assert "Unknown : Neon was never asked" in words


def test_the_queue_puts_first_what_waits_for_the_reader(people, scenes, log_in):
    pending, approved = scenes.pending(), scenes.approved()
    for who, first in ((people.bob, pending), (people.alice, approved)):
        answer = log_in(who).get(reverse("ops:queue"))
        assert [row.request for row in answer.context["yours"]] == [first]
    assert [row.request for row in log_in(people.dana).get(reverse("ops:queue")).context["yours"]] == []


def test_a_draft_is_listed_for_its_writer_only(people, scenes, log_in):
    draft = scenes.draft()
    assert draft.reference in text_of(log_in(people.alice).get(reverse("ops:queue")))
    assert draft.reference not in text_of(log_in(people.bob).get(reverse("ops:queue")))


def test_lists_cost_the_same_whatever_their_length(people, scenes, log_in, django_assert_num_queries):
    client = log_in(people.bob)
    scenes.pending()
    for url, most in (("/", 37), ("/restores/", 8)):
        with django_assert_num_queries(most, exact=False) as few:
            client.get(url)
        scenes.pending()
        scenes.approved()
        with django_assert_num_queries(len(few.captured_queries)):
            client.get(url)


@pytest.mark.parametrize("state", ["pending", "running", "preparing"])
def test_what_open_pages_ask_for_all_the_time_is_cheap(people, scenes, log_in, django_assert_max_num_queries, state):
    client, request = log_in(people.bob), getattr(scenes, state)()
    page = client.get(reverse("ops:request", args=[request.pk])).content.decode()
    with django_assert_max_num_queries(15):
        answer = client.get(reverse("ops:live", args=[request.pk]))
    assert f'data-live-mark="{answer.headers["X-Live-Mark"]}"' in page


@pytest.mark.parametrize(("state", "most"), [("pending", 35), ("running", 39), ("completed", 37)])
def test_the_request_page_costs_a_fixed_number_of_queries(
    people, scenes, log_in, django_assert_max_num_queries, state, most
):
    client, request = log_in(people.bob), getattr(scenes, state)()
    url = reverse("ops:request", args=[request.pk])
    client.get(url)
    with django_assert_max_num_queries(most):
        client.get(url)
