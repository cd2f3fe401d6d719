"""What restores left undone, daily copies that were not made, and what the portal itself removed."""

from __future__ import annotations

import datetime as dt

import pytest

from backups.domain.monitor import FindingCode, Severity
from backups.domain.restore import RestoreKind
from backups.domain.safety_copy import CopyKind, Origin
from backups.models import Checklist, Execution, OwnedBranch, RetrospectiveRecord, Review, SafetyCopy, SafetySchedule
from backups.selectors.clock import database_now
from backups.services.afterwards.retrospective import Account, drop_record, file_record
from backups.services.safety_copy.ask import CopyWish, ask_for_safety_copy
from backups.services.safety_copy.prune import prune_due_copies
from tests import factories
from tests.factories import People
from tests.services.monitor.conftest import World
from tests.services.sandboxes import run_to_end

pytestmark = pytest.mark.django_db
C = FindingCode
DAY = dt.timedelta(days=1)


def reviewed_late(world: World, people: People) -> Checklist:
    request = factories.pending(people.alice, world.branch)
    now = database_now()
    checklist = Checklist.objects.create(
        request=request, branch=world.branch, opened_at=now - 6 * DAY, review_due_at=now - DAY
    )
    Review.objects.create(checklist=checklist, asked_by=people.alice.user)
    return checklist


def test_an_overdue_review_is_found_until_it_is_signed(world: World, people: People) -> None:
    checklist = reviewed_late(world, people)
    world.look()
    found = world.open()[C.REVIEW_OVERDUE]
    assert (found.subject, found.severity) == (checklist.reference, Severity.WARNING)
    Review.objects.update(
        signed_by=people.carol.user, signed_by_name="carol", signed_at=database_now(), texts_sha256="sha256:x"
    )
    world.look()
    assert C.REVIEW_OVERDUE not in world.open()


def test_a_record_with_one_signature_is_found_after_two_days(
    world: World, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(
        branch_id=world.branch.pk, kind=RestoreKind.IN_PLACE, done_at=database_now() - DAY, done_by_name="Neon",
        why="No portal.", lost="Nothing.",
    )  # fmt: skip
    record = file_record(actor=people.bob.actor, account=account)
    world.look()
    assert C.RECORD_UNSIGNED not in world.open()
    from backups.services.monitor.controls import afterwards

    monkeypatch.setattr(afterwards, "_SIGNED_WITHIN", -DAY)
    world.look()
    assert world.open()[C.RECORD_UNSIGNED].subject == record.reference
    drop_record(actor=people.alice.actor, record_id=record.pk)
    world.look()
    assert C.RECORD_UNSIGNED not in world.open()
    assert RetrospectiveRecord.objects.count() == 1


def test_a_daily_copy_that_was_not_made_is_found_until_one_is(world: World, people: People) -> None:
    now = database_now()
    schedule = SafetySchedule.objects.create(
        branch=world.branch, hour=2, keep_days=7, since=now - 3 * DAY, changed_by_name="alice"
    )
    world.look()
    assert world.open()[C.DAILY_COPY_OVERDUE].subject == world.branch_id
    SafetyCopy.objects.create(
        branch=world.branch, kind="snapshot", state="made", neon_id="snap-1", origin=Origin.SCHEDULE,
        asked_by_name="worker", schedule=schedule, slot_at=now, keep_days=7, created_at=now,
        expires_at=now + 7 * DAY, made_at=now,
    )  # fmt: skip
    world.look()
    assert C.DAILY_COPY_OVERDUE not in world.open()


def test_what_people_decided_to_keep_longer_is_no_finding(world: World, people: People) -> None:
    checklist = reviewed_late(world, people)
    world.api.make_branch("main_before_x", parent_id=world.branch_id)
    made = world.api.named("main_before_x")
    OwnedBranch.objects.create(
        project=world.project, name="main_before_x", neon_branch_id=made["id"], purpose="preserved", fate="present",
        owner_name="alice", request=checklist.request,
    )  # fmt: skip
    OwnedBranch.objects.update(created_at=database_now() - 9 * DAY)
    world.look()
    assert C.PRESERVED_KEPT in world.open()
    Checklist.objects.update(kept_until=database_now() + 9 * DAY)
    world.look()
    assert C.PRESERVED_KEPT not in world.open()


@pytest.mark.parametrize("kind", list(CopyKind))
def test_a_copy_that_the_portal_made_and_removed_is_no_finding(world: World, people: People, kind: CopyKind) -> None:
    world.look()
    wish = CopyWish(branch_id=world.branch.pk, reason="migration", kind=kind)
    copy = ask_for_safety_copy(actor=people.alice.actor, wish=wish, origin=Origin.PAGE)
    run_to_end(Execution.objects.get(safety_copy=copy))
    world.look()
    past = database_now() - dt.timedelta(minutes=1)
    SafetyCopy.objects.filter(pk=copy.pk).update(expires_at=past, created_at=past - 7 * DAY)
    OwnedBranch.objects.filter(safety_copy=copy).update(expires_at=past)
    if kind is CopyKind.SNAPSHOT:
        prune_due_copies()
    else:
        from backups.services.dispose import dispose_due_branches

        dispose_due_branches()
    run_to_end(Execution.objects.filter(purpose__in=["prune", "dispose"]).latest("pk"))
    world.look()
    assert not {code for code in world.open() if code.endswith("_outside") or code in {C.ORPHAN, C.OWNED_MISSING}}
