"""The second row of the navigation, on every page for auditors."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from backups.domain.people import Actor, Capability


@dataclass(frozen=True, slots=True)
class Tab:
    """One page for auditors; `is_here` when the reader is on it or below it."""

    label: str
    url: str
    is_here: bool


# name of this tab, label, address, who may go there
_TABS: tuple[tuple[str, str, str, Capability], ...] = (
    ("overview", "Overview", "ops:audit", Capability.READ_LEDGER),
    ("events", "Events", "admin:backups_ledgerevent_changelist", Capability.READ_LEDGER),
    ("cases", "Case files", "ops:audit-cases", Capability.READ_LEDGER),
    ("approvers", "Approvers", "ops:audit-approvers", Capability.READ_LEDGER),
    ("exports", "Exports", "ops:audit-exports", Capability.EXPORT_LEDGER),
    ("reviews", "Log reviews", "ops:log-reviews", Capability.READ_LEDGER),
    ("erasures", "Erasures", "ops:erasures", Capability.READ_LEDGER),
    ("catalogue", "Types of events", "ops:audit-catalogue", Capability.READ_LEDGER),
    ("register", "Register", "ops:register", Capability.READ_LEDGER),
)


def audit_tabs(actor: Actor, here: str) -> list[Tab]:
    """The tabs that this person may open; `here` is the name of the one that the page belongs to."""
    return [
        Tab(label, reverse(address), is_here=name == here)
        for name, label, address, capability in _TABS
        if actor.may(capability)
    ]
