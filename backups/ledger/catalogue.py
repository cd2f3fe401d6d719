"""Every type of event: what it means, what it may carry, who can cause it and how long it is kept.

One table. A type that is not here cannot be written, nor can a field that its type does not list.
"""

from __future__ import annotations

from backups.domain.people import ActorKind
from backups.ledger.catalogue_afterwards import AFTERWARDS_ROWS
from backups.ledger.catalogue_audit import AUDIT_ROWS
from backups.ledger.catalogue_drill import DRILL_ROWS
from backups.ledger.catalogue_seal import SEAL_ROWS
from backups.ledger.errors import NotInCatalogue
from backups.ledger.event_types import (
    ANYBODY,
    EVEN_STRANGERS,
    FIELDS_OF_PEOPLE,
    HUMANS,
    PEOPLE,
    PORTAL,
    EventType,
    Retention,
    Row,
)
from backups.ledger.fields import FIELDS
from backups.ledger.ocsf_classes import ocsf_class_of

_REQUEST = (
    "request undoes kind scenario urgency point_kind point_time point_lsn point_snapshot noticed_at began_at "
    "writers_stopped from_state to_state digest packet_number policy policy_version environment start_mode "
    "deadline execution branch_name"
)
_RUN = "request drill execution kind step_name attempt fence digest from_state to_state duration_ms error message"
_CHANGE = f"{_RUN} branch branch_name effect call_id"
_FINDING = "finding control kind severity branch_name operation_ids last_reset_at"
_PLAN = "proposal branch_name environment schedule history_seconds"
_VOTE = "request digest vote step of packet_number policy policy_version from_state to_state"

