"""The list of events: narrowed in any combination, newest first, paged by key, quick however long the ledger is.

PostgreSQL has an index in the order of time for each single filter (models/ledger.py). For several filters at once it
guesses how many events fit all of them, as if one said nothing about the other, and where none fits ("this person, and
calls to Neon") it reads an index in order to its end in vain. So the guess is taken away from it:

1. Of each filter's index the next few hundred events are looked at. Where all filters together fit often, that
   is a page, whatever the rest of the ledger holds.
2. Else they fit seldom. Then `ledger_members`, which holds every value of every event, finds those in which all of
   the values are (29 ms for two of them in 2,000,000 events, where two other indexes took 900), and they are sorted:
   ordering by an expression that no index has keeps PostgreSQL from walking one in order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet

from backups.domain.ledger import Outcome
from backups.models import LedgerEvent

PAGE_SIZE = 50
#: How many events of one index are looked at before the filters count as seldom fitting together.
WINDOW = 500


@dataclass(frozen=True, slots=True)
class Key:
    """An event's place in the order of the list."""

    recorded_at: dt.datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Word:
    """A searched word: a value anywhere in the event, a part of a login, or one of the types whose name holds it."""

    text: str
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """What the list is narrowed to; empty means everything.

    `person` is an actor's ref, or `kind:` and a kind of actor. `role` is one that the actor held at that time.
    `family_types` are the types of the family. `begins_at` is included, `ends_before` is not.
    """

    person: str = ""
    role: str = ""
    target_kind: str = ""
    target_id: str = ""
    type: str = ""
    family: str = ""
    family_types: tuple[str, ...] = ()
    outcome: str = ""
    world: str = ""
    correlation: str = ""
    web_request: str = ""
    words: tuple[Word, ...] = ()
    begins_at: dt.datetime | None = None
    ends_before: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page, newest first. `older` and `newer` are the keys that the neighbouring pages begin at; None at an end."""

    events: list[LedgerEvent]
    older: Key | None
    newer: Key | None


@dataclass(frozen=True, slots=True)
class _Condition:
    """`is_ordered`: an index holds the events that fit in the order of time.

    `values`: every event that fits has one of these among its values; empty when that says nothing.
    """

    fits: Q
    is_ordered: bool = True
    values: tuple[str, ...] = ()


def event_page(wanted: EventFilter, *, older_than: Key | None = None, newer_than: Key | None = None) -> EventPage:
    """The page next to a key, or the newest. The long columns are not read."""
    upwards = newer_than is not None
    rows = _next_events(wanted, _span(wanted, older_than, newer_than), PAGE_SIZE + 1, upwards=upwards)
    events, has_more = rows[:PAGE_SIZE], len(rows) > PAGE_SIZE
    if upwards:
        events.reverse()
    if not events:
        return EventPage([], None, None)
    return EventPage(
        events,
        older=key_of(events[-1]) if has_more or upwards else None,
        newer=key_of(events[0]) if (has_more and upwards) or older_than else None,
    )


def key_of(event: LedgerEvent) -> Key:
    """Where the event stands."""
    return Key(event.recorded_at, event.pk)


def events_beside(key: Key) -> tuple[LedgerEvent | None, LedgerEvent | None]:
    """The event before this place in time, and the one after it."""
    everything = EventFilter()
    before = _next_events(everything, _span(everything, key, None), 1, upwards=False)
    after = _next_events(everything, _span(everything, None, key), 1, upwards=True)
    return (before[0] if before else None), (after[0] if after else None)


def _next_events(wanted: EventFilter, span: Q, count: int, *, upwards: bool) -> list[LedgerEvent]:
    conditions = list(_conditions(wanted))
    within = LedgerEvent.objects.filter(span)
    fitting = within.filter(*(condition.fits for condition in conditions)).defer("body", "members")
    order = ("recorded_at", "id") if upwards else ("-recorded_at", "-id")
    ordered = [condition for condition in conditions if condition.is_ordered]
    if len(conditions) <= 1 and len(ordered) == len(conditions):
        return list(fitting.order_by(*order)[:count])
    for driver in [within.filter(condition.fits) for condition in ordered] or [within]:
        window = driver.order_by(*order).values("pk")[:WINDOW]
        found = list(fitting.filter(pk__in=window).order_by(*order)[:count])
        if len(found) == count or window.count() < WINDOW:
            return found
    values = [condition.values for condition in conditions if condition.values]
    return list(_sorted_afterwards(fitting.filter(*_all_among_the_values(values)), upwards=upwards)[:count])


def _all_among_the_values(values: list[tuple[str, ...]]) -> list[Q]:
    return [Q(members__has_value=list(alternatives)) for alternatives in values]


def _sorted_afterwards(fitting: QuerySet[LedgerEvent], *, upwards: bool) -> QuerySet[LedgerEvent]:
    moment = F("recorded_at") + dt.timedelta(0)
    return fitting.order_by(moment.asc(), "id") if upwards else fitting.order_by(moment.desc(), "-id")


def _span(wanted: EventFilter, older_than: Key | None, newer_than: Key | None) -> Q:
    """The stretch of time, and in it what lies beyond the key. The bound on the time alone is for the index."""
    span = Q()
    if wanted.begins_at:
        span &= Q(recorded_at__gte=wanted.begins_at)
    if wanted.ends_before:
        span &= Q(recorded_at__lt=wanted.ends_before)
    if older_than:
        beyond = Q(recorded_at__lt=older_than.recorded_at) | Q(id__lt=older_than.id)
        span &= Q(recorded_at__lte=older_than.recorded_at) & beyond
    if newer_than:
        beyond = Q(recorded_at__gt=newer_than.recorded_at) | Q(id__gt=newer_than.id)
        span &= Q(recorded_at__gte=newer_than.recorded_at) & beyond
    return span


def _conditions(wanted: EventFilter) -> Iterator[_Condition]:
    """The filter's parts, those first of which few events fit."""
    yield from _equal(wanted, "web_request", "correlation", "target_id")
    if wanted.person:
        yield _of_person(wanted.person)
    yield from _equal(wanted, "type")
    if wanted.family:
        yield _Condition(Q(family=wanted.family), values=wanted.family_types)
    if wanted.outcome == Outcome.SUCCESS:
        # Nearly all succeed: there is no index for that, and needs none.
        yield _Condition(Q(outcome=wanted.outcome), is_ordered=False)
    else:
        yield from _equal(wanted, "outcome")
    if wanted.role:
        yield _Condition(Q(roles__contains=[wanted.role]), values=(wanted.role,))
    yield from _equal(wanted, "target_kind", "world")
    for word in wanted.words:
        yield _Condition(_holds(word), is_ordered=False)


def _equal(wanted: EventFilter, *columns: str) -> Iterator[_Condition]:
    for column in columns:
        if value := getattr(wanted, column):
            yield _Condition(Q((column, value)), values=(value,))


def _of_person(person: str) -> _Condition:
    kind = person.removeprefix("kind:")
    if kind == person:
        return _Condition(Q(actor_ref=person), values=(person,))
    # The portal itself acts most: its events are found among the newest.
    return _Condition(Q(actor_kind=kind), is_ordered=kind in ("anonymous", "service"), values=(kind,))


def _holds(word: Word) -> Q:
    people = User.objects.filter(username__icontains=word.text).values_list("pk", flat=True)
    hits = Q(members__has_value=word.text) | Q(type__in=word.types)
    hits |= Q(actor_ref__in=[f"user:{pk}" for pk in people])
    return hits | Q(pk=word.text) if _is_uuid(word.text) else hits


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
