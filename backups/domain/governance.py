"""The governance register: what is said of a project's data, how critical it is, and what is aimed at.

45 CFR 164.308(a)(7)(ii)(E) asks how critical applications and data are, (a)(7)(i) for a contingency plan that is kept
up to date, (b) for contracts with business associates.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class DataClass(StrEnum):
    """What the data are, by the worst of them."""

    PHI = "phi"
    PERSONAL = "personal"
    INTERNAL = "internal"
    TEST = "test"


class Criticality(StrEnum):
    """In which order systems are brought back: the first one first."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """What one version says. Objectives in seconds; `owner_id` answers for the data, `technical_owner_id` runs them.

    `review_on`: when the contingency plan is read again. `baa_on`: the date of the agreement; None: there is none.
    """

    data_class: DataClass
    criticality: Criticality
    rto_seconds: int
    rpo_seconds: int
    plan_title: str
    plan_url: str
    review_on: dt.date
    baa_on: dt.date | None
    owner_id: int
    technical_owner_id: int


#: More than a month is no objective.
MAX_OBJECTIVE_SECONDS = 31 * 86_400


def problems_with(register: Register, today: dt.date) -> dict[str, str]:
    """What can't be proposed, by field; empty when all is well."""
    found: dict[str, str] = {}
    for field, seconds in (("rto_minutes", register.rto_seconds), ("rpo_minutes", register.rpo_seconds)):
        if not 0 < seconds <= MAX_OBJECTIVE_SECONDS:
            found[field] = "Give a time between a minute and 31 days."
    if not register.plan_title.strip():
        found["plan_title"] = "Name the contingency plan."
    if register.plan_url and not register.plan_url.startswith("https://"):
        found["plan_url"] = "The address begins with https://."
    if register.review_on <= today:
        found["review_on"] = "This day is over (UTC). Say when the plan is read again."
    if register.baa_on is not None and register.baa_on > today:
        found["baa_on"] = "This day is in the future."
    return found


def gaps(register: Register | None, today: dt.date) -> Iterator[str]:
    """What an auditor would miss, in sentences; nothing when all is there and up to date."""
    if register is None:
        yield "Nothing was agreed on yet."
        return
    if register.review_on < today:
        yield f"The contingency plan was to be read again by {register.review_on:%Y-%m-%d}."
    if register.data_class is DataClass.PHI and register.baa_on is None:
        yield "It holds health information, and no business associate agreement is dated."
