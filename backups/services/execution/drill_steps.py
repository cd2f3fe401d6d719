"""The steps of a drill: preflight, copy, connect, verify, remove, finish."""

from __future__ import annotations

from backups.domain.execution import Step
from backups.services.execution.drill_begin import ask, preflight
from backups.services.execution.drill_connect import connect
from backups.services.execution.drill_frame import StepFunction, framed
from backups.services.execution.drill_remove import finish, give_up, remove
from backups.services.execution.drill_verify import verify

STEPS: dict[Step, StepFunction] = {
    Step.PREFLIGHT: framed(preflight),
    Step.COPY: framed(ask),
    Step.CONNECT: framed(connect),
    Step.VERIFY: framed(verify),
    Step.REMOVE: framed(remove, stops=False),
    Step.FINISH: finish,
}

__all__ = ["STEPS", "give_up"]
