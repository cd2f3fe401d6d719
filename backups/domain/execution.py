"""The worker's runs: what they are for, where they stand, and what an intent can turn out to be."""

from __future__ import annotations

from enum import StrEnum

from backups.domain.restore import RestoreKind


class Purpose(StrEnum):
    """What a run does. All of them share claim, lease, fence, intents and steps."""

    PREPARE = "prepare"  # gathers the decision packet
    RESTORE = "restore"  # carries an approved request out
    LOOK = "look"  # opens a copy of a past moment
    DISPOSE = "dispose"  # deletes a branch that the portal made
    SAFETY_COPY = "safety_copy"  # makes a snapshot or a branch before risky work
    PRUNE = "prune"  # deletes a snapshot that the portal made
    DRILL = "drill"  # rehearses a recovery on a copy and removes it
    BACKUP_PLAN = "backup_plan"  # brings schedule and history window to what is declared


class ExecutionState(StrEnum):
    """Where a run stands."""

    ACTIVE = "active"
    HALTED = "halted"  # a person must decide; nothing runs
    REVIEWING = "reviewing"  # asked to look or verify again; never submits
    TAKEN_OVER = "taken_over"  # an undo took its place
    FINISHED = "finished"


#: A worker may claim these.
CLAIMABLE = frozenset({ExecutionState.ACTIVE, ExecutionState.REVIEWING})
#: These keep other restores away from the branch.
BLOCKING = frozenset({ExecutionState.ACTIVE, ExecutionState.HALTED, ExecutionState.REVIEWING})


class Step(StrEnum):
    """The steps of all runs; each takes at most 20 s under one claim."""

    PREFLIGHT = "preflight"
    SUBMIT = "submit"
    WAIT = "wait"
    CONNECT = "connect"
    VERIFY = "verify"
    FINISH = "finish"
    FACTS = "facts"
    COPY = "copy"
    INSPECT = "inspect"
    COMPARE = "compare"
    REHEARSE = "rehearse"
    PUBLISH = "publish"
    REMOVE = "remove"
    APPLY = "apply"


class IntentKind(StrEnum):
    """A call that changes something at Neon."""

    RESTORE_BRANCH = "restore_branch"
    RESTORE_SNAPSHOT = "restore_snapshot"  # one step: restored and put in the branch's place
    FINALIZE_RESTORE = "finalize_restore"  # a copy of a snapshot takes the branch's place
    CREATE_BRANCH = "create_branch"
    UPDATE_BRANCH = "update_branch"
    DELETE_BRANCH = "delete_branch"
    CREATE_ENDPOINT = "create_endpoint"
    PUT_SCHEDULE = "put_schedule"  # replaces the whole backup schedule of a branch
    UPDATE_PROJECT = "update_project"  # lengthens the history window
    CREATE_SNAPSHOT = "create_snapshot"
    DELETE_SNAPSHOT = "delete_snapshot"


class IntentOutcome(StrEnum):
    """What became of an intent."""

    PENDING = "pending"  # written down; the call may or may not have been sent
    APPLIED = "applied"
    REFUSED = "refused"  # Neon answered that it did nothing
    NOT_APPLIED = "not_applied"  # looked up and proven absent
    UNKNOWN = "unknown"


#: Of these calls a run makes one at most, whatever name it looks the effect up by. Copies may be made anew.
ONCE_PER_RUN = frozenset(IntentKind) - {IntentKind.CREATE_BRANCH, IntentKind.CREATE_ENDPOINT}

#: The calls that give a restore its effect. Whatever else its run sends only makes copies to read from.
EFFECTS: dict[RestoreKind, frozenset[IntentKind]] = {
    RestoreKind.IN_PLACE: frozenset({IntentKind.RESTORE_BRANCH}),
    RestoreKind.UNDO: frozenset({IntentKind.RESTORE_BRANCH}),
    RestoreKind.NEW_BRANCH: frozenset({IntentKind.CREATE_BRANCH, IntentKind.UPDATE_BRANCH}),
    RestoreKind.SNAPSHOT: frozenset({IntentKind.RESTORE_SNAPSHOT, IntentKind.FINALIZE_RESTORE}),
}
#: While one of these stands, no second submission of the same kind is possible (database constraint).
UNSETTLED_OR_APPLIED = frozenset({IntentOutcome.PENDING, IntentOutcome.APPLIED, IntentOutcome.UNKNOWN})


class CheckOutcome(StrEnum):
    """Result of one check. Inconclusive is never shown as passed."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class BranchPurpose(StrEnum):
    """Why the portal made, or caused, a branch at Neon."""

    PREVIEW = "preview"
    LOOK = "look"
    COPY = "copy"  # handed over as the result of a new-branch restore
    PRESERVED = "preserved"
    DRILL = "drill"
    SAFETY = "safety"  # made before risky work


class BranchFate(StrEnum):
    """What is known of a branch that the portal made."""

    INTENDED = "intended"
    PRESENT = "present"
    HANDED_OVER = "handed_over"
    PROMOTED = "promoted"  # became the governed branch itself
    GONE = "gone"
