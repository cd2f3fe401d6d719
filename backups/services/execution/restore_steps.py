"""The steps of a restore, an undo, a restore to a new branch and one from a snapshot, in their order."""

from __future__ import annotations

from backups.domain.execution import Step
from backups.services.execution.restore_common import give_up
from backups.services.execution.restore_connect import connect
from backups.services.execution.restore_copy import find_copy, rehearse
from backups.services.execution.restore_finish import finish
from backups.services.execution.restore_preflight import preflight
from backups.services.execution.restore_submit import submit
from backups.services.execution.restore_verify import verify
from backups.services.execution.restore_wait import wait

STEPS = {
    Step.PREFLIGHT: preflight,
    Step.SUBMIT: submit,
    Step.WAIT: wait,
    Step.CONNECT: connect,
    Step.VERIFY: verify,
    Step.FINISH: finish,
}

#: Only where a copy of a snapshot is to take the branch's place; then between preflight and submit.
COPY_STEPS = {
    Step.COPY: find_copy,
    Step.REHEARSE: rehearse,
}

__all__ = ["COPY_STEPS", "STEPS", "give_up"]
