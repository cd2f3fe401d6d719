"""When an anchor takes the tree's head: each time, every so often, or once a day (UTC)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

#: The names of time-stamp authorities as anchors begin with this.
TIME_STAMPS = "rfc3161:"

#: A daily anchor that is so much behind its time is a finding.
_DAILY_SPARE = dt.timedelta(hours=2)


class Rhythm(Protocol):
    """`at_once`: also whenever an act waits for the seal."""

    @property
    def at_once(self) -> bool: ...

    @property
    def rest_seconds(self) -> float:
        """After a failure no try before, unless an act waits for it; 0: as the installation's settings say."""

    def is_due(self, *, last: dt.datetime | None, now: dt.datetime, waiting: bool) -> bool:
        """Whether the anchor takes the newest checkpoint now; `last` is when it took one."""

    def is_late(self, *, since: dt.datetime, now: dt.datetime) -> bool:
        """Whether it should have taken by now what was signed at `since`."""

    def day(self, now: dt.datetime) -> dt.date | None:
        """The day for which it takes a checkpoint, where it takes one a day and no more."""


@dataclass(frozen=True, slots=True)
class Every:
    """At most once in so many seconds; 0: whenever it is asked. `spare_seconds`: its delay is no finding before."""

    seconds: float
    spare_seconds: float
    at_once: bool
    rest_seconds: float = 0

    def is_due(self, *, last: dt.datetime | None, now: dt.datetime, waiting: bool) -> bool:
        return last is None or (waiting and self.at_once) or now - last >= dt.timedelta(seconds=self.seconds)

    def is_late(self, *, since: dt.datetime, now: dt.datetime) -> bool:
        return now - since > dt.timedelta(seconds=self.seconds + self.spare_seconds)

    def day(self, now: dt.datetime) -> dt.date | None:
        return None


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a UTC day from this time on. After down-time at once, for the newest day whose time is over."""

    at: dt.time
    at_once: bool = False
    rest_seconds: float = 600

    def is_due(self, *, last: dt.datetime | None, now: dt.datetime, waiting: bool) -> bool:
        return last is None or self.day(last) < self.day(now)

    def is_late(self, *, since: dt.datetime, now: dt.datetime) -> bool:
        return self.day(since) < self.day(now - _DAILY_SPARE)

    def day(self, now: dt.datetime) -> dt.date:
        utc = now.astimezone(dt.UTC)
        return utc.date() if utc.time() >= self.at else utc.date() - dt.timedelta(days=1)
