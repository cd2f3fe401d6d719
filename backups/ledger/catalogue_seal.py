"""The types of event about the ledger itself: its seal, its checks, its key."""

from __future__ import annotations

from backups.ledger.event_types import ANYBODY, HUMANS, PORTAL, Retention, Row

_D, _A = Retention.DECISION, Retention.ACTIVITY

# fmt: off
SEAL_ROWS: tuple[Row, ...] = (
    ("request.seal_missing", "A start waited for the seal of its approvals in vain; a person has to decide",
     "request execution", PORTAL, False, _D),
    ("request.seal_waived", "A manager let a restore go on although its approvals were not sealed",
     "request", HUMANS, True, _D),
    ("ledger.refused", "The sealer found something that it must not sign; production restores wait",
     "refused node", PORTAL, False, _D),
    ("ledger.refusal_resolved", "Somebody looked into a refusal of the sealer and closed it",
     "refused node", PORTAL, True, _D),
    ("ledger.verified", "The whole ledger was held against its checkpoints and anchors; the outcome says how it went",
     "sealed_size events findings_count", ANYBODY, False, _D),
    ("ledger.bundled", "The whole ledger was written into a bundle for an auditor",
     "sealed_size events file_sha256", ANYBODY, False, _D),
    ("system.heartbeat", "Nothing but that time passed and the portal was there to see it",
     "since sealed_size", PORTAL, False, _A),
)
# fmt: on
