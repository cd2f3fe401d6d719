"""The policy in force and what it asks of one request."""

from __future__ import annotations

import datetime as dt

from backups.domain.policy import DEFAULT_POLICY, Policy, votes_needed
from backups.domain.restore import RestoreKind
from backups.models import PolicyVersion, RestoreRequest


def policy_in_force() -> Policy:
    """The newest stored version, or the built-in one where none was stored yet."""
    newest = PolicyVersion.objects.order_by("-number").first()
    if newest is None:
        return DEFAULT_POLICY
    return Policy.from_json(newest.body | {"version": newest.number})


def votes_needed_for(request: RestoreRequest, *, at: dt.datetime, policy: Policy) -> int:
    """How many approvals `request` needs when it is submitted at `at`."""
    return votes_needed(
        policy,
        kind=RestoreKind(request.kind),
        environment=request.branch.environment,
        restored_for=_restored_for(request, at),
    )


def _restored_for(request: RestoreRequest, at: dt.datetime) -> dt.timedelta | None:
    if request.undo_of is None or request.undo_of.submitted_to_neon_at is None:
        return None
    return at - request.undo_of.submitted_to_neon_at
