"""Case files: what was asked, who decided it on which facts, whether the rules held, and what it left."""

from __future__ import annotations

import dataclasses
import hashlib
import uuid

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backups.domain.drill import FindingSeverity
from backups.domain.packet import canonical_text
from backups.domain.people import Role
from backups.models import DecisionPacket, LedgerEvent, RestoreRequest
from backups.selectors.case_file import found
from backups.selectors.case_file.restore import restore_case
from backups.selectors.case_file.rules import digest_holds, rules_of
from backups.selectors.clock import database_now
from backups.services.drill.facts import plan_facts
from backups.services.drill_log.results import add_finding
from backups.services.restore.votes import comment_on_request
from tests.factories import People
from tests.support.drills import ExerciseScene, automatic_drill, plan_of
from tests.support.erasing import erased
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db


@pytest.fixture
def scenes(people: People) -> Scenes:
    return Scenes(people)


@pytest.fixture
def dana(people: People) -> Client:
    client = Client()
    client.force_login(people.dana.user)
    return client


def page(client: Client, request: RestoreRequest) -> str:
    answer = client.get(f"/audit/cases/restores/{request.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def holds(request: RestoreRequest) -> dict[str, bool | None]:
    case = restore_case(request.pk)
    assert case is not None
    return {rule.words: rule.holds for rule in case.rules}


def test_a_completed_restore_has_its_whole_story(scenes, dana):
    request = scenes.completed()
    shown = page(dana, request)
    for part in ("production as voted on", request.packet.digest, "2 of 2", "matches its hash", "bob", "carol",
                 "manager", "11 of 11 checks passed", "Not signed.", "This copy was made",
                 "for dana, which is on record", "who could vote then"):  # fmt: skip
        assert part in shown, part
    found = holds(request)
    assert found.pop("All approvals were sealed and kept outside before it") is False  # no sealer in this test
    assert all(found.values()), found


def test_reading_it_is_recorded_once_with_what_it_is_about(scenes, dana):
    request = scenes.completed()
    before = LedgerEvent.objects.count()
    page(dana, request)
    assert LedgerEvent.objects.count() == before + 1
    event = LedgerEvent.objects.get(type="ledger.read", target_id=request.reference)
    assert event.members["data"]["page"] == "case_file"


def test_a_rejected_one_says_that_no_order_was_given(scenes, dana):
    request = scenes.rejected()
    shown = page(dana, request)
    assert "none was given" in shown
    assert "A copy beside it is enough" in shown
    assert holds(request)["Enough different people approved"] is None


def test_a_restore_and_its_undo_name_each_other(scenes, dana):
    undo = scenes.undo_pending()
    assert f"/audit/cases/restores/{undo.undo_of_id}/" in page(dana, undo)
    assert f"/audit/cases/restores/{undo.pk}/" in page(dana, undo.undo_of)


def test_an_altered_fact_no_longer_fits_its_digest(scenes):
    packet = scenes.completed().packet
    assert digest_holds(packet)
    packet.bound = packet.bound | {"branch_id": "br-another"}
    assert not digest_holds(packet)
    packet.bound_text = packet.bound_text.replace(packet.request.branch.neon_branch_id, "br-another")
    assert not digest_holds(packet)


def test_a_vote_that_was_taken_back_before_the_order_does_not_count(scenes):
    request = scenes.completed()
    earlier = request.votes.first()
    earlier.taken_back_at = earlier.cast_at
    earlier.save(update_fields=["taken_back_at"])
    assert holds(request)["Enough different people approved"] is False


def test_a_vote_says_how_its_voter_had_logged_in_and_why_it_counts_no_more(scenes, people, dana):
    request, bob = scenes.half_approved(), Client()
    bob.force_login(people.bob.user)
    ballot = {"digest": request.packet.digest, "choice": "approve", "reason": "Right point"}
    bob.post(f"/restores/{request.pk}/vote/", ballot)
    case = restore_case(request.pk)
    assert case is not None
    assert {each.vote.voter_name: (each.means, each.void) for each in case.votes} == {
        "carol": ("", ""),  # the scene votes without a session
        "bob": ("password", ""),
    }
    packet = request.packet
    bound = packet.bound | {"databases": ["carecircle"]}
    text = canonical_text(bound)
    later = DecisionPacket.objects.create(
        request=request, revision=packet.revision + 1, bound=bound, bound_text=text, observed={}, consequence="",
        digest="sha256:" + hashlib.sha256(text.encode()).hexdigest(), votes_needed=2, built_at=database_now(),
    )  # fmt: skip
    RestoreRequest.objects.filter(pk=request.pk).update(packet=later)
    shown = page(dana, request)
    assert shown.count("void: databases changed: facts were frozen anew at") == 2
    assert "password" in shown


def test_a_vote_without_its_event_is_found(scenes):
    case = restore_case(scenes.completed().pk)
    assert case is not None
    votes = [dataclasses.replace(each, event=None) for each in case.votes]
    found = {rule.words: rule.holds for rule in rules_of(case.request, votes)}
    assert found["An event tells of each vote"] is False


def test_erased_words_are_said_to_be_erased(scenes, people, dana):
    request = scenes.completed()
    erased(request.reason, people)
    assert "erased on" in page(dana, request)


def test_the_role_is_the_one_at_the_time_of_the_vote(scenes, people, dana):
    request = scenes.completed()
    people.bob.user.groups.remove(Group.objects.get(name="Manager"))
    case = restore_case(request.pk)
    assert case is not None
    roles = {each.vote.voter_name: each.roles for each in case.votes}
    assert roles["bob"] == [Role.MANAGER.value]
    assert "manager" in page(dana, request)


def test_a_sandbox_is_no_evidence(people, dana):
    assert "Sandbox: no evidence" in page(dana, Scenes(people, is_sandbox=True).completed())


def test_the_number_of_queries_does_not_grow(scenes, people, dana):
    few = scenes.completed()
    page(dana, few)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            page(dana, few)
        counts.append(len(queries))
        for number in range(6):
            comment_on_request(actor=people.alice.actor, request_id=few.pk, text=f"More {number}")
    assert counts[0] == counts[1] <= 40


def test_drills_and_changes_of_access_cost_the_same_for_many(scenes, people, dana):
    drill = ExerciseScene(people, scenes.staging_ready()).end()
    gift = LedgerEvent.objects.get(type="access.role_granted", target_id=f"user:{people.bob.user.pk}")
    urls = (f"/audit/cases/drills/{drill.pk}/", f"/audit/cases/access/{gift.pk}/", "/audit/cases/")
    counts = []
    for _ in range(2):
        for url in urls:
            with CaptureQueriesContext(connection) as queries:
                text(dana, url)
            counts.append(len(queries))
        scenes.completed()
        for number in range(4):
            add_finding(actor=people.alice.actor, drill_id=drill.pk, severity=FindingSeverity.MINOR, text=f"{number}")
    assert counts[:3] == counts[3:], counts
    assert max(counts) <= 30, counts


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def test_a_drill_has_its_findings_files_and_signature(scenes, people, dana):
    made = ExerciseScene(people, scenes.staging_ready())
    action, file = made.action, made.file
    drill = made.end(signed_by=people.bob)
    shown = text(dana, f"/audit/cases/drills/{drill.pk}/")
    for part in (drill.reference, action.title, file.name, file.sha256, "Signed off by", "matches its hash"):
        assert part in shown, part
    assert LedgerEvent.objects.filter(type="ledger.read", target_id=drill.reference).count() == 1


def test_an_automatic_drill_shows_its_checks_and_times(scenes, people, dana):
    branch = scenes.staging_ready()
    drill = automatic_drill(branch, plan_facts=plan_facts(plan_of(branch)))
    shown = text(dana, f"/audit/cases/drills/{drill.pk}/")
    assert "Time to recover" in shown
    assert str(drill.seed) in shown
    assert "Passed" in shown
    assert "What the plan asked for then" in shown
    assert "RTO objective: <span" in shown
    assert 'Time limit: <span class="wrap-anywhere">30 min' in shown


def test_a_change_of_access_shows_what_was_decided_with_it(scenes, people, dana):
    request = scenes.completed()
    manager = Group.objects.get(name="Manager")
    account = {"target_id": f"user:{people.bob.user.pk}"}
    gift = LedgerEvent.objects.get(type="access.role_granted", **account)
    url = f"/audit/cases/access/{gift.pk}/"
    assert request.reference in text(dana, url)
    people.bob.user.groups.remove(manager)
    taken = LedgerEvent.objects.get(type="access.role_revoked", **account)
    shown = text(dana, f"/audit/cases/access/{taken.pk}/")
    assert request.reference in shown
    assert "still held" not in shown
    people.bob.user.groups.add(manager)
    again = LedgerEvent.objects.filter(type="access.role_granted", **account).latest("recorded_at")
    assert request.reference not in text(dana, f"/audit/cases/access/{again.pk}/").split("Every event")[0]


def test_cases_are_found_by_reference_and_login(scenes, people, dana):
    request = scenes.completed()
    drill = automatic_drill(scenes.staging_ready())
    restore_url, drill_url = f"/audit/cases/restores/{request.pk}/", f"/audit/cases/drills/{drill.pk}/"
    assert restore_url in text(dana, "/audit/cases/")
    named = text(dana, f"/audit/cases/?q={request.reference.lower()}")
    assert restore_url in named
    assert drill_url not in named
    assert drill_url in text(dana, f"/audit/cases/?q={drill.reference}")
    assert restore_url in text(dana, "/audit/cases/?q=alice")
    assert restore_url not in text(dana, "/audit/cases/?q=bob")
    assert LedgerEvent.objects.filter(type="ledger.searched").count() == 4
    assert "None." in text(dana, "/audit/cases/?q=nobody%00")


def test_a_list_that_is_cut_says_so_and_leads_to_the_whole_one(scenes, people, dana, monkeypatch):
    monkeypatch.setattr(found, "MOST_SHOWN", 1)
    newest = [scenes.rejected(), scenes.withdrawn()][-1]
    for query, whole in (
        ("", "/audit/populations/not-carried-out/?first="),
        ("?q=alice", f"/backups/ledgerevent/?actor_ref=user%3A{people.alice.user.pk}&amp;type=request.drafted"),
    ):
        shown = text(dana, f"/audit/cases/{query}")
        assert "Only the newest" in shown
        assert whole in shown
        assert shown.count("/audit/cases/restores/") == 1
        assert f"/audit/cases/restores/{newest.pk}/" in shown
    assert "Only the newest" not in text(dana, f"/audit/cases/?q={newest.reference}")


def test_requests_and_drills_lead_to_their_case_file(scenes, people, dana):
    request, drill = scenes.completed(), automatic_drill(scenes.staging_ready())
    alice = Client()
    alice.force_login(people.alice.user)
    for client, is_there in ((dana, True), (alice, False)):
        assert (f"/audit/cases/restores/{request.pk}/" in text(client, f"/restores/{request.pk}/")) is is_there
        assert (f"/audit/cases/drills/{drill.pk}/" in text(client, f"/drills/{drill.pk}/")) is is_there


def test_what_is_not_there_is_not_found(people, dana):
    for url in ("restores/999999", "drills/999999", f"access/{uuid.uuid4()}"):
        assert dana.get(f"/audit/cases/{url}/").status_code == 404
