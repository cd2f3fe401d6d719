"""Filters, search and paging of the ledger's list: each is answered by an index, however long the ledger is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, ChangeList
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Expression, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from backups.domain.ledger import Outcome
from backups.models import LedgerEvent
from backups.services.ledger import event_meanings

COUNTED_UP_TO = 10_000

_TARGET_KINDS = (
    ("restore_request", "Restore request"),
    ("execution", "Execution"),
    ("look", "Look at a past moment"),
    ("drill", "Drill"),
    ("drill_plan", "Drill plan"),
    ("finding", "Finding"),
    ("safety_copy", "Safety copy"),
    ("schedule", "Backup schedule"),
    ("checklist", "Checklist after a restore"),
    ("review", "Review after a restore"),
    ("retrospective", "Record of a restore by hand"),
    ("action", "Corrective action"),
    ("token", "Token"),
    ("system", "The installation"),
    ("duty", "Duty"),
    ("project", "Project"),
    ("branch", "Branch"),
    ("account", "Account"),
    ("policy", "Policy"),
    ("page", "Page"),
    ("portal", "Portal"),
)
_WORLDS = (
    ("real", "Real project"),
    ("sandbox", "Sandbox: no evidence"),
    ("unknown", "Project not known"),
    ("portal", "Portal only"),
)


class _ColumnFilter(admin.SimpleListFilter):
    """Equality on one column, with choices that need no look at the events."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEvent]) -> QuerySet[LedgerEvent]:
        value = self.value()
        return queryset.filter(Q((self.parameter_name, value))) if value else queryset


class TypeFilter(_ColumnFilter):
    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The families, and the types of the one that is chosen."""
        chosen = (self.value() or "").partition(".")[0]
        families = sorted({code.partition(".")[0] for code in event_meanings()})
        return [
            choice
            for family in families
            for choice in ((f"{family}.", family), *(_types_of(family) if family == chosen else ()))
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEvent]) -> QuerySet[LedgerEvent]:
        value = self.value()
        if value and value.endswith("."):
            return queryset.filter(type__in=[code for code in event_meanings() if code.startswith(value)])
        return super().queryset(request, queryset)


def _types_of(family: str) -> list[tuple[str, str]]:
    return [(code, code) for code in event_meanings() if code.startswith(f"{family}.")]


class ActorFilter(_ColumnFilter):
    title = "actor"
    parameter_name = "actor_ref"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = User.objects.order_by("username").values_list("pk", "username")
        return [
            *((f"user:{pk}", login) for pk, login in people),
            ("kind:system", "the portal itself"),
            ("kind:anonymous", "nobody logged in"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEvent]) -> QuerySet[LedgerEvent]:
        value = self.value() or ""
        if value.startswith("kind:"):
            return queryset.filter(actor_kind=value.removeprefix("kind:"))
        return super().queryset(request, queryset)


class TargetFilter(_ColumnFilter):
    title = "target"
    parameter_name = "target_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:
        return _TARGET_KINDS


class OutcomeFilter(_ColumnFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(outcome.value, outcome.value) for outcome in Outcome]


class WorldFilter(_ColumnFilter):
    title = "counts as evidence"
    parameter_name = "world"

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:
        return _WORLDS


class RecordedFilter(admin.ListFilter):
    """From one day to another, in UTC. Django's date hierarchy would read every row to list its years."""

    title = "day recorded (UTC)"
    template = "admin/backups/ledgerevent/date_filter.html"
    _NAMES = ("recorded_from", "recorded_to")

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self._NAMES:
            value = params.pop(name, [""])[-1]
            if value:
                self.used_parameters[name] = value
        own = {*self._NAMES, PAGE_VAR, ERROR_FLAG}
        self._others = [(name, value) for name, values in request.GET.lists() if name not in own for value in values]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self._NAMES)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield {
            "first": self.used_parameters.get("recorded_from", ""),
            "last": self.used_parameters.get("recorded_to", ""),
            "others": self._others,
            "chosen": bool(self.used_parameters),
            "all_days": changelist.get_query_string(remove=list(self._NAMES)),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEvent]) -> QuerySet[LedgerEvent]:
        first = self._midnight("recorded_from", days_later=0)
        after = self._midnight("recorded_to", days_later=1)
        if first:
            queryset = queryset.filter(recorded_at__gte=first)
        return queryset.filter(recorded_at__lt=after) if after else queryset

    def _midnight(self, name: str, *, days_later: int) -> datetime | None:
        text = str(self.used_parameters.get(name, ""))
        if not text:
            return None
        try:
            return datetime.combine(date.fromisoformat(text), time.min, tzinfo=UTC) + timedelta(days=days_later)
        except (ValueError, OverflowError):
            raise IncorrectLookupParameters(f"{name} is no day") from None


class NewestFirst(ChangeList):
    """No address can ask for another order, which would sort the whole ledger."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Expression | str]:
        return ["-recorded_at", "-id"]


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to a bound: the exact number of a ledger's rows would be read from every one of them."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[LedgerEvent] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: COUNTED_UP_TO + 1].count()


def found(term: str) -> Q:
    """Events in which this exact word is a value anywhere, or whose actor's or type's name contains it."""
    types = [code for code in event_meanings() if term.lower() in code]
    people = User.objects.filter(username__icontains=term).values_list("pk", flat=True)
    hits = Q(members__has_value=term) | Q(type__in=types) | Q(actor_ref__in=[f"user:{pk}" for pk in people])
    return hits | Q(pk=term) if _is_uuid(term) else hits


def _is_uuid(term: str) -> bool:
    try:
        UUID(term)
    except ValueError:
        return False
    return True
