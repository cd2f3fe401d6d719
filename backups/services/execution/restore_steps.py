"""The steps of a restore, an undo and a restore to a new branch, in their order."""

from __future__ import annotations

from backups.domain.execution import Step
from backups.services.execution.restore_common import give_up
from backups.services.execution.restore_connect import connect
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

__all__ = ["STEPS", "give_up"]
