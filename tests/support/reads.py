"""What reading a page writes into the record: an event, or nothing for a reason that is given here."""

from __future__ import annotations

from collections import Counter

from backups.models import LedgerEvent

#: Reading it is an event of its own. The second part names who causes it; the others read it in silence.
EVERYBODY = {"alice", "bob", "dana", "erin"}
READS: dict[str, tuple[str, set[str]]] = {
    "ops:request": ("request.opened", {"bob"}),  # who can vote; others are not what the vote's clock is about
    "ops:look": ("look.viewed", {"alice", "bob"}),
    "ops:drill-file": ("drill.attachment_read", EVERYBODY),
    "ops:runbook": ("runbook.read", EVERYBODY),
    "ops:audit-cases": ("ledger.read", EVERYBODY),
    "ops:audit-case-drill": ("ledger.read", EVERYBODY),
    "ops:audit-case-access": ("ledger.read", EVERYBODY),
    "ops:audit-case-restore": ("ledger.read", EVERYBODY),
    "ops:log-reviews": ("ledger.read", EVERYBODY),
    "ops:erasures": ("ledger.read", EVERYBODY),
    "ops:erasure": ("ledger.read", EVERYBODY),
    "ops:register": ("ledger.read", EVERYBODY),
    "ops:log-review": ("ledger.read", EVERYBODY),
    "ops:audit-exports": ("ledger.read", EVERYBODY),
    "ops:audit-export": ("ledger.read", EVERYBODY),
    # Not written yet here, so the download is refused; of a written one it is ledger.downloaded (tests/export).
    "ops:audit-export-file": ("access.refused", EVERYBODY),
    "ops:audit": ("ledger.read", EVERYBODY),
    "ops:audit-population": ("ledger.read", EVERYBODY),
    "ops:audit-population-file": ("ledger.population_taken", EVERYBODY),
    "ops:audit-approvers": ("ledger.read", EVERYBODY),
    "ops:audit-verification": ("ledger.read", EVERYBODY),
    "ops:audit-event-bytes": ("ledger.read", EVERYBODY),
    "ops:audit-event-proof": ("ledger.read", EVERYBODY),
    "admin:backups_ledgerevent_changelist": ("ledger.read", EVERYBODY),
    "admin:backups_ledgerevent_change": ("ledger.read", EVERYBODY),
}
_STATE = "the state of things, the same for everybody; it holds ids and counts, no patient's data"
_FORM = "an empty form; what is sent with it is the event"
_DECISION = "what waits for a decision; the decision is the event"
_MOVING = "the moving part of a page whose reading is recorded or silent by itself; asked for again each second"
#: Pages that are read in silence, and why that is right.
SILENT_READS: dict[str, str] = {
    **dict.fromkeys(
        ("ops:start", "ops:queue", "ops:drills", "ops:drill", "ops:drill-trends", "ops:plan", "ops:action",
         "ops:afterwards-list", "ops:afterwards", "ops:review", "ops:retrospective", "ops:safety-copies",
         "ops:safety-copy", "ops:tokens", "ops:readiness", "ops:projects", "ops:project", "ops:monitor", "ops:finding",
         "ops:governance",
         "ops:branch-health", "ops:notifications"), _STATE),
    **dict.fromkeys(
        ("ops:file", "ops:edit", "ops:withdraw", "ops:vote", "ops:comment", "ops:start-restore", "ops:unsealed",
         "ops:resolve", "ops:undo", "ops:look-new", "ops:drill-new", "ops:drill-edit", "ops:drill-add",
         "ops:drill-sign", "ops:canary", "ops:plan-new", "ops:plan-edit", "ops:afterwards-point",
         "ops:afterwards-keep", "ops:afterwards-action", "ops:afterwards-setup", "ops:review-write",
         "ops:removal-state", "ops:retrospective-new", "ops:safety-copy-new", "ops:safety-copy-remove",
         "ops:safety-schedule", "ops:token-new", "ops:duty", "ops:connect", "ops:environment",
         "ops:declare-backups", "ops:propose-backups", "ops:audit-export-new", "ops:log-review-action",
         "ops:governance-new", "ops:erase-words"), _FORM),
    **dict.fromkeys(("ops:confirm", "ops:removal", "ops:proposal", "ops:plan-proposal"), _DECISION),
    **dict.fromkeys(("ops:live", "ops:look-live", "ops:drill-live", "ops:audit-export-live",
                     "ops:audit-verification-live"), _MOVING),
    **dict.fromkeys(("admin:password_change", "admin:password_change_done", "admin:auth_user_add",
                     "admin:auth_user_password_change"), _FORM),
    **dict.fromkeys(("admin:auth_user_changelist", "admin:auth_user_change", "admin:auth_user_history"),
                    "names and roles of staff; every change of them is an event"),
    "admin:jsi18n": "words of the interface, the same for everybody",
    "ops:audit-catalogue": "what the portal can record, the same for everybody",
    "admin:backups_ledgerevent_history": "leads to one event",
}  # fmt: skip

#: Said to whoever adds an address.
HOW = (
    "{name}: a page that is read needs a line in READS or SILENT_READS of tests/support/reads.py, and an act (POST) a "
    "row in tests/support/commands."
)


def events_of(name: str, method: str, who: str | None, verdict: str) -> Counter[str] | None:
    """The events of a request without any field; None where it may be an act, which has a test of its own."""
    if verdict in {"log in", "not allowed"}:
        return Counter()
    if verdict == "forbidden":
        return Counter({"access.refused": 1})
    if method != "GET":
        return None
    event, readers = READS.get(name, ("", set()))
    return Counter({event: 1} if who in readers else {})


def events_since(last: LedgerEvent) -> Counter[str]:
    """The types of the events that were recorded after this one, and how often."""
    return Counter(LedgerEvent.objects.filter(recorded_at__gt=last.recorded_at).values_list("type", flat=True))
