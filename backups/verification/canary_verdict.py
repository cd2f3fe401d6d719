"""Does a copy hold the canary that it must hold, and none that it must not? Pure: nothing is read here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backups.domain.execution import CheckOutcome
from backups.verification.canary import COMMIT_MARGIN, Beat


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """`rpo_seconds`: the age, at the point, of the newest canary on the copy; None when it holds none from before."""

    outcome: CheckOutcome
    sentence: str
    rpo_seconds: float | None = None
    figures: dict[str, Any] = field(default_factory=dict)


def judge(
    point_at: dt.datetime,
    on_copy: Sequence[Beat] | None,
    known: Sequence[Beat],
    *,
    known_since: dt.datetime | None = None,
) -> CanaryVerdict:
    """Compares the canaries of a copy at `point_at` with those that the portal wrote.

    `on_copy` None: the copy has no canary table. `known`: only beats that belong to this branch's history.
    `known_since`: when the canary was set up, for a sentence; the beats decide.
    """
    before = [beat for beat in known if beat.written_at <= point_at - COMMIT_MARGIN]
    expected = max(before, key=lambda beat: beat.written_at, default=None)
    held = sorted(on_copy or [], key=lambda beat: beat.written_at)
    newest = next((beat for beat in reversed(held) if beat.written_at <= point_at), None)
    rpo_seconds = (point_at - newest.written_at).total_seconds() if newest else None
    figures = _figures(point_at, held, newest, expected, known) | {"rpo_seconds": rpo_seconds}
    outcome, sentence = _decide(point_at, on_copy, held, expected, newest, known, known_since)
    return CanaryVerdict(outcome, sentence, rpo_seconds, figures)


def _decide(
    point_at: dt.datetime,
    on_copy: Sequence[Beat] | None,
    held: list[Beat],
    expected: Beat | None,
    newest: Beat | None,
    known: Sequence[Beat],
    known_since: dt.datetime | None,
) -> tuple[CheckOutcome, str]:
    later = next((beat for beat in held if beat.written_at > point_at), None)
    if later is not None:
        return CheckOutcome.FAILED, (
            f"The copy holds canary {later.number:,}, written {_after(later, point_at)} after the point:"
            " it was recovered to a later time."
        )
    if expected is None:
        return CheckOutcome.INCONCLUSIVE, _nothing_expected(point_at, newest, known_since)
    if on_copy is None:
        return CheckOutcome.FAILED, (
            f"Canary {expected.number:,} was written {_before(expected, point_at)} before the point, and the copy has"
            " no table of canaries."
        )
    if expected not in held:
        return CheckOutcome.FAILED, _missing(point_at, expected, newest, held)
    return CheckOutcome.PASSED, _what_holds(point_at, newest or expected, known)


def _nothing_expected(point_at: dt.datetime, newest: Beat | None, known_since: dt.datetime | None) -> str:
    if known_since is not None and known_since > point_at:
        return "Could not tell: the canary was set up after the point."
    if newest is None:
        return "Could not tell: no canary is known from before the point."
    return "Could not tell: the portal knows of no canary from before the point to compare with."


def _missing(point_at: dt.datetime, expected: Beat, newest: Beat | None, held: list[Beat]) -> str:
    if any(beat.number == expected.number for beat in held):
        return f"Canary {expected.number:,} carries another time on the copy: it is of another history."
    lost = f"Canary {expected.number:,}, written {_before(expected, point_at)} before the point, is missing on the copy"
    if newest is None:
        return f"{lost}, which holds none from before the point."
    return f"{lost}; its newest is {newest.number:,}, {_before(newest, point_at)} before the point."


def _what_holds(point_at: dt.datetime, newest: Beat, known: Sequence[Beat]) -> str:
    held = f"Canary {newest.number:,}, written {_before(newest, point_at)} before the point, is on the copy"
    following = _first_after(point_at, known)
    if following is None:
        return f"{held}, and none after it."
    return f"{held}; {following.number:,}, written {_after(following, point_at)} after it, is not."


def _first_after(point_at: dt.datetime, known: Sequence[Beat]) -> Beat | None:
    return min((beat for beat in known if beat.written_at > point_at), key=lambda beat: beat.written_at, default=None)


def _figures(
    point_at: dt.datetime, held: list[Beat], newest: Beat | None, expected: Beat | None, known: Sequence[Beat]
) -> dict[str, Any]:
    following = _first_after(point_at, known)
    return {
        "newest_on_copy": newest.number if newest else None,
        "expected": expected.number if expected else None,
        "next_known": following.number if following else None,
        "after_point": sum(beat.written_at > point_at for beat in held),
    }


def _before(beat: Beat, point_at: dt.datetime) -> str:
    return _seconds(point_at - beat.written_at)


def _after(beat: Beat, point_at: dt.datetime) -> str:
    return _seconds(beat.written_at - point_at)


def _seconds(span: dt.timedelta) -> str:
    return f"{span.total_seconds():,.1f} s"
