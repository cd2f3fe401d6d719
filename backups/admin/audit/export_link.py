"""From a list to the form of an export that is filled in with what the list was narrowed to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from backups.admin.audit.links import address
from backups.domain.period import Period

#: Filters of the list of events that an export has too; the others would be lost.
_CARRIED = {"actor_ref", "type", "target_id", "world", "recorded_from", "recorded_to"}
# The family of the events that tell of each population.
_FAMILY = {
    "production-restores": "request.",
    "other-restores": "request.",
    "not-carried-out": "request.",
    "refusals": "access.",
    "drills": "drill.",
    "access-changes": "access.",
    "outside-changes": "finding.",
    "log-reviews": "log_review.",
}


@dataclass(frozen=True, slots=True)
class ExportLink:
    """`is_wider`: the list was narrowed further than an export can be, so the file would hold more."""

    url: str
    is_wider: bool


def export_of_list(narrowed_by: Mapping[str, str], today: dt.date) -> ExportLink:
    """`narrowed_by`: as the form of the list says it; what it can't read is left for the next form to ask for."""
    type_, world = narrowed_by.get("type", ""), narrowed_by.get("world", "")
    person = narrowed_by.get("actor_ref", "")
    has_person = person.startswith(("user:", "kind:"))
    first, last = narrowed_by.get("recorded_from", "")[:10], narrowed_by.get("recorded_to", "")[:10]
    wider = bool(set(narrowed_by) - _CARRIED) or world not in ("", "sandbox") or (bool(person) and not has_person)
    wider = wider or world == "sandbox" or (bool(type_) and not type_.endswith(".")) or _cuts_a_day(narrowed_by)
    url = address(
        "ops:audit-export-new",
        first=first,
        last=last or (today if first else ""),
        family=f"{type_.partition('.')[0]}." if type_ else "",
        person=person if has_person else "",
        target=narrowed_by.get("target_id", ""),
        with_sandbox="on" if world == "sandbox" else "",
    )
    return ExportLink(url, wider)


def _cuts_a_day(narrowed_by: Mapping[str, str]) -> bool:
    """Exports are of whole days."""
    begins, ends = narrowed_by.get("recorded_from", ""), narrowed_by.get("recorded_to", "")
    return bool(begins[10:] not in ("", "T00:00:00") or ends[10:] not in ("", "T23:59:59"))


def export_of_population(slug: str, period: Period, *, with_sandbox: bool) -> str:
    """All events of the kind and the period: they tell more than the members, and prove them."""
    return address(
        "ops:audit-export-new",
        first=period.first,
        last=period.last,
        family=_FAMILY[slug],
        with_sandbox="on" if with_sandbox else "",
    )
