"""One event: its proof computed on the page, its neighbours, its files; and that reading it is on the record."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from backups.domain.ledger import Target
from backups.domain.people import SYSTEM
from backups.ledger.verifier.notes import checked_proof
from backups.models import LedgerEvent, SavedFilter
from backups.services import reading
from backups.services.ledger import record_event
from tests.factories import People, Person
from tests.support.sealing import SealedPortal, comment, portal  # noqa: F401 - a fixture

LIST = "admin:backups_ledgerevent_changelist"
SSN = "078-05-1120"
#: Nobody can tell from it that it is a patient's.
NAME = "Novakova"


def browser(person: Person) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person.user)
    return client


def address(event: LedgerEvent) -> str:
    return reverse("admin:backups_ledgerevent_change", args=(event.pk,))


def read_events() -> list[tuple[str, str]]:
    found = LedgerEvent.objects.filter(type__in=("ledger.read", "ledger.searched")).order_by("recorded_at", "id")
    return [(event.type, event.members["data"]["page"]) for event in found]


def test_a_sealed_event_shows_its_proof_and_hands_it_out(portal: SealedPortal):  # noqa: F811
    dana = browser(People().dana)
    events = [comment() for _ in range(5)]
    portal.seal()
    shown = dana.get(address(events[2]))
    page = shown.content.decode()
    assert "Proven." in page
    assert "taken " in page
    beside = dict(shown.context["neighbours"])
    assert beside["Before it in the sealed order"].event.pk == events[1].pk
    assert beside["After it in the sealed order"].event.pk == events[3].pk
    assert beside["Before it in time"].event.pk == events[1].pk
    assert beside["After it in time"].event.pk == events[3].pk
    proof = dana.get(reverse("ops:audit-event-proof", args=[events[2].pk]))
    entry = dana.get(reverse("ops:audit-event-bytes", args=[events[2].pk]))
    assert f'filename="{events[2].pk}.tlog-proof"' in proof.headers["Content-Disposition"]
    checked_proof(proof.content.decode(), entry.content, [portal.signer.verifier_key])
    assert read_events() == [("ledger.read", "event"), ("ledger.read", "event_proof"), ("ledger.read", "event_bytes")]


def test_an_event_that_was_altered_is_called_so_loudly(portal: SealedPortal):  # noqa: F811
    dana = browser(People().dana)
    event = comment()
    portal.seal()
    portal.as_superuser(
        ("UPDATE backups_ledgerevent SET body = replace(body, 'R-0007', 'R-0008') WHERE id = %s", event.pk)
    )
    page = dana.get(address(event)).content.decode()
    assert "This event was altered after it was sealed." in page
    assert "Proven." not in page
    assert dana.get(reverse("ops:audit-event-proof", args=[event.pk])).status_code == 302


def test_a_tree_that_was_altered_is_called_so(portal: SealedPortal):  # noqa: F811
    dana = browser(People().dana)
    first, _ = comment(), comment()
    portal.seal()
    portal.as_superuser(("UPDATE backups_ledgerleaf SET hash = sha256('x') WHERE event_id <> %s", first.pk))
    assert "does not prove this event" in dana.get(address(first)).content.decode()


@pytest.mark.django_db
def test_an_event_that_is_not_sealed_says_for_how_long(people):
    event = record_event(type="request.commented", actor=people.bob.actor, target=Target("restore_request", "R-0007"))
    page = browser(people.dana).get(address(event)).content.decode()
    assert "Not sealed yet" in page
    assert reverse(LIST, query={"target_kind": "restore_request", "target_id": "R-0007"}).replace("&", "&amp;") in page


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["0193b1c2-0000-7000-8000-000000000001", "nonsense"])
def test_an_event_that_is_not_there_is_not_found_and_not_recorded(people, wrong):
    answer = browser(people.dana).get(reverse("admin:backups_ledgerevent_change", args=[wrong]))
    assert answer.status_code == 404
    assert read_events() == []


@pytest.mark.django_db
def test_each_load_of_the_list_is_one_event_without_what_was_looked_for(people):
    dana = browser(people.dana)
    dana.get(reverse(LIST))
    dana.get(reverse(LIST), {"q": SSN})
    assert read_events() == [("ledger.read", "events"), ("ledger.searched", "events")]
    assert not [event for event in LedgerEvent.objects.all() if SSN in event.body]


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["list", "event"])
def test_what_cannot_be_recorded_is_not_shown(people, monkeypatch, page):
    event = record_event(type="system.started", actor=SYSTEM, details={"node": "node-of-the-test"})

    def refuse(**_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(reading, "record_event", refuse)
    answer = browser(people.dana).get(reverse(LIST) if page == "list" else address(event))
    assert answer.status_code == 500
    assert b"system.started" not in answer.content


@pytest.mark.django_db
def test_a_filter_is_kept_used_and_removed_by_its_owner_alone(people):
    dana, bob = browser(people.dana), browser(people.bob)
    kept = dana.post(reverse("ops:audit-filter-save"), {"name": " Refusals  of bob ", "outcome": "denied", "q": NAME})
    saved = SavedFilter.objects.get()
    assert kept.headers["Location"] == f"{reverse(LIST)}?outcome=denied&q={NAME}"
    assert (saved.owner, saved.name, saved.query) == (people.dana.user, "Refusals of bob", f"outcome=denied&q={NAME}")
    assert "Refusals of bob" in dana.get(reverse(LIST)).content.decode()
    assert "Refusals of bob" not in bob.get(reverse(LIST)).content.decode()
    bob.post(reverse("ops:audit-filter-remove", args=[saved.pk]))
    assert SavedFilter.objects.count() == 1
    dana.post(reverse("ops:audit-filter-remove", args=[saved.pk]))
    assert SavedFilter.objects.count() == 0
    written = LedgerEvent.objects.filter(type__startswith="ledger.filter_")
    assert sorted(event.type for event in written) == ["ledger.filter_removed", "ledger.filter_saved"]
    assert not [event for event in written if NAME in event.body or "Refusals" in event.body]


@pytest.mark.django_db
def test_a_filter_that_cannot_be_kept_says_why_and_loses_nothing(people):
    dana = browser(people.dana)
    sent = {"name": "Mine", "outcome": "denied"}
    dana.post(reverse("ops:audit-filter-save"), sent)
    for wrong in (sent, sent | {"name": " "}, sent | {"name": "x" * 61}, {"name": "Nothing"}):
        answer = dana.post(reverse("ops:audit-filter-save"), wrong)
        assert answer.status_code == 422
        assert answer.context["refusal"] in answer.content.decode()
    assert SavedFilter.objects.count() == 1


@pytest.mark.django_db
def test_the_list_leads_to_its_export_and_says_what_an_export_cannot_narrow(people):
    ref = f"user:{people.bob.user.pk}"
    asked = {"type": "request.", "actor_ref": ref, "target_id": "R-0007", "recorded_from": "2026-11-01"}
    page = browser(people.dana).get(reverse(LIST), asked)
    export = page.context["export"]
    assert not export.is_wider
    form = browser(people.dana).get(export.url).content.decode()
    for chosen in ('value="2026-11-01"', f'<option value="{ref}" selected', '<option value="request." selected',
                   'value="R-0007"'):  # fmt: skip
        assert chosen in form, chosen
    for narrower in ({"outcome": "denied"}, {"type": "request.voted"}, {"recorded_from": "2026-11-01T02:00"}):
        page = browser(people.dana).get(reverse(LIST), narrower)
        assert page.context["export"].is_wider
        assert "the file will hold more" in page.content.decode()
    assert browser(people.bob).get(reverse(LIST)).context["export"] is None


@pytest.mark.django_db
def test_pages_follow_each_other_by_key(people):
    for number in range(60):
        record_event(type="drill.noted", actor=people.alice.actor, target=Target("drill", f"D-{number}"))
    dana, asked = browser(people.dana), {"type": "drill.noted"}
    first = dana.get(reverse(LIST), asked)
    second = dana.get(f"{reverse(LIST)}?{first.context['older']}")
    back = dana.get(f"{reverse(LIST)}?{second.context['newer']}")
    ids = [[row.event.target_id for row in page.context["rows"]] for page in (first, second, back)]
    assert ids[0] + ids[1] == [f"D-{number}" for number in reversed(range(60))]
    assert ids[2] == ids[0]
    assert second.context["older"] == ""


@pytest.mark.django_db
def test_the_catalogue_is_a_page_and_each_type_has_its_place(people):
    page = browser(people.dana).get(reverse("ops:audit-catalogue"), {"family": "access"}).content.decode()
    assert 'id="access.role_granted"' in page
    assert "3005 User Access Management" in page
    assert 'id="neon.call"' not in page
