"""What the portal itself ordered at Neon: whatever it explains was not done behind its back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.db.models import Q

from backups.domain.backup_plan import Rule, drift
from backups.domain.execution import IntentKind, IntentOutcome
from backups.models import Intent, Project
from backups.neon.types import Operation
from backups.selectors.restore import exchanges_under_way

#: Neon's clock and the portal's may be this far apart.
CLOCK_ALLOWANCE = dt.timedelta(minutes=2)
#: Neon tells resets in whole seconds, and an operation is made a moment before its effect.
_SAME_MOMENT = dt.timedelta(seconds=10)
_K, _O = IntentKind, IntentOutcome
_OPEN = frozenset({_O.PENDING, _O.UNKNOWN})
EXCHANGES = frozenset({_K.RESTORE_SNAPSHOT, _K.FINALIZE_RESTORE})


class Word(StrEnum):
    """Whether a change is the portal's own."""

    OURS = "ours"
    PERHAPS = "perhaps"  # an order is not settled yet, so the change is judged again in the next cycle
    OUTSIDE = "outside"


@dataclass(frozen=True)
class Explanations:
    """The orders that can explain what changed since `since`."""

    project: Project
    since: dt.datetime
    operations: tuple[Operation, ...] = ()

    @cached_property
    def intents(self) -> list[Intent]:
        """Orders from about that time on, and older ones that are not settled."""
        recent = Q(created_at__gte=self.since - dt.timedelta(hours=1)) | Q(outcome__in=[o.value for o in sorted(_OPEN)])
        recent |= Q(settled_at__gte=self.since - CLOCK_ALLOWANCE)
        return list(Intent.objects.filter(recent, execution__project=self.project).exclude(outcome=_O.REFUSED))

    @cached_property
    def our_operations(self) -> frozenset[str]:
        """Ids of operations that Neon began for our orders."""
        return frozenset(each for intent in self.intents for each in intent.operation_ids)

    @cached_property
    def exchange_under_way(self) -> bool:
        """A snapshot is taking a branch's place: ids and names say nothing until the run has followed them."""
        return bool(exchanges_under_way(self.project)) or self._any_open(EXCHANGES)

    def is_part_of_our_exchange(self, branch_id: str, snapshot_id: str) -> bool:
        """Whether an exchange of ours ended since the last look and this branch was one side of it: then its name,
        marks and reset time changed with it."""
        return any(
            intent.kind in EXCHANGES
            and intent.outcome == _O.APPLIED
            and (intent.settled_at is None or intent.settled_at >= self.since - CLOCK_ALLOWANCE)
            and (
                branch_id in {intent.target_branch_id, intent.facts.get("branch_id"), intent.facts.get("copy_id")}
                or (snapshot_id != "" and snapshot_id == intent.facts.get("snapshot"))
            )
            for intent in self.intents
        )

    def reset(self, branch_id: str, at: dt.datetime) -> Word:
        """Of a branch that was overwritten at `at` (Neon's clock)."""
        orders = self._orders({_K.RESTORE_BRANCH}, branch_id)
        if any(self._is_reset_of(intent, at) for intent in orders if intent.outcome == _O.APPLIED):
            return Word.OURS
        return Word.PERHAPS if any(intent.outcome in _OPEN for intent in orders) else Word.OUTSIDE

    def deletion(self, branch_id: str) -> Word:
        """Of a branch that is not there any more."""
        return self._word(self._orders({_K.DELETE_BRANCH}, branch_id))

    def snapshot_deletion(self, snapshot_id: str, name: str) -> Word:
        """Of a snapshot that is not there any more; the order names it, or has its id among its facts."""
        orders = [
            intent
            for intent in self.intents
            if "delete" in intent.kind and (intent.name == name or snapshot_id in map(str, intent.facts.values()))
        ]
        return self._word(orders)

    def schedule(self, branch_id: str, items: Sequence[Rule]) -> Word:
        """Of a backup schedule that reads otherwise than before."""
        orders = self._orders({_K.PUT_SCHEDULE}, branch_id)
        return self._word([each for each in orders if _same(each.facts.get("schedule", []), items)])

    def history(self, seconds: int) -> Word:
        """Of a history window that has another length than before."""
        orders = [intent for intent in self.intents if intent.kind == _K.UPDATE_PROJECT]
        return self._word([intent for intent in orders if intent.facts.get("history_seconds") == seconds])

    def exchange(self, snapshot_id: str) -> Word:
        """Of a branch that came from a snapshot and took another one's place."""
        orders = [
            intent
            for intent in self.intents
            if intent.kind in EXCHANGES and intent.facts.get("snapshot", snapshot_id) == snapshot_id
        ]
        return self._word(orders)

    def foreign(self, operations: Iterable[Operation]) -> list[Operation]:
        """Those that none of our orders began."""
        return [operation for operation in operations if operation.id not in self.our_operations]

    def _is_reset_of(self, intent: Intent, at: dt.datetime) -> bool:
        """By Neon's own clock where its operations are known; else by ours, with an allowance."""
        ours = [each for each in self.operations if each.id in set(intent.operation_ids) and each.created_at]
        if ours:
            return any(abs(at - each.created_at) <= _SAME_MOMENT for each in ours if each.created_at)
        until = intent.settled_at or intent.call_deadline_at
        return bool(intent.created_at - CLOCK_ALLOWANCE <= at <= until + CLOCK_ALLOWANCE)

    def _orders(self, kinds: set[IntentKind], branch_id: str) -> list[Intent]:
        return [each for each in self.intents if each.kind in kinds and each.target_branch_id == branch_id]

    def _any_open(self, kinds: frozenset[IntentKind]) -> bool:
        return any(intent.kind in kinds and intent.outcome in _OPEN for intent in self.intents)

    @staticmethod
    def _word(orders: list[Intent]) -> Word:
        if any(intent.outcome == _O.APPLIED for intent in orders):
            return Word.OURS
        return Word.PERHAPS if any(intent.outcome in _OPEN for intent in orders) else Word.OUTSIDE


def _same(ordered: list[dict[str, Any]], items: Sequence[Rule]) -> bool:
    return drift(wanted=[Rule.from_json(each) for each in ordered], found=items).is_none
