"""The types of event about the ledger itself: its seal, its checks, its key."""

from __future__ import annotations

from backups.ledger.event_types import PORTAL, Retention, Row

_A = Retention.ACTIVITY

# fmt: off
SEAL_ROWS: tuple[Row, ...] = (
    ("system.heartbeat", "Nothing but that time passed and the portal was there to see it",
     "since sealed_size", PORTAL, False, _A),
)
# fmt: on
