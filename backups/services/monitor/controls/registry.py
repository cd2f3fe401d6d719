"""Every control, in the order in which pages show them. Another subject adds its own line here."""

from __future__ import annotations

from backups.services.monitor.controls import (
    afterwards,
    branch,
    caps,
    computes,
    drills,
    governance,
    history,
    ledger,
    leftovers,
    neon,
    portal,
    schedule,
    storage,
)
from backups.services.monitor.controls.shapes import BranchControl, PortalControl, ProjectControl

#: The comparison of two looks (see outside.py), which needs more than a control is given.
OUTSIDE = "outside"
#: Whether Neon answers at all.
NEON = "neon"
#: Whether the branch is there at all, among others.
RESTORABLE = "restorable"
#: What cannot be told, as a finding of its own (see findings.py).
UNKNOWN = "unknown"

PROJECT_CONTROLS: tuple[ProjectControl, ...] = (
    ProjectControl(NEON, "Neon answers and takes the key", neon.reachable),
    ProjectControl("quota", "The project's quota lasts", neon.quota),
    ProjectControl("root_branches", "Room for a restore and its undo", caps.root_branches),
    ProjectControl("branches", "Room for copies", caps.branches),
    ProjectControl("orphans", "Nothing of ours without a row", leftovers.orphans),
    ProjectControl("owned", "Everything of ours is there", leftovers.missing),
    ProjectControl("preserved", "Kept states are not forgotten", leftovers.preserved),
    ProjectControl("reviews", "Restores are reviewed in time", afterwards.reviews),
    ProjectControl("records", "Restores by hand are signed by two", afterwards.records),
    ProjectControl("governance", "The governance register is up to date", governance.registered),
    ProjectControl("storage", "Storage grows as usual", storage.growth),
)
BRANCH_CONTROLS: tuple[BranchControl, ...] = (
    BranchControl(RESTORABLE, "Can be restored in place", branch.restorable),
    BranchControl("history", "Far enough back in time", history.window),
    BranchControl("schedule", "Backup schedule as declared", schedule.as_declared),
    BranchControl("snapshot", "Newest scheduled snapshot in time", schedule.newest_scheduled),
    BranchControl("compute", "Takes connections", computes.writable),
    BranchControl("daily_copy", "Daily safety copy in time", afterwards.daily_copy),
    BranchControl("drill", "Proven by a drill", drills.last_good),
)
PORTAL_CONTROLS: tuple[PortalControl, ...] = (
    PortalControl("worker", "The worker runs", portal.worker),
    PortalControl("messages", "Messages arrive", portal.messages),
    PortalControl("ledger", "The ledger is sealed and anchored", ledger.sealed),
    PortalControl("log_review", "The log is reviewed in time", ledger.reviewed),
)
#: Name of each control and its title.
TITLES: dict[str, str] = {
    **{each.name: each.title for each in PROJECT_CONTROLS},
    **{each.name: each.title for each in BRANCH_CONTROLS},
    **{each.name: each.title for each in PORTAL_CONTROLS},
    OUTSIDE: "Nothing was changed behind the portal's back",
    UNKNOWN: "The monitor can tell",
}
