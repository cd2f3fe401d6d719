"""The auditor's first page: numbers that are right, samples that anybody draws again, and what breaks a rule."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backups.domain.period import Period, quarter_of
from backups.models import LedgerEvent, RestoreRequest
from backups.selectors.audit.approvers import approvers_on
from backups.selectors.audit.exceptions import exceptions
from backups.selectors.audit.populations import POPULATIONS, counted, page_of
from backups.selectors.clock import database_now
from tests.factories import People
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def everybody(people: People) -> None:
    people.all()


@pytest.fixture
def scenes(people: People) -> Scenes:
    return Scenes(people)


@pytest.fixture
def dana(people: People) -> Client:
    client = Client()
    client.force_login(people.dana.user)
    return client


@pytest.fixture
def period() -> Period:
    return quarter_of(database_now().date())


def _shown(client: Client, url: str = "/audit/") -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.content[:2000]
    return answer.content.decode()


def _count(slug: str, period: Period) -> int:
    return counted(POPULATIONS[slug], period).total


def test_each_restore_is_counted_once_and_where_it_belongs(scenes, period):
    scenes.completed()
    scenes.failed()
    scenes.rejected()
    scenes.withdrawn()
    scenes.expired()
    sent = RestoreRequest.objects.filter(submitted_to_neon_at__isnull=False).count()
    assert _count("production-restores", period) == sent > 0
    assert _count("not-carried-out", period) == 3
    before = Period(period.first - dt.timedelta(days=90), period.first - dt.timedelta(days=1))
    assert _count("production-restores", before) == 0


def test_what_happened_in_a_sandbox_is_left_out_and_counted(people, period, dana):
    Scenes(people, is_sandbox=True).completed()
    found = counted(POPULATIONS["production-restores"], period)
    assert (found.total, found.excluded) == (0, 1)
    url = "/audit/populations/production-restores/"
    assert "1 of sandboxes are left out" in _shown(dana, url)
    assert "sandbox, no evidence" in _shown(dana, f"{url}?sandbox=1")


def test_members_lead_to_their_case_file_and_a_population_to_its_export(scenes, people, period, dana):
    request = scenes.completed()
    days = f"first={period.first}&last={period.last}"
    shown = _shown(dana, f"/audit/populations/production-restores/?{days}")
    assert f'href="/audit/cases/restores/{request.pk}/"' in shown
    export = f"/audit/exports/new/?{days}&family=request."
    assert export.replace("&", "&amp;") in shown
    form = _shown(dana, export)
    assert f'value="{period.first}"' in form
    assert '<option value="request." selected' in form
    assert "/audit/cases/access/" in _shown(dana, "/audit/populations/access-changes/?size=5&seed=a1")
    assert "/audit/cases/" not in _shown(dana, "/audit/populations/refusals/").split("<main")[1].split("u-list")[1]
    bob = Client()
    bob.force_login(people.bob.user)
    assert "file/?" not in _shown(bob, f"/audit/populations/production-restores/?{days}")
    assert "/audit/exports/new/" not in _shown(bob, f"/audit/populations/production-restores/?{days}")


def test_refusals_and_access_changes_are_populations(people, period, dana):
    refused, changes = _count("refusals", period), _count("access-changes", period)
    Client().post("/login/", {"username": "alice", "password": "wrong"})
    people.alice.user.groups.add(Group.objects.get(name="Auditor"))
    assert _count("refusals", period) == refused + 1
    assert _count("access-changes", period) == changes + 1


def test_the_list_goes_on_by_key_and_repeats_nobody(people, period, monkeypatch):
    monkeypatch.setattr("backups.selectors.audit.populations.PAGE_SIZE", 3)
    seen, after = [], ""
    while True:
        page = page_of(POPULATIONS["access-changes"], period, with_sandbox=False, after=after)
        seen += [item.id for item in page.items]
        after = page.after
        if not after:
            break
    everything = POPULATIONS["access-changes"].within(period).values_list("pk", flat=True)
    assert len(seen) == len(set(seen)) > 3
    assert set(seen) == {str(pk) for pk in everything}


@pytest.mark.parametrize("after", ["x", "2026-10-01", "2026-10-01T10:00:00~7", "2026-10-01T10:00:00+00:00~x"])
def test_a_key_that_no_page_gave_is_not_found(dana, after):
    assert dana.get("/audit/populations/access-changes/", {"after": after}).status_code == 404


def test_a_sample_is_drawn_again_by_hand(people, dana, period):
    page = _shown(dana, "/audit/populations/access-changes/?size=3&seed=binder-7")
    ids = [str(pk) for pk in POPULATIONS["access-changes"].within(period).values_list("pk", flat=True)]
    expected = sorted(ids, key=lambda each: hashlib.sha256(f"binder-7:{each}".encode()).hexdigest())[:3]
    assert all(each in page for each in expected)
    assert "a sample of 3" in page
    event = LedgerEvent.objects.filter(type="ledger.sampled").latest("recorded_at")
    assert event.members["data"]["sample_seed"] == "binder-7"
    assert event.members["data"]["population"] == "access-changes"


def test_a_whole_population_is_a_file_from_which_a_sample_is_drawn_without_the_portal(scenes, people, dana, period):
    for _ in range(3):
        scenes.rejected()
    RestoreRequest.objects.update(requester_name='=HYPERLINK("x")')
    days = f"first={period.first}&last={period.last}"
    answer = dana.get(f"/audit/populations/not-carried-out/file/?{days}")
    assert answer["Content-Disposition"].startswith('attachment; filename="not-carried-out-')
    head, *rows = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode(), newline=""))
    assert head[0] == "id"
    assert len(rows) == 3
    assert {row[3] for row in rows} == {'\'=HYPERLINK("x")'}
    first = min((row[0] for row in rows), key=lambda each: hashlib.sha256(f"a1:{each}".encode()).hexdigest())
    drawn = _shown(dana, f"/audit/populations/not-carried-out/?{days}&size=1&seed=a1")
    assert [row[0] for row in rows if f'<code class="wrap-anywhere">{row[0]}</code>' in drawn] == [first]
    taken = LedgerEvent.objects.get(type="ledger.population_taken")
    assert taken.members["data"]["population"] == "not-carried-out"
    assert dana.get("/audit/populations/nothing/file/").status_code == 404


@pytest.mark.parametrize(
    ("size", "seed"), [("0", ""), ("x", ""), ("201", ""), ("5", "no spaces"), ("5", "=1+1"), ("5", "-rf")]
)
def test_a_wrong_wish_for_a_sample_is_told_beside_the_field(dana, size, seed):
    answer = dana.get("/audit/populations/drills/", {"size": size, "seed": seed})
    assert answer.status_code == 422
    assert "No sample was drawn" in answer.content.decode()
    assert not LedgerEvent.objects.filter(type="ledger.sampled").exists()


@pytest.mark.parametrize(
    "query", ["first=2026-13-01", "first=2026-09-01&last=2026-07-01", "first=1900-01-01&last=2020-01-01"]
)
def test_a_wrong_period_is_told_and_this_quarter_is_shown(dana, query):
    page = _shown(dana, f"/audit/?{query}")
    assert "This quarter is shown" in page


def test_who_could_approve_follows_gift_and_revocation(people):
    before = database_now()
    people.alice.user.groups.add(Group.objects.get(name="Manager"))
    given = database_now()
    people.alice.user.groups.remove(Group.objects.get(name="Manager"))
    after = database_now()
    names = [{holder.login for holder in approvers_on(at).able} for at in (before, given, after)]
    assert names == [{"bob", "carol"}, {"alice", "bob", "carol"}, {"bob", "carol"}]
    gift = next(holder for holder in approvers_on(given).holders if holder.login == "alice")
    assert LedgerEvent.objects.get(pk=str(gift.given_with)).type == "access.role_granted"


def test_an_account_that_was_switched_off_could_not_approve(people):
    on = database_now()
    people.bob.user.is_active = False
    people.bob.user.save()
    assert "bob" in {holder.login for holder in approvers_on(on).able}
    off = next(holder for holder in approvers_on(database_now()).holders if holder.login == "bob")
    assert off.could_vote is False


def test_before_the_first_record_nothing_is_guessed(people, dana):
    page = _shown(dana, "/audit/approvers/?on=2020-01-01")
    assert "before the first record" in page
    assert "Nobody held a role that votes" in page


@pytest.mark.parametrize("on", ["yesterday", "2999-01-01", "2026-02-30"])
def test_a_moment_that_is_none_is_told_beside_the_field(dana, on):
    answer = dana.get("/audit/approvers/", {"on": on})
    assert answer.status_code == 422
    assert "is so now" in answer.content.decode()


def _broken(period: Period) -> dict[str, int]:
    return {found.title: len(found.cases) for found in exceptions(period, database_now())}


def test_votes_are_counted_again(scenes, period):
    request = scenes.completed()
    assert _broken(period)["Restores with too few votes"] == 0
    earlier = request.submitted_to_neon_at - dt.timedelta(seconds=1)
    request.votes.filter(pk=request.votes.first().pk).update(taken_back_at=earlier)
    assert _broken(period)["Restores with too few votes"] == 1


def test_a_voter_with_another_role_is_named(people, period, dana):
    assert _broken(period)["Voters with another role"] == 0
    people.bob.user.groups.add(Group.objects.get(name="Engineer"))
    assert _broken(period)["Voters with another role"] == 1
    assert "Voters with another role" in _shown(dana)


def test_the_number_of_queries_does_not_grow(scenes, people, dana):
    scenes.completed()
    _shown(dana)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            _shown(dana)
        counts.append(len(queries))
        for _ in range(4):
            scenes.completed()
    assert counts[0] == counts[1] <= 75


def test_a_page_is_read_on_record_once(dana):
    for url in ("/audit/", "/audit/approvers/", "/audit/populations/drills/"):
        before = LedgerEvent.objects.count()
        _shown(dana, url)
        assert LedgerEvent.objects.count() == before + 1


def test_how_long_records_are_kept_and_a_legal_hold_are_said_where_auditors_begin(dana, settings):
    settings.RETENTION_YEARS = 8
    today = database_now().date()
    for url in ("/audit/", "/audit/catalogue/"):
        page = _shown(dana, url)
        assert f"kept for 8 years at least: the oldest, of {today}, until {today.year + 8}-" in page
        assert "Legal hold" not in page
    settings.LEGAL_HOLD = "Doe v. <CareCircle>"
    assert "Legal hold (Doe v. &lt;CareCircle&gt;):" in _shown(dana)
