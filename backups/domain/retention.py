"""How long records are kept: the rule and its arithmetic. Nothing is disposed of yet (docs/adr/0028)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

#: 45 CFR 164.316(b)(2)(i): six years from creation, or from when a document was last in effect.
HIPAA_YEARS = 6


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """`years`: from the day of a record on. `hold`: the legal matter for which nothing at all may go; empty: none.

    `since`: when the oldest record was made; None: there is none.
    """

    years: int
    hold: str
    since: dt.datetime | None

    @property
    def is_held(self) -> bool:
        return bool(self.hold)

    @property
    def oldest_kept_until(self) -> dt.date | None:
        """The day (UTC) until which the oldest record is kept at least; None: no record, or a hold without an end."""
        return self.kept_until(self.since) if self.since else None

    def kept_until(self, made_at: dt.datetime) -> dt.date | None:
        """The day (UTC) until which a record of that time is kept at least; None while a hold has no end."""
        if self.is_held:
            return None
        day = made_at.astimezone(dt.UTC).date()
        try:
            return day.replace(year=day.year + self.years)
        except ValueError:  # 29 February, in a year that has none
            return dt.date(day.year + self.years, 3, 1)
