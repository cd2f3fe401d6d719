"""Voting, asking, starting, looking again, closing: each act through its page."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from backups.domain.people import Role
from backups.domain.policy import Environment
from backups.domain.restore import RequestState
from backups.models import Comment, EnvironmentProposal, Look, LookState, Resolution, Vote
from tests.admin.test_filing import minutes_from_now, moment
from tests.admin.test_pages_show import text_of
from tests.factories import person

pytestmark = pytest.mark.django_db


def url(name, request, *more):
    return reverse(f"ops:{name}", args=[request.pk, *more])


def ballot(request, **changes):
    return {"digest": request.packet.digest, "choice": "approve", "reason": "Right point"} | changes


def test_the_sheet_names_what_is_approved_and_what_follows(people, scenes, log_in):
    request = scenes.pending()
    answer = log_in(people.bob).get(url("vote", request))
    words = text_of(answer)
    assert "Approve R-" in words
    assert "Take ALL of production back 50 min" in words
    assert request.preserve_name in words
    assert "After your vote nothing starts yet: 1 more approval is needed." in words
    assert f'value="{request.packet.digest}"' in answer.content.decode()


def test_reject_and_approve_are_not_side_by_side(people, scenes, log_in):
    html = log_in(people.bob).get(url("request", scenes.pending())).content.decode()
    bar = html[html.index('class="decide-bar"') :]
    order = [bar.index(word) for word in (">Reject<", ">Ask<", ">Approve…<")]
    assert order == sorted(order)


def test_a_vote_is_recorded_with_taps_and_words(people, scenes, log_in):
    request = scenes.pending()
    answer = log_in(people.bob).post(url("vote", request), ballot(request, chips=["loss", "time"]), follow=True)
    vote = Vote.objects.get()
    assert (vote.voter, vote.choice) == (people.bob.user, "approve")
    assert str(vote.reason) == "Checked what is lost; Checked the time; Right point"
    words = text_of(answer)
    assert "Your approval is recorded." in words
    assert "Take my vote back" in words


def test_a_tap_alone_is_a_reason_and_nothing_at_all_is_none(people, scenes, log_in):
    request, bob = scenes.pending(), log_in(people.bob)
    refused = bob.post(url("vote", request), ballot(request, reason=" "))
    assert refused.status_code == 422
    assert "Say why, or tap what you checked" in text_of(refused)
    assert not Vote.objects.exists()
    bob.post(url("vote", request), ballot(request, reason="", chips=["spoke"]))
    assert str(Vote.objects.get().reason) == "Spoke to the requester"


def test_a_refused_vote_keeps_what_was_typed(people, scenes, log_in):
    request = scenes.pending()
    secret = "napi_" + "x" * 20
    answer = log_in(people.bob).post(url("vote", request), ballot(request, reason=f"see {secret}", chips=["time"]))
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "What you typed holds a key or a password" in html
    assert secret not in html
    assert '<input type="hidden" name="chips" value="time">' in html
    assert not Vote.objects.exists()


def test_a_vote_on_other_facts_is_not_counted(people, scenes, log_in):
    request = scenes.pending()
    stale = ballot(request, digest="sha256:" + "0" * 64)
    answer = log_in(people.bob).post(url("vote", request), stale, follow=True)
    assert "The facts changed while you were reading. Nothing was recorded" in text_of(answer)
    assert not Vote.objects.exists()


def test_nobody_votes_on_his_own_request(people, scenes, log_in):
    both = person("ravi", Role.ENGINEER, Role.MANAGER)
    scenes.people.__dict__["alice"] = both
    request = scenes.pending()
    client = log_in(both)
    assert "Approve…" not in text_of(client.get(url("request", request)))
    for answer in (
        client.get(url("vote", request), follow=True),
        client.post(url("vote", request), ballot(request), follow=True),
    ):
        assert "You asked for this restore, so somebody else must decide." in text_of(answer)
    assert not Vote.objects.exists()


def test_two_approvals_approve_and_say_who_starts(people, scenes, log_in):
    request = scenes.half_approved()
    sheet = text_of(log_in(people.bob).get(url("vote", request)))
    assert "Yours is the last approval. Nothing starts yet" in sheet
    words = text_of(log_in(people.bob).post(url("vote", request), ballot(request), follow=True))
    assert "2 of 2: approved" in words
    assert "or another engineer presses Start" in words


def test_a_rejection_ends_the_request(people, scenes, log_in):
    request = scenes.pending()
    log_in(people.bob).post(url("vote", request), ballot(request, choice="reject", reason="A copy is enough"))
    request.refresh_from_db()
    assert request.state == RequestState.REJECTED


def test_a_person_can_leave_it_to_the_others_and_take_the_vote_back(people, scenes, log_in):
    request, bob = scenes.pending(), log_in(people.bob)
    bob.post(url("vote", request), ballot(request, choice="pass"))
    assert Vote.objects.get().choice == "pass"
    bob.post(url("take-back", request))
    assert Vote.objects.get().taken_back_at is not None
    assert "Approve…" in text_of(bob.get(url("request", request)))


def test_a_question_is_asked_and_shown(people, scenes, log_in):
    request, bob = scenes.pending(), log_in(people.bob)
    answer = bob.post(url("comment", request), {"text": "Are the jobs stopped too?", "question": "yes"}, follow=True)
    assert "Are the jobs stopped too?" in text_of(answer)
    assert Comment.objects.latest("pk").is_question
    empty = bob.post(url("comment", request), {"text": "  "})
    assert empty.status_code == 422
    assert "Write something first" in text_of(empty)


def test_words_of_people_are_never_markup(people, scenes, log_in):
    request, bob = scenes.pending(), log_in(people.bob)
    html = bob.post(url("comment", request), {"text": "<script>alert(1)</script>"}, follow=True).content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def _minutes(answer) -> str:
    found = re.search(r'data-minutes="(\d+)"', answer.content.decode())
    assert found
    return found.group(1)


def test_starting_asks_for_the_writers_and_the_minutes(people, scenes, log_in):
    request, alice = scenes.approved(), log_in(people.alice)
    sheet = alice.get(url("start-restore", request))
    minutes = _minutes(sheet)
    for typed, sentence in (
        ({"minutes": minutes}, "Say whether the applications still write."),
        ({"writers_stopped": "yes", "minutes": ""}, "Type how many minutes of data are thrown away."),
        ({"writers_stopped": "yes", "minutes": "7"}, "minutes are thrown away, not 7. Nothing was started."),
        ({"writers_stopped": "yes", "minutes": "a lot"}, "Type the minutes as a whole number."),
    ):
        refused = alice.post(url("start-restore", request), typed)
        assert refused.status_code == 422
        assert sentence in text_of(refused)
    request.refresh_from_db()
    assert request.start_asked_at is None
    alice.post(url("start-restore", request), {"writers_stopped": "yes", "minutes": minutes})
    request.refresh_from_db()
    assert request.start_asked_by == people.alice.user
    assert request.discarded_minutes_confirmed == int(minutes)


def test_what_is_not_approved_cannot_be_started(people, scenes, log_in):
    answer = log_in(people.alice).get(url("start-restore", scenes.pending()), follow=True)
    assert "Only an approved request can be started." in text_of(answer)


def test_what_neon_accepted_cannot_be_stopped(people, scenes, log_in):
    answer = log_in(people.alice).post(url("stop", scenes.running()), follow=True)
    assert "This can't be stopped" in text_of(answer)


def test_closing_an_unclear_restore_takes_two_people(people, scenes, log_in):
    request = scenes.unverified()
    alice, bob = log_in(people.alice), log_in(people.bob)
    propose = url("resolve", request, "accept")
    assert "A second person must confirm it." in text_of(alice.get(propose))
    assert alice.post(propose, {"reason": ""}).status_code == 422
    alice.post(propose, {"reason": "The two rows are test data"})
    assert Resolution.objects.get().proposed_by == people.alice.user
    own = alice.get(url("confirm", request), follow=True)
    assert "You proposed this, so somebody else must confirm it." in text_of(own)
    assert "The two rows are test data" in text_of(bob.get(url("confirm", request)))
    bob.post(url("confirm", request))
    request.refresh_from_db()
    assert request.state == RequestState.COMPLETED
    assert "Accepted as it is" in text_of(alice.get(url("request", request)))


def test_a_known_effect_cannot_be_closed_as_not_having_run(people, scenes, log_in):
    answer = log_in(people.alice).get(url("resolve", scenes.unverified(), "disprove"), follow=True)
    assert "Neon carried it out" in text_of(answer)


def test_an_unknown_effect_offers_to_look_again_and_both_ways_out(people, scenes, log_in):
    request, bob = scenes.unknown_effect(), log_in(people.bob)
    words = text_of(bob.get(url("request", request)))
    for button in ("Look again", "I saw that it ran…", "I saw that it did not run…"):
        assert button in words
    assert "Verify again" not in words
    answer = bob.post(url("look-again", request), follow=True)
    assert "Nothing is sent again." in text_of(answer)


def test_a_proposal_can_be_dropped(people, scenes, log_in):
    request = scenes.proposed()
    log_in(people.bob).post(url("drop-proposal", request))
    assert Resolution.objects.get().dropped_at is not None


def test_a_look_is_asked_for_without_a_request(people, scenes, log_in):
    branch = scenes.staging_ready()
    bob = log_in(people.bob)
    refused = bob.post(reverse("ops:look-new"), {"branch": branch.pk, **moment("point", minutes_from_now(5))})
    assert "in the future" in text_of(refused)
    assert not Look.objects.exists()
    answer = bob.post(
        reverse("ops:look-new"), {"branch": branch.pk, **moment("point", minutes_from_now(-30))}, follow=True
    )
    look = Look.objects.get()
    assert (look.state, look.person) == (LookState.OPENING, people.bob.user)
    assert '<meta http-equiv="refresh"' in answer.content.decode()
    bob.post(reverse("ops:look-close", args=[look.pk]))
    look.refresh_from_db()
    assert look.state == LookState.CLOSED


def test_guarding_a_branch_less_takes_a_second_person(people, scenes, log_in):
    branch = scenes.staging_ready()
    branch.label = Environment.PRODUCTION
    branch.save()
    erin, bob = log_in(people.erin), log_in(people.bob)
    erin.post(reverse("ops:environment", args=[branch.pk]), {"label": "staging", "reason": "Only test data"})
    proposal = EnvironmentProposal.objects.get()
    page = reverse("ops:proposal", args=[proposal.pk])
    assert "You proposed this, so somebody else must confirm it." in text_of(erin.get(page))
    refused = erin.post(page, {"answer": "confirm"}, follow=True)
    assert "somebody else must confirm it" in text_of(refused)
    assert f"Guard {branch.name} less" in text_of(bob.get("/"))
    bob.post(page, {"answer": "confirm"})
    branch.refresh_from_db()
    assert branch.environment is Environment.STAGING


def test_a_branch_is_guarded_more_at_once(people, scenes, log_in):
    branch = scenes.staging_ready()
    log_in(people.erin).post(reverse("ops:environment", args=[branch.pk]), {"label": "production"})
    branch.refresh_from_db()
    assert branch.label == Environment.PRODUCTION
