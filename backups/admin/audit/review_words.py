"""The words of the pages of log reviews, and one event of a review as such a page shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from backups.domain.log_review import Mark, Reason, ReviewedWeek, WeekState
from backups.domain.people import Actor
from backups.models import CorrectiveAction, LedgerEvent, LogReviewItem, LogReviewMark
from backups.selectors.log_review import concerns

MARK = {Mark.OK: "Fine", Mark.QUESTION: "Question", Mark.PROBLEM: "Problem"}
MARK_TONE = {Mark.OK: "good", Mark.QUESTION: "warn", Mark.PROBLEM: "bad"}
REASON = {
    Reason.SAMPLE: "drawn by lot",
    Reason.CRITICAL: "always: a critical finding",
    Reason.OUTSIDE: "always: done outside the portal",
    Reason.SEAL: "always: about the seal",
    Reason.ACCESS: "always: accounts, roles, rules, keys",
    Reason.REFUSED: "always: something was refused",
    Reason.BURST: "always: many refused log-ins in one hour; this is the first",
}
WEEK = {
    WeekState.IN_TIME: ("Reviewed in time", "good", "✓"),
    WeekState.LATE: ("Reviewed late", "warn", "~"),
    WeekState.MISSED: ("Not reviewed", "bad", "✗"),
    WeekState.NOT_DUE: ("Not due yet", "info", "…"),
    WeekState.NO_LOG: ("No log yet", "plain", "·"),
}
_MOST_FACTS = 6
_LONGEST_FACT = 60


@dataclass(frozen=True, slots=True)
class ShownWeek:
    """One week in the strip and in its table."""

    days: str
    words: str
    tone: str
    sign: str
    signed_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class ShownItem:
    """One event, what is said of it, and what was just typed where that could not be kept."""

    item: LogReviewItem
    meaning: str
    who: str
    about: str
    facts: str
    reason: str
    is_own: bool
    mark: str
    words: str
    error: str
    given: list[LogReviewMark]
    actions: list[CorrectiveAction]

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """(value, words, whether it is chosen) of each mark."""
        return [(mark.value, MARK[mark], self.mark == mark.value) for mark in Mark]

    @property
    def newest(self) -> LogReviewMark | None:
        return self.given[-1] if self.given else None

    @property
    def mark_words(self) -> tuple[str, str]:
        """The mark that counts, in words, and its tone."""
        if self.newest is None:
            return "No mark yet", "unknown"
        mark = Mark(self.newest.mark)
        return MARK[mark], MARK_TONE[mark]


def shown_week(week: ReviewedWeek) -> ShownWeek:
    """A week in words, a tone, and a sign that is read without colours."""
    words, tone, sign = WEEK[week.state]
    return ShownWeek(f"{week.week.first:%d %b} to {week.week.last:%d %b %Y}", words, tone, sign, week.signed_at)


def shown_item(
    item: LogReviewItem,
    actor: Actor,
    given: list[LogReviewMark],
    meanings: Mapping[str, str],
    typed: Mapping[str, str] | None = None,
    error: str = "",
) -> ShownItem:
    """What was typed and refused is shown again; else what counts."""
    event, newest = item.event, given[-1] if given else None
    kept_words = str(newest.words.text) if newest and newest.words else ""
    return ShownItem(
        item=item,
        meaning=meanings.get(event.type) or f"{event.type}: a type of an older version",
        who=f"{event.actor_name} ({event.actor_ref})",
        about=f"{event.target_kind.replace('_', ' ')} {event.target_id}",
        facts=_facts(event),
        reason=REASON[Reason(item.reason)],
        is_own=concerns(item, actor),
        mark=(typed or {}).get(f"mark-{item.pk}", newest.mark if newest else ""),
        words=(typed or {}).get(f"words-{item.pk}", kept_words),
        error=error,
        given=given,
        actions=list(item.actions.all()),
    )


def _facts(event: LedgerEvent) -> str:
    """The first few plain values of the event: `role manager · login bob`."""
    data = event.members.get("data", {})
    plain = {name: value for name, value in data.items() if isinstance(value, str | int) and value != ""}
    shown = [f"{name.replace('_', ' ')} {str(value)[:_LONGEST_FACT]}" for name, value in plain.items()]
    return " · ".join(shown[:_MOST_FACTS])