# type, meaning, fields, who can cause it, whether a person's words may accompany it, how long it is kept
_D, _A = Retention.DECISION, Retention.ACTIVITY
# fmt: off
_ROWS: tuple[Row, ...] = (
    # The life of a request
    ("request.drafted", "A restore request was begun",
     _REQUEST, ANYBODY, True, _D),
    ("request.edited", "A request was changed; votes on what it said before are void",
     f"{_REQUEST} changed_fields votes_voided previous_digest", PEOPLE, True, _D),
    ("request.submitted", "A request was handed in for a decision",
     _REQUEST, PEOPLE, True, _D),
    ("request.packet_built", "The facts for the decision were collected and frozen",
     f"{_REQUEST} packet_sha256 unknown_facts rows_lost rows_back preview_branch duration_ms", PORTAL, False, _D),
    ("request.packet_incomplete", "Some facts could not be collected in time",
     f"{_REQUEST} packet_sha256 unknown_facts duration_ms", PORTAL, False, _D),
    ("request.drifted", "What the votes were given on is no longer so; the votes are void",
     f"{_REQUEST} previous_digest changed_facts votes_voided", ANYBODY, False, _D),
    ("request.opened", "Somebody who can vote opened the request",
     "request digest", PEOPLE, False, _A),
    ("request.voted", "A vote was given",
     _VOTE, HUMANS, True, _D),
    ("request.vote_taken_back", "A vote was taken back before the start",
     _VOTE, HUMANS, True, _D),
    ("request.commented", "A comment was written",
     "request question digest", PEOPLE, True, _D),
    ("request.asked", "Somebody who can vote asked a question",
     "request question digest vote", PEOPLE, True, _D),
    ("request.approved", "The last vote that the policy asks for was given",
     f"{_REQUEST} voters step of", ANYBODY, False, _D),
    ("request.rejected", "A request was rejected",
     f"{_REQUEST} voters", ANYBODY, True, _D),
    ("request.withdrawn", "A request was withdrawn",
     _REQUEST, PEOPLE, True, _D),
    ("request.expired", "A deadline passed without the act that it was set for",
     f"{_REQUEST} refused", PORTAL, False, _D),
    ("request.started", "The start was ordered",
     f"{_REQUEST} minutes_discarded voters", ANYBODY, True, _D),
    ("request.stop_asked", "Somebody asked to stop a restore that Neon had not accepted",
     _REQUEST, PEOPLE, False, _D),
    ("request.claimed", "A worker took the request on and compared it with what was approved",
     f"{_REQUEST} voters fence", PORTAL, False, _D),
    ("request.running", "Work on the request began",
     _REQUEST, PORTAL, False, _D),
    ("request.completed", "The restore is done and its required checks passed",
     f"{_REQUEST} passed failed inconclusive duration_ms", ANYBODY, False, _D),
    ("request.failed", "The restore ended without an effect",
     f"{_REQUEST} error message duration_ms", ANYBODY, False, _D),
    ("request.needs_attention", "A person has to decide: the effect or the verification is not clear",
     f"{_REQUEST} error message", ANYBODY, False, _D),
    ("request.resolution_proposed", "Somebody proposed how to close an unclear restore",
     f"{_REQUEST} decision evidence_sha256", PEOPLE, True, _D),
    ("request.resolution_dropped", "A proposal to close an unclear restore was taken off the table",
     f"{_REQUEST} decision", PEOPLE, False, _D),
    ("request.resolution_confirmed", "A second person confirmed how to close an unclear restore",
     f"{_REQUEST} decision evidence_sha256", HUMANS, True, _D),
    ("request.looked_again", "A person had the portal look or verify again",
     f"{_REQUEST} decision", PEOPLE, True, _D),
    ("request.taken_over", "An undo took the place of an unclear restore",
     f"{_REQUEST} decision", ANYBODY, False, _D),
    ("request.state_changed", "A request moved to another state",
     f"{_REQUEST} error message", ANYBODY, False, _D),
    # What the worker does
    ("execution.created", "An execution was created for an approved request",
     _RUN, ANYBODY, False, _D),
    ("execution.claimed", "A worker took a lease on the execution",
     f"{_RUN} node", PORTAL, False, _A),
    ("execution.abandoned", "A lease ran out without a result",
     f"{_RUN} node", PORTAL, False, _D),
    ("execution.step_finished", "A step ended",
     f"{_RUN} next_attempt_at decision", PORTAL, False, _A),
    ("execution.waiting", "A step waits for something named",
     f"{_RUN} next_attempt_at decision status", PORTAL, False, _A),
    ("execution.intent", "The call that changes something is about to be sent",
     f"{_CHANGE} preserved_name point_kind point_time point_lsn last_reset_at method path", PORTAL, False, _D),
    ("execution.submitted", "Neon took the call that changes something",
     f"{_CHANGE} preserved_branch preserved_name operation_ids submitted_at status", PORTAL, False, _D),
    ("execution.effect_unknown", "The answer to a call that changes something was lost",
     _CHANGE, PORTAL, False, _D),
    ("execution.adopted", "The effect of an earlier call was found and taken over",
     f"{_CHANGE} preserved_branch preserved_name operation_ids last_reset_at", PORTAL, False, _D),
    ("execution.absent", "An earlier call was shown to have had no effect",
     f"{_CHANGE} last_reset_at", PORTAL, False, _D),
    ("execution.not_taken", "Neon did nothing with the call that changes something, or it was not sent",
     _CHANGE, PORTAL, False, _D),
    ("execution.preserved", "The state before the restore is kept as a branch",
     f"{_RUN} branch preserved_branch preserved_name", PORTAL, False, _D),
    ("execution.operation", "An operation at Neon changed its status",
     f"{_RUN} operation_ids operation_status", PORTAL, False, _A),
    ("execution.connectable", "The restored branch takes connections",
     f"{_RUN} branch endpoint host writable_at", PORTAL, False, _D),
    ("execution.check", "A check ended",
     f"{_RUN} check check_result required table tables_unclear databases rows evidence_sha256", PORTAL, False, _D),
    ("execution.verified", "All checks ended",
     f"{_RUN} passed failed inconclusive tables_unclear evidence_sha256", PORTAL, False, _D),
    ("execution.refused", "The worker refused to send the call",
     f"{_RUN} refused changed_facts", PORTAL, False, _D),
    ("execution.finished", "The execution ended",
     f"{_RUN} passed failed inconclusive", PORTAL, False, _D),
    ("execution.cleaned_up", "Something that the portal had made at Neon was removed",
     f"{_RUN} branch branch_name", PORTAL, False, _D),
    ("execution.cleanup_failed", "Something that the portal had made at Neon could not be removed",
     f"{_RUN} branch branch_name", PORTAL, False, _D),
    # Looks at a past moment
    ("look.requested", "A look at a past moment was asked for",
     "request point_kind point_time point_lsn", PEOPLE, True, _A),
    ("look.ready", "The look's copy answered",
     "branch expires_at tables duration_ms", PORTAL, False, _A),
    ("look.failed", "The look ended without a copy",
     "error message duration_ms", PORTAL, False, _A),
    ("look.viewed", "A look's result was read",
     "branch", PEOPLE, False, _A),
    ("look.closed", "A look was closed before its time",
     "branch", PEOPLE, False, _A),
    ("look.removed", "A look's copy was removed",
     "branch", ANYBODY, False, _A),
    # Calls
    ("neon.call", "A call to Neon's API ended",
     "request drill execution step_name attempt method path call_id status duration_ms neon_error effect",
     ANYBODY, False, _A),
    # Access
    ("access.login", "Somebody logged in",
     "means", PEOPLE, False, _A),
    ("access.logout", "Somebody logged out",
     "", PEOPLE, False, _A),
    ("access.login_failed", "A log-in was refused",
     "means login_hash", EVEN_STRANGERS, False, _A),
    ("access.refused", "An act was refused",
     "request capability refused from_state method token", EVEN_STRANGERS, False, _A),
    ("access.account_created", "An account was created",
     "login service_account active staff superuser", ANYBODY, False, _D),
    ("access.account_changed", "An account was changed",
     "login changed_fields service_account active staff superuser", ANYBODY, False, _D),
    ("access.password_changed", "An account's password was set",
     "login", ANYBODY, False, _D),
    ("access.role_granted", "A role was given",
     "role login", ANYBODY, False, _D),
    ("access.role_revoked", "A role was taken away",
     "role login", ANYBODY, False, _D),
    # Projects, policy, secrets
    ("project.connected", "A Neon project was registered",
     "environment plan history_seconds findings default_branch version", ANYBODY, False, _D),
    ("project.changed", "A project's settings were changed",
     "changed_fields before after", ANYBODY, True, _D),
    ("project.checked", "A project's connection was examined",
     "findings passed failed inconclusive plan history_seconds duration_ms", ANYBODY, False, _A),
    ("project.check_asked", "Somebody had the worker examine a project's connection",
     "", PEOPLE, False, _A),
    ("project.disconnected", "A project was taken out of the portal's care",
     "", PEOPLE, True, _D),
    ("project.branch_protected", "A branch came under the portal's care",
     "branch_name environment default_branch neon_protected", ANYBODY, True, _D),
    ("project.branch_changed", "What is known or decided about a branch changed",
     "branch_name environment previous_environment changed_fields default_branch neon_protected", ANYBODY, True, _D),
    ("project.branch_rekeyed", "A branch goes on under another id at Neon, because it was restored from a snapshot",
     "request branch_name environment previous_branch branch preserved_name point_snapshot", ANYBODY, False, _D),
    ("project.label_proposed", "A lower environment was proposed for a branch",
     "branch_name environment previous_environment", HUMANS, True, _D),
    ("project.label_lowered", "Two people gave a branch a lower environment",
     "branch_name environment previous_environment voters", HUMANS, True, _D),
    ("policy.changed", "A policy was changed",
     "policy policy_version changed_fields before after environment", ANYBODY, True, _D),
    ("secret.changed", "A secret was set or replaced; its value is nowhere",
     "secret secret_fingerprint project", ANYBODY, False, _D),
    # Notifications
    ("notification.queued", "A message was put into the outbox",
     "request channel template recipient recipients", ANYBODY, False, _A),
    ("notification.sent", "A message was handed to its channel",
     "request channel template recipient attempts duration_ms", ANYBODY, False, _A),
    ("notification.failed", "A message could not be handed over",
     "request channel template recipient attempts error status", ANYBODY, False, _A),
    ("notification.changed", "Where alerts go was changed",
     "channel changed_fields switched_on switched_off", ANYBODY, False, _D),
    # The monitor, and backups as declared
    ("finding.opened", "The monitor found something wrong",
     _FINDING, PORTAL, False, _D),
    ("finding.changed", "A finding became more or less severe",
     f"{_FINDING} before after", PORTAL, False, _D),
    ("finding.closed", "The cause of a finding is gone",
     _FINDING, PORTAL, False, _D),
    ("finding.acknowledged", "Somebody has seen a finding",
     _FINDING, PEOPLE, True, _D),
    ("finding.owned", "A finding was given to somebody, or to nobody any more",
     f"{_FINDING} login", PEOPLE, False, _D),
    ("finding.explained", "What the monitor had found outside the portal was explained, which closes it",
     f"{_FINDING} record", PEOPLE, True, _D),
    ("backup.declared", "The wanted backup schedule and history window of a branch were set",
     "branch_name environment schedule history_seconds before", PEOPLE, True, _D),
    ("backup.proposed", "Somebody asked to bring Neon to the declared backups",
     f"{_PLAN} before", HUMANS, True, _D),
    ("backup.confirmed", "A second person agreed to bring Neon to the declared backups",
     f"{_PLAN} voters", HUMANS, False, _D),
    ("backup.refused", "The wish to bring Neon to the declared backups was refused or taken back",
     _PLAN, HUMANS, False, _D),
    ("backup.applied", "Neon has the declared schedule and history window",
     f"{_PLAN} execution", PORTAL, False, _D),
    ("backup.not_applied", "Neon could not be brought to the declared backups",
     f"{_PLAN} execution error message", PORTAL, False, _D),
    # The ledger and the portal
    ("ledger.exported", "Events were written into a file",
     "format events filter_sha256 file_sha256 bytes", ANYBODY, False, _D),
    ("system.started", "A process of the portal started",
     "version node", PORTAL, False, _A),
    ("system.stopped", "A process of the portal stopped",
     "version node error", PORTAL, False, _A),
    ("system.roles_set_up", "The database's roles were set up",
     "findings", PORTAL, False, _D),
    ("system.finding", "Something about the installation needs attention",
     "findings node error message", PORTAL, False, _D),
)
# fmt: on


def _event_type(
    code: str, meaning: str, fields: str, actors: frozenset[ActorKind], text: bool, kept: Retention
) -> EventType:
    common = frozenset() if actors.isdisjoint(PEOPLE) else FIELDS_OF_PEOPLE
    return EventType(code, meaning, frozenset(fields.split()) | common, actors, text, kept, ocsf_class_of(code))


CATALOGUE: dict[str, EventType] = {
    row[0]: _event_type(*row) for row in (*_ROWS, *DRILL_ROWS, *AFTERWARDS_ROWS, *SEAL_ROWS, *AUDIT_ROWS)
}


def event_type(code: str) -> EventType:
    """The declaration of a type. Raises NotInCatalogue."""
    try:
        return CATALOGUE[code]
    except KeyError:
        raise NotInCatalogue(f"No type of event is called {code!r}; declare it in the catalogue first.") from None


def undeclared_fields() -> frozenset[str]:
    """Fields that a type lists and that have no kind: must be empty."""
    return frozenset().union(*(declared.fields for declared in CATALOGUE.values())) - FIELDS.keys()
