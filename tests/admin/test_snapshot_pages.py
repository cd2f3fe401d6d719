"""A restore from a snapshot on the pages: what there is to choose from, what it costs, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from backups.domain.consequence import SHRINKS
from backups.domain.people import SYSTEM
from backups.domain.restore import RestoreKind, SnapshotMode
from backups.models import ProtectedBranch, RestoreRequest
from backups.neon.secret import Secret
from backups.services.secrets import store_api_key
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests import factories
from tests.admin.test_filing import NEW, typed
from tests.admin.test_pages_show import show, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def branch(sandbox: RunningSandbox, people: Any) -> ProtectedBranch:
    project = factories.project(api_host=sandbox.url, neon_project_id=sandbox.project_id)
    with transaction.atomic():
        store_api_key(project=project, api_key=Secret(sandbox.api_key), actor=SYSTEM)
    people.all()
    return factories.branch(project, neon_branch_id=sandbox.branch_id)


@pytest.fixture
def alice(people: Any, log_in: Any) -> Client:
    client: Client = log_in(people.alice)
    return client


def chosen(branch: ProtectedBranch, snapshot_id: str, **changes: Any) -> dict[str, Any]:
    no_time = {"point_date": "", "point_time": ""}
    wanted = {"kind": "snapshot", "point_kind": "snapshot", "snapshot": snapshot_id, "snapshot_mode": "preview_first"}
    return typed(branch, **no_time | wanted | changes)


def test_snapshots_are_offered_with_when_how_and_of_what(sandbox, branch, alice):
    sandbox.take_snapshot(name="before-release")
    page = alice.get(NEW).content.decode()
    (option,) = re.findall(r"<option value=\"[^\"]*\">(before-release[^<]*)", page)
    assert re.search(r"taken .* UTC · of main · by hand", option)
    assert "expires" not in option
    assert SHRINKS.replace("'", "&#x27;") in page


def test_what_is_filed_holds_what_neon_says_of_the_snapshot(sandbox, branch, alice):
    taken = sandbox.take_snapshot(name="before-release")
    answer = alice.post(NEW, chosen(branch, taken.id), follow=True)
    request = RestoreRequest.objects.get()
    assert (request.kind, request.snapshot_mode) == (RestoreKind.SNAPSHOT, SnapshotMode.PREVIEW_FIRST)
    assert (request.snapshot_id, request.snapshot_name) == (taken.id, "before-release")
    assert request.point_at is not None
    words = text_of(answer)
    assert "Replace ALL of production by a snapshot taken" in words
    assert "from the snapshot before-release" in words
    assert SHRINKS in words


def test_one_step_is_only_what_was_chosen(sandbox, branch, alice):
    taken = sandbox.take_snapshot(name="before-release")
    alice.post(NEW, chosen(branch, taken.id, snapshot_mode="one_step"))
    assert RestoreRequest.objects.get().snapshot_mode == SnapshotMode.ONE_STEP


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"snapshot": ""}, "Choose the snapshot to restore from."),
        ({"snapshot": "snap-no-such-1"}, "Neon does not show this snapshot in the branch's project."),
        ({"kind": "in_place"}, "A snapshot replaces the whole branch: choose that here"),
        ({"kind": "new_branch"}, "A snapshot replaces the whole branch: choose that here"),
        ({"point_kind": "lsn", "point_lsn": "0/1"}, "choose “a snapshot” here"),
        ({"snapshot_mode": "twice"}, "is not one of the available choices"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said_beside_its_field_and_nothing_is_saved(sandbox, branch, alice, changes, sentence):
    taken = sandbox.take_snapshot(name="before-release")
    answer = alice.post(NEW, chosen(branch, taken.id, **changes))
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not RestoreRequest.objects.exists()


def test_a_snapshot_of_another_project_is_refused(sandbox, branch, alice):
    """A posted form is no proof that the page offered it."""
    with running_sandbox() as other:
        foreign = other.take_snapshot(name="elsewhere")
        answer = alice.post(NEW, chosen(branch, foreign.id))
    assert answer.status_code == 422
    assert not RestoreRequest.objects.exists()


@pytest.mark.parametrize("kind", ["status", "html"])
def test_where_neon_can_t_be_asked_the_form_says_so_and_everything_else_can_be_filed(sandbox, branch, alice, kind):
    sandbox.faults.add(kind, status=500, times=None, method="GET", path="/snapshots$")
    page = alice.get(NEW)
    assert "Neon could not be asked for snapshots." in text_of(page)
    assert alice.post(NEW, chosen(branch, "snap-1")).status_code == 422
    assert not RestoreRequest.objects.exists()
    alice.post(NEW, typed(branch))
    assert RestoreRequest.objects.get().kind == RestoreKind.IN_PLACE


def test_filing_again_and_editing_keep_the_snapshot(sandbox, branch, alice):
    taken = sandbox.take_snapshot(name="before-release")
    alice.post(NEW, chosen(branch, taken.id))
    request = RestoreRequest.objects.get()
    for url in (f"{NEW}?like={request.pk}", reverse("ops:edit", args=[request.pk])):
        page = alice.get(url).content.decode()
        assert re.search(rf'<option value="{taken.id}" selected>', page)
        assert re.search(r'name="kind" value="snapshot"[^>]*checked', page)
    alice.post(reverse("ops:edit", args=[request.pk]), typed(branch))
    request.refresh_from_db()
    assert (request.kind, request.snapshot_id, request.snapshot_mode) == (RestoreKind.IN_PLACE, "", "")


def test_the_project_page_lists_them_and_leads_to_the_form(sandbox, branch, alice, people, log_in):
    taken = sandbox.take_snapshot(name="before-release")
    url = reverse("ops:project", args=[branch.project.pk])
    page = alice.get(url)
    assert "before-release" in text_of(page)
    link = f"{NEW}?snapshot={taken.id}"
    assert link in page.content.decode()
    assert link not in log_in(people.dana).get(url).content.decode()
    form = alice.get(link).content.decode()
    assert re.search(rf'<option value="{taken.id}" selected>', form)


def test_the_project_page_tells_unknown_from_none(sandbox, branch, alice):
    url = reverse("ops:project", args=[branch.project.pk])
    assert "Neon shows no snapshot in this project." in text_of(alice.get(url))
    sandbox.faults.add("status", status=500, times=None, method="GET", path="/snapshots$")
    words = text_of(alice.get(url))
    assert "Neon shows no snapshot" not in words
    assert "Unknown. Neon could not be asked for snapshots." in words


def test_the_page_and_the_vote_say_from_which_snapshot_and_what_it_costs(people, scenes, log_in):
    request = scenes.snapshot_pending()
    words = show(log_in(people.bob), request)
    assert "Replace ALL of production by a snapshot taken 20 h" in words
    assert "nightly" in words
    assert "Preview first" in words
    assert "not in one step; the state before is kept as main_before_" in words
    sheet = text_of(log_in(people.bob).get(reverse("ops:vote", args=[request.pk])))
    assert "From the snapshot nightly" in sheet
    assert SHRINKS in sheet


def test_a_branch_from_a_snapshot_is_not_said_to_go_back_to_any_second(people, scenes, log_in):
    request = scenes.completed()
    start = log_in(people.erin)
    assert "To any second since" in text_of(start.get("/"))
    ProtectedBranch.objects.filter(pk=request.branch_id).update(is_from_snapshot=True)
    words = text_of(start.get("/"))
    assert "To any second since" not in words
    assert "Not to points in time for now: it came from a snapshot" in words
    project = text_of(start.get(reverse("ops:project", args=[request.branch.project_id])))
    assert "root, from a snapshot: can't be restored in place for now" in project


def test_a_completed_one_offers_no_undo_and_says_what_there_is(people, scenes, log_in):
    request = scenes.snapshot_completed()
    answer = log_in(people.alice).get(reverse("ops:request", args=[request.pk]))
    words = text_of(answer)
    assert "Restored from the snapshot and verified" in words
    assert "There is no undo of a restore from a snapshot" in words
    assert "Take a snapshot of it and file a restore from that" in words
    assert reverse("ops:undo", args=[request.pk]) not in answer.content.decode()
