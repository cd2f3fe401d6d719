"""One of everything that is left after a restore, for tests of pages."""

from __future__ import annotations

import datetime as dt
from typing import Any

from backups.domain.restore import RestoreKind
from backups.domain.safety_copy import CopyState, Origin, TokenScope
from backups.models import Checklist, OwnedBranch, SafetyCopy
from backups.selectors.clock import database_now
from backups.services.afterwards.removal import ask_removal_of_state
from backups.services.afterwards.retrospective import Account, file_record
from backups.services.safety_copy.ask import CopyWish, ask_for_safety_copy
from backups.services.tokens import make_token
from tests.support.scenes import Scenes

HOUR = dt.timedelta(hours=1)


class AfterwardsScene:
    """A restore with its list, a record by hand, a wish to delete, a safety copy and a token."""

    def __init__(self, scenes: Scenes) -> None:
        people = scenes.people
        self.people = people
        self.request = scenes.completed()
        self.branch = self.request.branch
        self.checklist = Checklist.objects.get(request=self.request)
        self.kept = OwnedBranch.objects.get(request=self.request, purpose="preserved")
        self.removal = ask_removal_of_state(
            actor=people.alice.actor, owned_branch_id=self.kept.pk, reason="Nothing is missed."
        )
        now = database_now()
        self.record = file_record(
            actor=people.bob.actor,
            account=Account(
                branch_id=self.branch.pk,
                kind=RestoreKind.IN_PLACE,
                done_at=now - HOUR,
                done_by_name="Neon support",
                why="The portal was not there yet.",
                lost="An hour of entries.",
            ),
        )
        self.copy = self.made_copy()
        self.token, self.secret = make_token(
            actor=people.erin.actor, label="deploy pipeline", scopes=[TokenScope.SAFETY_COPY], days=30
        )

    def made_copy(self) -> SafetyCopy:
        """A snapshot that Neon has."""
        wish = CopyWish(branch_id=self.branch.pk, reason="migration 0042")
        copy = ask_for_safety_copy(actor=self.people.alice.actor, wish=wish, origin=Origin.PAGE)
        SafetyCopy.objects.filter(pk=copy.pk).update(
            state=CopyState.MADE, kind="snapshot", neon_id="snap-calm-sea-7", made_at=database_now()
        )
        copy.refresh_from_db()
        return copy


def of_afterwards(scene: AfterwardsScene) -> dict[str, tuple[Any, ...]]:
    """What the addresses of these pages are made with."""
    checklist, copy = (scene.checklist.pk,), (scene.copy.pk,)
    names = ("afterwards", "afterwards-keep", "afterwards-action", "removal-state", "review", "review-write")
    found: dict[str, tuple[Any, ...]] = {f"ops:{name}": checklist for name in (*names, "review-sign")}
    found |= {f"ops:{name}": () for name in ("afterwards-list", "retrospective-new", "safety-copies", "tokens")}
    found |= {"ops:safety-copy-new": (), "ops:token-new": (), "ops:token-revoke": (scene.token.pk,)}
    found |= {"ops:safety-copy": copy, "ops:safety-copy-remove": copy, "ops:safety-schedule": (scene.branch.pk,)}
    found |= {"ops:retrospective": (scene.record.pk,), "ops:retrospective-decide": (scene.record.pk,)}
    found |= {"ops:removal": (scene.removal.pk,), "ops:afterwards-setup": (scene.branch.pk,)}
    first = scene.checklist.points.order_by("position").first()
    return found | {"ops:afterwards-point": (scene.checklist.pk, first.pk if first else 0)}
