"""What the checks of a drill are given: the copy, the branch it came from, and what the plan demands."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils.crypto import salted_hmac

from backups.models import Canary, CanaryBeat, Drill, ProtectedBranch
from backups.services.execution.context import StepContext
from backups.services.execution.drill_frame import drill_of
from backups.services.execution.own_copies import addresses
from backups.verification.drill import Beat, CheckPack, DrillTarget, Operator, OwnCheck, known_around

#: How far around the point the canaries are read.
_BEATS_AROUND = dt.timedelta(hours=2)
_HASHES = "backups.services.execution.drill_target"


def targets(context: StepContext, copy_id: str) -> list[DrillTarget]:
    """One for each database of the copy, the main one first. Raises NeonError."""
    drill, branch = drill_of(context), context.branch
    copies = addresses(context, copy_id)
    sources = addresses(context, branch.neon_branch_id)
    main = branch.database_name if branch.database_name in copies else next(iter(copies), "")
    canary = Canary.objects.filter(branch=branch).first()
    beats = _known_beats(context, drill, branch) if canary is not None else ()
    return [
        DrillTarget(
            database=name,
            copy=copies[name],
            source=sources.get(name),
            point_at=drill.point_at,
            pack=_pack(drill, branch, name, main=main, canary=canary),
            known_beats=beats if name == main else (),
            canary_since=canary.started_at if canary is not None and name == main else None,
            hash_key=salted_hmac(_HASHES, str(branch.pk), algorithm="sha256").digest(),
        )
        for name in sorted(copies, key=lambda each: (each != main, each))
    ]


def _pack(drill: Drill, branch: ProtectedBranch, database: str, *, main: str, canary: Canary | None) -> CheckPack:
    facts = drill.plan_facts
    return CheckPack(
        required_tables=tuple(branch.required_tables) if database == main else (),
        left_out=frozenset(facts["left_out_checks"]),
        row_tolerance_share=facts["row_tolerance_parts_per_million"] / 1_000_000,
        rpo_objective_seconds=facts["rpo_objective_seconds"],
        # A canary that is off since says nothing about points after its end.
        has_canary=database == main and canary is not None and _was_on(canary, drill),
        own_checks=tuple(
            _own_check(position, each)
            for position, each in enumerate(facts["own_checks"], start=1)
            if (each["database"] or main) == database
        ),
    )


def _was_on(canary: Canary, drill: Drill) -> bool:
    if drill.point_at is None or canary.started_at > drill.point_at:
        return False
    return canary.is_on or (canary.last_written_at is not None and canary.last_written_at >= drill.point_at)


def _own_check(position: int, facts: dict[str, Any]) -> OwnCheck:
    return OwnCheck(
        key=f"own-{position}",
        title=facts["title"],
        statement=facts["statement"],
        operator=Operator(facts["operator"]),
        expected=facts["expected"],
        expected_to=facts["expected_to"],
        required=facts["is_required"],
    )


def _known_beats(context: StepContext, drill: Drill, branch: ProtectedBranch) -> tuple[Beat, ...]:
    """What the portal wrote around the point, as far as it belongs to what the branch's history is now."""
    if drill.point_at is None:
        return ()
    begins = context.memory.get("history_begins_at")
    rows = CanaryBeat.objects.filter(branch=branch, written_at__lte=drill.point_at + _BEATS_AROUND)
    if begins:
        rows = rows.filter(written_at__gte=dt.datetime.fromisoformat(begins))
    newest_first = rows.order_by("-written_at").values_list("number", "written_at")
    near = newest_first.filter(written_at__gt=drill.point_at - _BEATS_AROUND)
    before = newest_first.filter(written_at__lte=drill.point_at)[:1]
    return known_around((Beat(*row) for row in {*near, *before}), drill.point_at)
