"""Which moment a drill recovers: chosen inside what Neon can still reach, and found again by its seed."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from backups.domain.drill import PointChoice

#: The ledger's numbers are exact up to here (RFC 8785 writes them as IEEE doubles).
SEED_BITS = 53

_MILLISECOND = dt.timedelta(milliseconds=1)


class NoSuchPoint(Exception):
    """No moment of the wanted kind can be reached now; the text says why."""


@dataclass(frozen=True, slots=True)
class Window:
    """The moments that Neon can go back to, both ends included, in whole milliseconds of UTC."""

    begins: dt.datetime
    ends: dt.datetime


def reachable_window(
    *,
    now: dt.datetime,
    history_seconds: int | None,
    begins_at: dt.datetime | None,
    margin_seconds: float,
) -> Window:
    """What can be reached: the history window, cut at its own beginning and at a margin before now.

    `begins_at`: before it the branch has no history of its own (made, reset or replaced then).
    The margin stands at both ends: what is about to leave the window would be gone when Neon gets the order.
    Raises NoSuchPoint when Neon does not tell the window or nothing is left of it.
    """
    if history_seconds is None:
        raise NoSuchPoint("Neon did not tell how far back its history goes.")
    margin = dt.timedelta(seconds=margin_seconds)
    begins = now - dt.timedelta(seconds=history_seconds) + margin
    if begins_at is not None:
        begins = max(begins, begins_at + margin)
    window = Window(_up(begins), _down(now - margin))
    if window.begins > window.ends:
        raise NoSuchPoint("The branch has no history that Neon could go back to.")
    return window


def choose_point(
    choice: PointChoice, window: Window, *, now: dt.datetime, age_seconds: int | None, seed: int | None
) -> dt.datetime:
    """The moment that a drill recovers. Raises NoSuchPoint when it lies outside the window."""
    if choice is PointChoice.RANDOM:
        if seed is None:
            raise ValueError("a random point needs its seed")
        return point_from_seed(seed, window.begins, window.ends)
    if choice is PointChoice.LATEST:
        return window.ends
    if age_seconds is None:
        raise ValueError("a point of fixed age needs the age")
    at = min(_down(now - dt.timedelta(seconds=age_seconds)), window.ends)
    if at < window.begins:
        raise NoSuchPoint(f"Neon can go back only to {window.begins:%Y-%m-%d %H:%M:%S} UTC; the plan wants more.")
    return at


def point_from_seed(seed: int, begins: dt.datetime, ends: dt.datetime) -> dt.datetime:
    """A moment between the two, each millisecond equally likely; the same for the same three values, for ever.

    The seed's SHA-256 as a number, modulo the milliseconds of the window: nobody's random generator has to stay
    the same for an auditor to find the point again. With 256 bits the modulo favours no moment measurably.
    Raises ValueError when the window is empty or a time has no zone.
    """
    first, last = _up(begins), _down(ends)
    if first > last:
        raise ValueError("the window is empty")
    count = (last - first) // _MILLISECOND + 1
    number = int.from_bytes(hashlib.sha256(str(seed).encode("ascii")).digest(), "big")
    return first + (number % count) * _MILLISECOND


def _down(at: dt.datetime) -> dt.datetime:
    utc = _utc(at)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _up(at: dt.datetime) -> dt.datetime:
    down = _down(at)
    return down if down == at else down + _MILLISECOND


def _utc(at: dt.datetime) -> dt.datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone names no moment")
    return at.astimezone(dt.UTC)
