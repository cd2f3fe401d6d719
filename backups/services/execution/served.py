"""What a run serves, for code that is only reached by runs of that kind."""

from __future__ import annotations

from backups.models import Execution, ProtectedBranch, RestoreRequest


def request_of(run: Execution) -> RestoreRequest:
    """The request of a preparation or a restore; the database forbids such runs without one."""
    if run.request is None:
        raise LookupError(f"Run {run.pk} serves no request.")
    return run.request


def branch_of(run: Execution) -> ProtectedBranch:
    """The protected branch that the run is about."""
    if run.branch is None:
        raise LookupError(f"Run {run.pk} is about no protected branch.")
    return run.branch
