"""The types of event about reading the ledger, and about the auditors' own work."""

from __future__ import annotations

from backups.ledger.event_types import PEOPLE, Retention, Row

_A = Retention.ACTIVITY

# fmt: off
AUDIT_ROWS: tuple[Row, ...] = (
    ("ledger.read", "Somebody read a page of the record: its list, one event, a case file",
     "page", PEOPLE, False, _A),
    ("ledger.searched", "Somebody narrowed or searched the list of events",
     "page filter_sha256", PEOPLE, False, _A),
)
# fmt: on
