"""Role by address by method: who gets what. An address that is not in the table fails the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from backups.models import EnvironmentProposal, LedgerEvent
from backups.services.ledger_verification import ask_for_verification
from backups.services.log_review import open_review
from tests.support.afterwards import AfterwardsScene, of_afterwards
from tests.support.drills import ExerciseScene, plan_of
from tests.support.erasing import asked_erasure
from tests.support.exports import an_export
from tests.support.governance import governance_proposal
from tests.support.monitor import monitor_scene
from tests.support.reads import HOW, events_of, events_since
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db

ALICE, BOB, DANA, ERIN = "alice", "bob", "dana", "erin"
EVERYBODY = {ALICE, BOB, DANA, ERIN}
VISITORS = (*sorted(EVERYBODY), "charlie", None)

# Address -> method -> who is let in. A method that is not named is refused as not allowed (405).
PAGES: dict[str, dict[str, set[str]]] = {
    "ops:start": {"GET": EVERYBODY},
    "ops:queue": {"GET": EVERYBODY},
    "ops:file": {"GET": {ALICE}, "POST": {ALICE}},
    "ops:request": {"GET": EVERYBODY},
    "ops:live": {"GET": EVERYBODY},
    "ops:edit": {"GET": {ALICE}, "POST": {ALICE}},
    "ops:submit": {"POST": {ALICE}},
    "ops:withdraw": {"GET": EVERYBODY, "POST": EVERYBODY},
    "ops:vote": {"GET": {BOB}, "POST": {BOB}},
    "ops:take-back": {"POST": EVERYBODY},
    "ops:comment": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:start-restore": {"GET": {ALICE}, "POST": {ALICE}},
    "ops:stop": {"POST": EVERYBODY},
    "ops:unsealed": {"GET": {BOB}, "POST": {BOB}},
    "ops:look-again": {"POST": {ALICE, BOB}},
    "ops:verify-again": {"POST": {ALICE, BOB}},
    "ops:resolve": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:confirm": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:drop-proposal": {"POST": {ALICE, BOB}},
    "ops:undo": {"GET": {ALICE}, "POST": {ALICE}},
    "ops:look-new": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:look": {"GET": {ALICE, BOB}},
    "ops:look-live": {"GET": {ALICE, BOB}},
    "ops:look-close": {"POST": {ALICE, BOB}},
    "ops:drills": {"GET": EVERYBODY},
    "ops:drill-new": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:drill": {"GET": EVERYBODY},
    "ops:drill-live": {"GET": EVERYBODY},
    "ops:drill-edit": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:drill-add": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:drill-sign": {"GET": {BOB}, "POST": {BOB}},
    "ops:drill-take-off": {"POST": {ALICE, BOB}},
    "ops:drill-file": {"GET": EVERYBODY},
    "ops:drill-trends": {"GET": EVERYBODY},
    "ops:canary": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:drill-cancel": {"POST": {ALICE}},
    "ops:plan-new": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:plan": {"GET": EVERYBODY},
    "ops:plan-edit": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:plan-retire": {"POST": {ALICE, BOB}},
    "ops:plan-run": {"POST": {ALICE}},
    "ops:action": {"GET": EVERYBODY, "POST": EVERYBODY},
    "ops:afterwards-list": {"GET": EVERYBODY},
    "ops:afterwards": {"GET": EVERYBODY},
    "ops:afterwards-point": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:afterwards-keep": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:afterwards-action": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:afterwards-setup": {"GET": {ERIN}, "POST": {ERIN}},
    "ops:review": {"GET": EVERYBODY},
    "ops:review-write": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:review-sign": {"POST": {BOB}},
    "ops:removal-state": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:removal": {"GET": EVERYBODY, "POST": EVERYBODY},
    "ops:retrospective-new": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:retrospective": {"GET": EVERYBODY},
    "ops:retrospective-decide": {"POST": {ALICE, BOB}},
    "ops:safety-copies": {"GET": EVERYBODY},
    "ops:safety-copy-new": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:safety-copy": {"GET": EVERYBODY},
    "ops:safety-copy-remove": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:safety-schedule": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:tokens": {"GET": {ERIN}},
    "ops:token-new": {"GET": {ERIN}, "POST": {ERIN}},
    "ops:token-revoke": {"POST": {ERIN}},
    "ops:register": {"GET": {BOB, DANA, ERIN}},
    "ops:governance": {"GET": EVERYBODY},
    "ops:governance-new": {"GET": {BOB, ERIN}, "POST": {BOB, ERIN}},
    "ops:governance-decide": {"POST": EVERYBODY},
    "ops:log-reviews": {"GET": {BOB, DANA, ERIN}},
    "ops:log-review-open": {"POST": {BOB, DANA}},
    "ops:log-review": {"GET": {BOB, DANA, ERIN}, "POST": {BOB, DANA, ERIN}},
    "ops:log-review-sign": {"POST": {BOB, DANA}},
    "ops:log-review-action": {"GET": {BOB, DANA}, "POST": {BOB, DANA}},
    "ops:readiness": {"GET": EVERYBODY},
    "ops:duty": {"GET": EVERYBODY, "POST": EVERYBODY},
    "ops:runbook": {"GET": EVERYBODY},
    "ops:projects": {"GET": EVERYBODY},
    "ops:project": {"GET": EVERYBODY},
    "ops:connect": {"GET": {ERIN}, "POST": {ERIN}},
    "ops:check": {"POST": {ERIN}},
    "ops:environment": {"GET": {ERIN}, "POST": {ERIN}},
    "ops:proposal": {"GET": EVERYBODY, "POST": EVERYBODY},
    "ops:audit-cases": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-case-drill": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-case-access": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-case-restore": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-catalogue": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-event-proof": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-event-bytes": {"GET": {BOB, DANA, ERIN}},
    "ops:erase-words": {"GET": {BOB, ERIN}, "POST": {BOB, ERIN}},
    "ops:erasures": {"GET": {BOB, DANA, ERIN}},
    "ops:erasure": {"GET": {BOB, DANA, ERIN}, "POST": {BOB, DANA, ERIN}},
    "ops:audit-filter-save": {"POST": {BOB, DANA, ERIN}},
    "ops:audit-filter-remove": {"POST": {BOB, DANA, ERIN}},
    "ops:audit": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-population": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-population-file": {"GET": {DANA}},
    "ops:audit-approvers": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-verify": {"POST": {BOB, DANA, ERIN}},
    "ops:audit-verification": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-verification-live": {"GET": {BOB, DANA, ERIN}},
    "ops:audit-exports": {"GET": {DANA}},
    "ops:audit-export-new": {"GET": {DANA}, "POST": {DANA}},
    "ops:audit-export": {"GET": {DANA}},
    "ops:audit-export-live": {"GET": {DANA}},
    "ops:audit-export-file": {"GET": {DANA}},
    "ops:monitor": {"GET": EVERYBODY},
    "ops:finding": {"GET": EVERYBODY},
    "ops:finding-acknowledge": {"POST": {ALICE, BOB, ERIN}},
    "ops:finding-give": {"POST": {ALICE, BOB, ERIN}},
    "ops:finding-explain": {"POST": {BOB}},
    "ops:branch-health": {"GET": EVERYBODY},
    "ops:declare-backups": {"GET": {BOB, ERIN}, "POST": {BOB, ERIN}},
    "ops:propose-backups": {"GET": {ALICE, BOB}, "POST": {ALICE, BOB}},
    "ops:plan-proposal": {"GET": EVERYBODY, "POST": EVERYBODY},
    "ops:notifications": {"GET": EVERYBODY},
    "ops:notifications-routes": {"POST": {ERIN}},
    "ops:notifications-test": {"POST": {ERIN}},
}
# Django's own addresses: who sees them with GET. Whoever has no role is sent to log in by Django.
DJANGO: dict[str, set[str]] = {
    "admin:password_change": EVERYBODY,
    "admin:password_change_done": EVERYBODY,
    "admin:jsi18n": EVERYBODY,
    "admin:backups_ledgerevent_changelist": {BOB, DANA, ERIN},
    "admin:backups_ledgerevent_change": {BOB, DANA, ERIN},
    "admin:backups_ledgerevent_history": {BOB, DANA, ERIN},
    "admin:auth_user_changelist": {BOB, DANA, ERIN},
    "admin:auth_user_change": {BOB, DANA, ERIN},
    "admin:auth_user_history": {BOB, DANA, ERIN},
    "admin:auth_user_add": {ERIN},
    "admin:auth_user_password_change": {ERIN},
    # Nobody adds or deletes an event, and nobody deletes an account.
    "admin:backups_ledgerevent_add": set(),
    "admin:backups_ledgerevent_delete": set(),
    "admin:auth_user_delete": set(),
}
#: Open to everybody: no log-in is asked for, or they only lead elsewhere. Tested where they belong.
OPEN = {
    "healthz", "readyz", "workerz", "health-backups", "metrics",
    "favicon", "ops:display", "admin:login", "admin:logout", "admin:index",
    "ops:api-safety-copies", "ops:api-safety-copy",
    "admin:autocomplete", "admin:view_on_site", "admin:app_list", "admin:None",
}  # fmt: skip


def test_every_address_is_in_the_table():
    found = set(_names(get_resolver()))
    listed = set(PAGES) | set(DJANGO) | OPEN
    assert found - listed == set(), "give the new address a line in the table"
    assert listed - found == set(), "an address in the table is gone"


def _names(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _names(entry, f"{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern):
            if entry.name is None and "RedirectView" in repr(entry.callback):
                continue  # Django's old addresses of a model's page, which lead to the new ones
            yield f"{namespace}{entry.name}"


@pytest.fixture
def arguments(people) -> dict[str, tuple[Any, ...]]:
    scenes = Scenes(people)
    pending, look, branch = scenes.pending(), scenes.look(), scenes.staging_ready()
    proposal = EnvironmentProposal.objects.create(branch=branch, label="development", proposed_by=people.erin.user)
    event = LedgerEvent.objects.latest("recorded_at")
    found: dict[str, tuple[Any, ...]] = dict.fromkeys(PAGES, (pending.pk,))
    found |= dict.fromkeys(("ops:start", "ops:queue", "ops:file", "ops:look-new", "ops:projects", "ops:connect"), ())
    found |= dict.fromkeys(("ops:look", "ops:look-live", "ops:look-close"), (look.pk,))
    found |= dict.fromkeys([name for name in PAGES if name.startswith("ops:notifications")], ())
    found["ops:check"] = (scenes.project.pk,)
    found |= {"ops:project": (scenes.project.pk,), "ops:environment": (branch.pk,), "ops:proposal": (proposal.pk,)}
    found["ops:resolve"] = (pending.pk, "accept")
    found |= _of_the_monitor(people, branch)
    change = LedgerEvent.objects.filter(type="access.role_granted").latest("recorded_at")
    found |= {"ops:audit-cases": (), "ops:audit-case-access": (change.pk,)}
    found |= {"ops:audit": (), "ops:audit-approvers": (), "ops:audit-population": ("drills",)}
    found["ops:audit-population-file"] = ("drills",)
    found |= _of_drills(people, branch)
    found |= of_afterwards(AfterwardsScene(scenes))
    found |= {"ops:register": (), "ops:governance": (scenes.project.pk,), "ops:governance-new": (scenes.project.pk,)}
    found["ops:governance-decide"] = (governance_proposal(people, scenes.project).pk,)
    review = open_review(actor=people.dana.actor)
    found |= {"ops:audit-filter-save": (), "ops:audit-catalogue": (), "ops:audit-event-bytes": (event.pk,)}
    found["ops:audit-event-proof"] = (event.pk,)
    erasure = asked_erasure(pending.reason, people.erin)
    found |= {"ops:erasures": (), "ops:erasure": (erasure.pk,), "ops:erase-words": (pending.reason_id,)}
    found |= {"ops:log-reviews": (), "ops:log-review-open": (), "ops:log-review": (review.pk,)}
    found |= {"ops:log-review-sign": (review.pk,), "ops:log-review-action": (review.pk, review.items.first().pk)}
    found |= {"ops:readiness": (), "ops:duty": ("people_reviewed",), "ops:runbook": (scenes.project.pk,)}
    export = an_export(people)
    found |= dict.fromkeys(("ops:audit-export", "ops:audit-export-live", "ops:audit-export-file"), (export.pk,))
    found |= {"ops:audit-exports": (), "ops:audit-export-new": (), "ops:audit-verify": ()}
    asked = ask_for_verification(actor=people.dana.actor)
    found |= dict.fromkeys(("ops:audit-verification", "ops:audit-verification-live"), (asked.pk,))
    for name in DJANGO:
        needs_no_id = name.endswith(("changelist", "_add", "done", "admin:password_change", "jsi18n"))
        found[name] = () if needs_no_id else (event.pk if "ledger" in name else people.bob.user.pk,)
    return found


def _of_drills(people, branch) -> dict[str, tuple[Any, ...]]:
    made = ExerciseScene(people, branch)
    found: dict[str, tuple[Any, ...]] = {"ops:drills": (), "ops:drill-new": (), "ops:action": (made.action.pk,)}
    found |= dict.fromkeys(("ops:drill", "ops:drill-live", "ops:drill-edit", "ops:drill-sign"), (made.drill.pk,))
    found["ops:audit-case-drill"] = (made.drill.pk,)
    found["ops:drill-add"] = (made.drill.pk, "finding")
    found["ops:drill-take-off"] = (made.drill.pk, made.participant.pk)
    plan = plan_of(branch)
    found |= dict.fromkeys(("ops:plan", "ops:plan-edit", "ops:plan-retire", "ops:plan-run"), (plan.pk,))
    found |= {"ops:drill-trends": (), "ops:canary": (branch.pk,)}
    found |= {"ops:plan-new": (), "ops:drill-cancel": (made.drill.pk,)}
    found["ops:drill-file"] = (made.drill.pk, made.file.pk)
    return found


def _of_the_monitor(people, branch) -> dict[str, tuple[Any, ...]]:
    finding, proposal = monitor_scene(branch, people.alice)
    found: dict[str, tuple[Any, ...]] = {"ops:monitor": (), "ops:plan-proposal": (proposal.pk,)}
    found |= dict.fromkeys(("ops:branch-health", "ops:declare-backups", "ops:propose-backups"), (branch.pk,))
    names = ("ops:finding", "ops:finding-acknowledge", "ops:finding-give", "ops:finding-explain")
    return found | dict.fromkeys(names, (finding.pk,))


@pytest.fixture
def clients(people) -> dict[str | None, Client]:
    made: dict[str | None, Client] = {None: Client()}
    for name in (*EVERYBODY, "charlie"):
        made[name] = Client()
        made[name].force_login(getattr(people, name).user)
    return made


def _answer(client: Client, method: str, url: str, last: LedgerEvent) -> tuple[int, str, Counter[str]]:
    """What the address answers and the record says of it after `last`; whatever it changed is taken back."""
    before = transaction.savepoint()
    answer = client.generic(method, url)
    events = events_since(last)
    transaction.savepoint_rollback(before)
    return answer.status_code, answer.headers.get("Location", ""), events


#: Methods that no page knows meet the same gate, so that a stranger, nobody and one person with a role are enough.
SENT_BY = {"GET": VISITORS, "POST": VISITORS, "PUT": (None, "charlie", "alice"), "DELETE": ("dana",)}


def test_the_pages_let_in_whom_the_table_names_and_record_it(arguments, clients):
    wrong, last = [], LedgerEvent.objects.latest("recorded_at")
    for name, methods in PAGES.items():
        url = reverse(name, args=arguments[name])
        for method, visitors in SENT_BY.items():
            for who in visitors:
                status, location, events = _answer(clients[who], method, url, last)
                expected = _expected(methods, method, who)
                if not _fits(expected, status, location):
                    wrong.append(f"{who} {method} {name}: {status} {location}, expected {expected}")
                wrong += _unlike(events, name, method, who, expected)
    assert not wrong, "\n".join(wrong)


def _expected(methods: dict[str, set[str]], method: str, who: str | None) -> str:
    if who is None:
        return "log in"
    if who == "charlie" or not any(who in allowed for allowed in methods.values()):
        return "forbidden"
    if method not in methods:
        return "not allowed"
    return "let in" if who in methods[method] else "forbidden"


def _fits(expected: str, status: int, location: str) -> bool:
    if expected == "log in":
        return status == 302 and location.startswith("/login/")
    if expected == "forbidden":
        return status == 403
    if expected == "not allowed":
        return status == 405
    return status in {200, 422} or (status == 302 and not location.startswith("/login/"))


def _unlike(events: Counter[str], name: str, method: str, who: str | None, verdict: str) -> list[str]:
    said = events_of(name, method, who, verdict)
    if said is None or events == said:
        return []
    return [f"{who} {method} {name}: the record says {dict(events)}, the tables {dict(said)}. {HOW.format(name=name)}"]


def test_djangos_own_pages_let_in_whom_the_table_names_and_record_it(arguments, clients):
    wrong, last = [], LedgerEvent.objects.latest("recorded_at")
    for name, allowed in DJANGO.items():
        url = reverse(name, args=arguments[name])
        for who in VISITORS:
            status, location, events = _answer(clients[who], "GET", url, last)
            sent_to_log_in = status == 302 and location.startswith("/login/")
            fits = status in {200, 302} and not sent_to_log_in if who in allowed else status == 403 or sent_to_log_in
            if not fits:
                wrong.append(f"{who} GET {name}: {status} {location}")
            verdict = "let in" if who in allowed else "log in" if who is None else "forbidden"
            wrong += _unlike(events, name, "GET", who, verdict)
    assert not wrong, "\n".join(wrong)


def test_somebody_without_a_role_is_told_plainly_and_it_is_recorded(people):
    client = Client()
    client.force_login(people.charlie.user)
    answer = client.get("/restores/")
    assert answer.status_code == 403
    assert "role" in answer.content.decode()
    event = LedgerEvent.objects.filter(type="access.refused").latest("recorded_at")
    assert event.actor_ref == f"user:{people.charlie.user.pk}"


def test_an_act_is_not_repeated_after_logging_in():
    answer = Client().post("/restores/7/submit/")
    assert answer.headers["Location"] == "/login/?next=/"


@pytest.mark.parametrize("name", ["ops:request", "ops:vote", "ops:look", "ops:project", "ops:environment"])
def test_what_does_not_exist_is_not_found(people, name):
    who = {"ops:vote": people.bob, "ops:look": people.bob, "ops:environment": people.erin}.get(name, people.alice)
    client = Client()
    client.force_login(who.user)
    assert client.get(reverse(name, args=[987654])).status_code == 404
