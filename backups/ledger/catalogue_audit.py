"""The types of event about reading the ledger, and about the auditors' own work."""

from __future__ import annotations

from backups.ledger.event_types import HUMANS, PEOPLE, PORTAL, Retention, Row

_D, _A = Retention.DECISION, Retention.ACTIVITY
_GOVERNANCE = (
    "governance_version data_class criticality rto_objective_seconds rpo_objective_seconds review_on baa_on owners "
    "evidence_sha256"
)
_ERASED = "erased_event text_commitment"
_MARKED = "log_review items marked_ok questions problems"

# fmt: off
AUDIT_ROWS: tuple[Row, ...] = (
    ("ledger.read", "Somebody read a page of the record: its list, one event, a case file",
     "page", PEOPLE, False, _A),
    ("ledger.sampled", "A sample was drawn from a population of the record",
     "population sample_seed sample_size with_sandbox period_from period_to", PEOPLE, False, _A),
    ("ledger.population_taken", "A whole population of the record was taken out of the portal as a file",
     "population with_sandbox period_from period_to", PEOPLE, False, _D),
    ("ledger.searched", "Somebody narrowed or searched the list of events",
     "page filter_sha256", PEOPLE, False, _A),
    # The regular review of the log
    ("log_review.opened", "A period of the log is looked at; the machine drew the events by this seed",
     "log_review window_from window_to first_leaf last_leaf events sample_size seed items evidence_sha256",
     HUMANS, False, _D),
    ("log_review.marked", "Events of a log review were marked; the numbers are those of this save",
     _MARKED, HUMANS, False, _D),
    ("log_review.remarked", "Somebody wrote something beside an event of a log review",
     "log_review item mark", HUMANS, True, _D),
    ("log_review.signed", "A log review was signed: every event is marked and every problem explained",
     f"{_MARKED} evidence_sha256", HUMANS, False, _D),
    # Words that are erased; why is the event's reason code
    ("text.erase_asked", "Somebody asked that the words of an event be erased",
     _ERASED, HUMANS, False, _D),
    ("text.erased", "A second person agreed, and the words of an event were erased with their salt",
     f"{_ERASED} voters", HUMANS, False, _D),
    ("text.erase_refused", "A second person refused to erase the words of an event",
     _ERASED, HUMANS, False, _D),
    ("text.erase_withdrawn", "Who had asked for an erasure took it back",
     _ERASED, HUMANS, False, _D),
    # Exports
    ("ledger.export_asked", "Somebody asked for a file of events",
     "format filter_sha256", PEOPLE, False, _D),
    ("ledger.export_failed", "A file of events could not be written",
     "format error attempts", PORTAL, False, _A),
    ("ledger.downloaded", "A file of events was taken out of the portal",
     "format events file_sha256", PEOPLE, False, _D),
    ("ledger.export_removed", "A file of events was deleted, as its days were over",
     "format file_sha256", PORTAL, False, _A),
    # The whole ledger, verified on demand; what came of it is ledger.verified
    ("ledger.verification_asked", "Somebody asked the portal to verify the whole ledger",
     "", PEOPLE, False, _A),
    ("ledger.verification_failed", "A verification of the whole ledger came to no verdict",
     "error attempts", PORTAL, False, _A),
    ("ledger.filter_saved", "Somebody kept a filter of the list of events under a name",
     "filter_sha256", PEOPLE, False, _A),
    ("ledger.filter_removed", "Somebody removed a filter that they had kept",
     "", PEOPLE, False, _A),
    # The governance register
    ("governance.proposed", "Somebody proposed what the register is to say of a project",
     f"{_GOVERNANCE} changed_fields", HUMANS, True, _D),
    ("governance.agreed", "A second person agreed to what the register says of a project",
     f"{_GOVERNANCE} voters", HUMANS, False, _D),
    ("governance.refused", "A second person refused what the register was to say of a project",
     _GOVERNANCE, HUMANS, True, _D),
    ("governance.withdrawn", "Who had proposed what the register is to say of a project took it back",
     _GOVERNANCE, HUMANS, False, _D),
)
# fmt: on
