"""The types of event about what is left after a restore, records of restores by hand, safety copies and tokens."""

from __future__ import annotations

from backups.ledger.event_types import ANYBODY, HUMANS, PEOPLE, PORTAL, Retention, Row

_AFTER = "request record kind environment deadline"
_COPY = "safety_copy kind branch branch_name environment keep_days expires_at token"
_REMOVAL = "request safety_copy branch branch_name removal deadline"
_D = Retention.DECISION

# fmt: off
AFTERWARDS_ROWS: tuple[Row, ...] = (
    # After a restore
    ("afterwards.opened", "A restore is done, and what is left to do was put on a list",
     f"{_AFTER} points branch_name", ANYBODY, False, _D),
    ("afterwards.point_changed", "Something that was left to do is done, not needed, or open again",
     f"{_AFTER} point subject from_state to_state means sessions_before sessions_now", ANYBODY, True, _D),
    ("afterwards.kept_changed", "It was decided how long the state before a restore is kept, and who answers for it",
     f"{_AFTER} branch_name recipient", PEOPLE, False, _D),
    ("afterwards.closed", "Everything that a restore left to do is settled",
     f"{_AFTER} points", ANYBODY, False, _D),
    ("review.written", "A section of a review was written",
     f"{_AFTER} section", PEOPLE, True, _D),
    ("review.signed", "A manager who neither asked for the restore nor ran it signed its review",
     f"{_AFTER} evidence_sha256", HUMANS, False, _D),
    ("retrospective.filed", "A restore that was made outside the portal was put on record by a first person",
     f"{_AFTER} finding branch_name point_time submitted_at operation_ids means", HUMANS, True, _D),
    ("retrospective.lost", "What was lost by a restore outside the portal, as the person who filed it says",
     "record means", HUMANS, True, _D),
    ("retrospective.signed", "A second person signed the record of a restore made outside the portal",
     f"{_AFTER} finding voters means", HUMANS, False, _D),
    ("retrospective.dropped", "An unsigned record of a restore outside the portal was taken back",
     f"{_AFTER} finding means", HUMANS, False, _D),
    # Safety copies, and the removal of what is kept
    ("removal.asked", "Somebody asked to delete what is kept",
     _REMOVAL, HUMANS, True, _D),
    ("removal.confirmed", "A second person agreed to delete what is kept",
     f"{_REMOVAL} voters", HUMANS, False, _D),
    ("removal.dropped", "The wish to delete what is kept was taken back or refused",
     _REMOVAL, HUMANS, False, _D),
    ("copy.asked", "A safety copy was asked for",
     f"{_COPY} means slot_time", ANYBODY, True, _D),
    ("copy.made", "Neon has the safety copy",
     f"{_COPY} neon_id execution duration_ms", PORTAL, False, _D),
    ("copy.failed", "There is no safety copy, or it is not known whether there is one",
     f"{_COPY} execution error message", PORTAL, False, _D),
    ("copy.gone", "A safety copy is not at Neon any more",
     f"{_COPY} neon_id means", ANYBODY, False, _D),
    ("copy.left", "A safety copy was left alone, because somebody took it over at Neon",
     f"{_COPY} neon_id error", PORTAL, False, _D),
    ("copy.scheduled", "The daily safety copy of a branch was set or switched off",
     f"{_COPY} active schedule", ANYBODY, False, _D),
    ("token.made", "A token for a program was made; its value is nowhere",
     "token scopes expires_at project", HUMANS, False, _D),
    ("token.revoked", "A token was switched off",
     "token", ANYBODY, False, _D),
)
# fmt: on
