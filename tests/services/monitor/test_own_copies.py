"""Safety copies that the portal makes and removes are neither orphans nor losses; those that somebody took away are."""

from __future__ import annotations

import pytest

from backups.domain.safety_copy import CopyKind
from backups.models import Execution, Finding, SafetyCopy
from tests.factories import People
from tests.services.monitor.conftest import World
from tests.services.safety_copy.test_making import asked, made
from tests.services.safety_copy.test_removing import PRUNE, end_retention
from tests.services.sandboxes import run_to_end

pytestmark = pytest.mark.django_db
BOTH = pytest.mark.parametrize("kind", list(CopyKind))


def watched(world: World) -> list[str]:
    world.look()
    found = Finding.objects.filter(control__in=["outside", "orphans", "owned"])
    return [f"{each.code}: {each.sentence}" for each in found]


def copy_of(world: World, people: People, kind: CopyKind) -> SafetyCopy:
    return made(asked(people, world.branch, kind))


@BOTH
def test_made_and_removed_it_accuses_nobody(world: World, people: People, kind: CopyKind) -> None:
    assert watched(world) == []
    copy = copy_of(world, people, kind)
    assert watched(world) == []
    end_retention(copy)
    assert PRUNE[kind]() == 1
    run_to_end(Execution.objects.filter(purpose__in=["prune", "dispose"]).latest("pk"))
    assert watched(world) == []


@BOTH
def test_taken_away_by_somebody_else_it_is_told(world: World, people: People, kind: CopyKind) -> None:
    copy = copy_of(world, people, kind)
    world.look()
    path = "snapshots" if kind is CopyKind.SNAPSHOT else "branches"
    world.api.done(world.api.call("DELETE", f"/{path}/{copy.neon_id}"))
    world.look()
    assert world.open()["owned_missing"].subject == copy.neon_id


def test_a_snapshot_with_our_kind_of_name_that_nobody_knows_is_an_orphan(world: World) -> None:
    taken = world.api.take_snapshot(world.branch_id, name="safety-main-S-9999")
    world.look()
    assert world.open()["orphan"].subject == taken["id"]
