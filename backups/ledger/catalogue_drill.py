"""The types of event about drills, automatic and logged by people, the canary, corrective actions and duties."""

from __future__ import annotations

from backups.ledger.event_types import ANYBODY, HUMANS, PEOPLE, PORTAL, Retention, Row

_DRILL_PLAN = "drill_plan branch_name scenario drill_schedule point_kind rto_objective_seconds rpo_objective_seconds"
_DRILL = "drill drill_plan branch_name execution scenario"
_EXERCISE = "drill kind scenario planned_for from_state to_state request"
_ACTION = "action drill request record log_review owner due_on"
_D, _A = Retention.DECISION, Retention.ACTIVITY

# fmt: off
DRILL_ROWS: tuple[Row, ...] = (
    # Exercises logged by people, and what people add to any drill
    ("drill.exercise_planned", "An exercise was entered",
     _EXERCISE, PEOPLE, True, _D),
    ("drill.exercise_changed", "An exercise's entry was changed",
     f"{_EXERCISE} changed_fields", PEOPLE, True, _D),
    ("drill.exercise_begun", "An exercise began",
     _EXERCISE, PEOPLE, False, _D),
    ("drill.exercise_ended", "An exercise ended, with what came of it",
     f"{_EXERCISE} outcome noticed_at began_at duration_ms", PEOPLE, True, _D),
    ("drill.exercise_cancelled", "An exercise was cancelled",
     _EXERCISE, PEOPLE, True, _D),
    ("drill.participants_changed", "Who took part in an exercise was changed",
     f"{_EXERCISE} login effect participants", PEOPLE, False, _D),
    ("drill.noted", "A line was added to an exercise's timeline",
     f"{_EXERCISE} happened_at", PEOPLE, True, _D),
    ("drill.finding_added", "A finding was added to a drill",
     "drill severity", PEOPLE, True, _D),
    ("drill.attachment_added", "A file was attached to a drill",
     "drill file_sha256 content_type bytes", PEOPLE, False, _D),
    ("drill.attachment_read", "A drill's file was downloaded",
     "drill file_sha256", PEOPLE, False, _A),
    ("drill.signed_off", "A manager who did not run the drill signed it off",
     "drill outcome findings_count open_actions", HUMANS, True, _D),
    ("action.added", "A corrective action was agreed on",
     _ACTION, PEOPLE, False, _D),
    ("action.moved", "A corrective action got another owner or date",
     f"{_ACTION} previous_due_on", PEOPLE, True, _D),
    ("action.done", "A corrective action was done, with its proof",
     _ACTION, PEOPLE, True, _D),
    ("action.overdue", "A corrective action was not done in time",
     _ACTION, PORTAL, False, _D),
    # Duties and runbooks
    ("duty.done", "A duty was done: the portal saw the proof, or a person says so",
     "duty due_at effect", ANYBODY, True, _D),
    ("duty.overdue", "A duty was not done in time",
     "duty due_at", PORTAL, False, _D),
    ("runbook.written", "A runbook was written to its directory",
     "file_sha256 setup_sha256 bytes", ANYBODY, False, _A),
    ("runbook.failed", "A runbook could not be written",
     "error", ANYBODY, False, _A),
    ("runbook.read", "A runbook was downloaded",
     "file_sha256", PEOPLE, False, _A),
    # Drills and what they need
    ("drill.plan_created", "A plan for drills was made",
     _DRILL_PLAN, PEOPLE, False, _D),
    ("drill.plan_changed", "A plan for drills was changed",
     f"{_DRILL_PLAN} changed_fields", PEOPLE, False, _D),
    ("drill.plan_retired", "A plan for drills was taken out of use",
     "drill_plan branch_name", PEOPLE, True, _D),
    ("drill.planned", "A drill was begun, by a person or by its plan's schedule",
     f"{_DRILL} due_at", ANYBODY, True, _D),
    ("drill.missed", "Planned times passed without a drill",
     "drill_plan branch_name due_at last_due_at slots error message", PORTAL, False, _D),
    ("drill.started", "The moment to be recovered was chosen and the rehearsal began",
     f"{_DRILL} seed window_from window_to point_time point_kind deadline", PORTAL, False, _D),
    ("drill.yielded", "A drill stands still for a production request",
     f"{_DRILL} request", PORTAL, False, _D),
    ("drill.resumed", "A drill goes on after it had yielded",
     f"{_DRILL} yielded_ms", PORTAL, False, _D),
    ("drill.verified", "All checks of a drill ended",
     f"{_DRILL} passed failed inconclusive duration_ms", PORTAL, False, _D),
    ("drill.cancel_asked", "Somebody asked to end a drill early",
     _DRILL, PEOPLE, True, _D),
    ("drill.cancelled", "A drill was ended early; it shows nothing",
     f"{_DRILL} yielded_ms", ANYBODY, False, _D),
    ("drill.ended", "A drill ended with its outcome",
     f"{_DRILL} outcome error rto_ms rpo_ms yielded_ms rto_objective_seconds rpo_objective_seconds "
     "passed failed inconclusive seed point_time", PORTAL, False, _D),
    ("drill.orphan_found", "Neon has a branch with a drill's name that no open drill owns",
     "branch branch_name decision", PORTAL, False, _D),
    ("canary.set_up", "The portal began to write a canary into a branch",
     "every_seconds branch_name", PEOPLE, False, _D),
    ("canary.stopped", "The portal stopped to write the canary",
     "branch_name", PEOPLE, False, _D),
    ("canary.failed", "The canary could not be written",
     "branch_name error", PORTAL, False, _A),
    ("canary.recovered", "The canary is written again",
     "branch_name duration_ms", PORTAL, False, _A),
)
# fmt: on
