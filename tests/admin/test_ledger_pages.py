"""The ledger as it is read: by whom, narrowed how, at what cost; and changed by nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from backups.domain.ledger import Target
from backups.domain.people import SYSTEM
from backups.models import LedgerEvent
from backups.services.ledger import record_event, record_refusal
from tests.factories import Person
from tests.support.erasing import erased

pytestmark = pytest.mark.django_db
LIST = "admin:backups_ledgerevent_changelist"
OPERATION = "17a5b0a6-0f53-4f3f-9a54-6b1d2d9a0001"


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def rows(client: Client, **query: Any) -> list[LedgerEvent]:
    response = client.get(reverse(LIST), query)
    assert response.status_code == 200, response.content[:500]
    return [row.event for row in response.context["rows"]]


@pytest.fixture
def restore(people) -> LedgerEvent:
    return record_event(
        type="execution.submitted",
        actor=SYSTEM,
        target=Target(kind="restore_request", id="R-0007", project="calm-river-1", branch="br-calm-sea-1"),
        details={"request": "R-0007", "operation_ids": [OPERATION], "preserved_name": "main before R-0007"},
        sandbox=True,
        correlation="R-0007",
    )


@pytest.fixture
def comment(people) -> LedgerEvent:
    return record_event(
        type="request.commented",
        actor=people.bob.actor,
        target=Target(kind="restore_request", id="R-0007"),
        text="Which <b>table</b>?",
    )


@pytest.fixture
def history(people) -> None:
    """As many events as it takes for the planner to tell one index from another, whatever earlier tests left behind."""
    for number in range(200):
        record_event(
            type="execution.submitted",
            actor=SYSTEM,
            target=Target(kind="restore_request", id=f"R-{1000 + number}"),
            sandbox=number % 10 == 0,
            correlation=f"R-{1000 + number}",
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE backups_ledgerevent")


@pytest.mark.parametrize(
    ("who", "status"), [("dana", 200), ("bob", 200), ("erin", 200), ("alice", 403), ("charlie", 302), (None, 302)]
)
@pytest.mark.parametrize("page", ["list", "detail"])
def test_who_reads_the_ledger(people, restore, who, status, page):
    client = browser(getattr(people, who)) if who else Client()
    url = reverse(LIST) if page == "list" else _detail(restore)
    assert client.get(url).status_code == status


def test_a_superuser_without_a_role_reads_nothing(restore):
    root = User.objects.create_superuser("root", password="x" * 20)
    client = Client()
    client.force_login(root)
    assert client.get(reverse(LIST)).status_code == 302


@pytest.mark.parametrize("who", ["alice", "charlie"])
def test_a_refusal_by_a_model_page_is_one_event(people, restore, who):
    person = getattr(people, who)
    browser(person).get(_detail(restore))
    refused = LedgerEvent.objects.get(type="access.refused")
    assert refused.actor_ref == person.actor.ref
    assert refused.target_id == "admin:backups_ledgerevent_change"


@pytest.mark.parametrize("path", ["add", "change", "delete"])
def test_nobody_changes_an_event_through_a_page(people, restore, path):
    arguments = () if path == "add" else (restore.pk,)
    url = reverse(f"admin:backups_ledgerevent_{path}", args=arguments)
    before = restore.body
    response = browser(people.dana).post(url, {"actor_name": "x", "post": "yes"})
    assert response.status_code == 403
    assert LedgerEvent.objects.get(pk=restore.pk).body == before


@pytest.mark.parametrize(
    "query",
    [
        {"type": "execution.submitted"},
        {"type": "execution."},
        {"actor_ref": "kind:system", "target_kind": "restore_request"},
        {"target_kind": "restore_request", "world": "sandbox"},
        {"outcome": "success", "type": "execution."},
        {"q": OPERATION},
        {"q": ["main", "before", "R-0007"][2] + " calm-river-1"},
        {"q": "execution.sub"},
    ],
    ids=str,
)
def test_the_list_is_narrowed(people, restore, comment, query):
    assert rows(browser(people.dana), **query) == [restore]


def test_the_list_is_narrowed_to_a_person_and_a_day(people, restore, comment):
    client, bob = browser(people.dana), people.bob.actor.ref
    today = comment.recorded_at.date()
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    kind = {"actor_ref": bob, "type": "request."}
    assert rows(client, **kind, recorded_from=today, recorded_to=today) == [comment]
    assert rows(client, **kind, recorded_from=today) == rows(client, **kind, recorded_to=today) == [comment]
    assert rows(client, **kind, recorded_to=yesterday) == rows(client, **kind, recorded_from=tomorrow) == []


@pytest.mark.parametrize("typed", ["yesterday", "2026-13-01", "9999-12-31", "0001-01-01", "<b>"])
def test_a_day_that_is_none_does_no_harm(people, restore, typed):
    response = browser(people.dana).get(reverse(LIST), {"recorded_to": typed})
    assert response.status_code == (422 if typed != "0001-01-01" else 200)
    assert response.context["rows"] == []
    assert "<b>" not in response.content.decode()


def test_the_other_filters_stay_when_days_are_chosen(people, comment):
    page = browser(people.dana).get(reverse(LIST), {"q": "bob", "p": "1"}).content.decode()
    assert 'name="q" value="bob"' in page
    assert 'name="p"' not in page


def test_a_name_and_an_id_can_be_searched_for(people, restore, comment):
    client = browser(people.dana)
    assert rows(client, q="bob", target_kind="restore_request") == [comment]
    assert rows(client, q=str(comment.pk)) == [comment]


@pytest.mark.parametrize("word", ["'", '"', "\\", "%", "$.**", "ünï", "*", "x" * 300])
def test_any_word_can_be_searched_for(people, restore, word):
    assert rows(browser(people.dana), q=word) == []


def test_newest_first_whatever_order_is_asked_for(people, restore, comment):
    shown = rows(browser(people.dana), o="1", target_kind="restore_request")
    assert shown == [comment, restore]


def test_the_detail_shows_everything_and_the_exact_bytes(people, comment):
    page = browser(people.dana).get(_detail(comment)).content.decode()
    assert "Which &lt;b&gt;table&lt;/b&gt;?" in page
    assert "matches its hash" in page
    assert "A comment was written" in page
    assert "&quot;v&quot;:&quot;ccops.audit/1&quot;" in page
    assert f"{comment.recorded_at:%Y-%m-%d %H:%M:%S.%f}" in page


def test_words_that_were_changed_in_the_database_are_shown_as_such(people, comment):
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('backups_freetext', 'UPDATE')")
        assert cursor.fetchone() == (True,)
    erased(comment.free_text, people)
    assert "Erased on" in browser(people.dana).get(_detail(comment)).content.decode()


def test_a_sandbox_is_never_shown_as_evidence(people, restore):
    assert "No: sandbox" in browser(people.dana).get(_detail(restore)).content.decode()


def test_the_list_costs_the_same_however_long_it_is(people, restore, django_assert_max_num_queries):
    client = browser(people.dana)
    client.get(reverse(LIST))
    for number in range(60):
        record_refusal(actor=SYSTEM, why="role", target=Target(kind="page", id=f"/{number}"))
    with django_assert_max_num_queries(14) as queries:
        page = client.get(reverse(LIST))
    assert len(page.context["rows"]) == 50
    assert page.context["older"]
    asked = [query["sql"] for query in queries]
    assert not [sql for sql in asked if '"body"' in sql and sql.startswith("SELECT")]
    assert not [sql for sql in asked if "OFFSET" in sql or "COUNT(" in sql]


def test_the_list_uses_the_index_of_its_order(people):
    """Of a million events a page reads fifty."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT id FROM backups_ledgerevent ORDER BY recorded_at DESC, id DESC LIMIT 50")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "ledger_newest" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ({"type": "neon.call"}, "ledger_by_type"),
        ({"family": "neon"}, "ledger_by_family"),
        ({"roles__contains": ["manager"]}, "ledger_role_manager"),
        ({"actor_kind": "anonymous"}, "ledger_by_stranger"),
        ({"target_kind": "restore_request"}, "ledger_by_kind"),
        ({"web_request": "abc"}, "ledger_by_web_request"),
        ({"actor_ref": "user:7"}, "ledger_by_actor"),
        ({"outcome": "denied"}, "ledger_by_failure"),
        ({"world": "sandbox"}, "ledger_by_world"),
        ({"target_kind": "restore_request", "target_id": "R-0007"}, "ledger_by_target"),
        ({"target_id": "R-0007"}, "ledger_by_target"),
        ({"correlation": "R-0007"}, "ledger_by_run"),
    ],
    ids=str,
)
def test_each_filter_has_its_index(history, condition, index):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    assert index in LedgerEvent.objects.filter(**condition).explain()


def test_the_search_uses_the_index_of_values(people):
    found = LedgerEvent.objects.filter(members__has_value="R-0007").order_by()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "ledger_members" in found.explain()


def _detail(event: LedgerEvent) -> str:
    return reverse("admin:backups_ledgerevent_change", args=(event.pk,))
