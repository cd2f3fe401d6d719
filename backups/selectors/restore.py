"""What pages and services both need to know of a restore request."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from backups.domain.actions import Action, Situation, refusal
from backups.domain.execution import (
    BLOCKING,
    EFFECTS,
    BranchFate,
    BranchPurpose,
    ExecutionState,
    IntentOutcome,
    Purpose,
)
from backups.domain.people import Actor, Capability, roles_with
from backups.domain.policy import Environment
from backups.domain.restore import GOVERNING, TERMINAL, PointKind, RequestState, RestoreKind, StartMode
from backups.models import Execution, Intent, OwnedBranch, Project, RestoreRequest, RoleMembership, Vote
from backups.selectors.clock import database_now


@dataclass(frozen=True, slots=True)
class Available:
    """One action and, where it is not allowed, the sentence that says why."""

    action: Action
    refusal: str | None

    @property
    def allowed(self) -> bool:
        """True when the person may do it now."""
        return self.refusal is None


def available_actions(actor: Actor, request: RestoreRequest, *, now: dt.datetime | None = None) -> list[Available]:
    """Every action, allowed or refused, for this person on this request at this instant."""
    situation = situation_of(actor, request, now=now or database_now())
    return [Available(action, refusal(action, situation)) for action in Action]


def allowed_actions(actor: Actor, request: RestoreRequest, *, now: dt.datetime | None = None) -> frozenset[Action]:
    """Only what is allowed."""
    return frozenset(item.action for item in available_actions(actor, request, now=now) if item.allowed)


def eligible_voters(request: RestoreRequest) -> QuerySet[User]:
    """People who can vote on `request`: a voting role held since before it was submitted, and not its requester.

    For a draft, those who could vote if it were submitted now.
    """
    return (
        User.objects.filter(is_active=True)
        .exclude(pk=request.requester_id)
        .exclude(profile__is_service_account=True)
        .filter(Exists(_voting_role(request.submitted_at, OuterRef("pk"))))
        .order_by("username")
    )


def valid_approvals(request: RestoreRequest) -> list[Vote]:
    """The approvals that count now: on the present digest, not taken back, by people who can still vote."""
    if request.packet is None:
        return []
    return list(
        Vote.objects.filter(
            request=request,
            packet=request.packet,
            digest=request.packet.digest,
            choice=Vote.Choice.APPROVE,
            taken_back_at__isnull=True,
            voter__is_active=True,
        )
        .exclude(voter=request.requester_id)
        .exclude(voter__profile__is_service_account=True)
        .filter(Exists(_voting_role(request.submitted_at, OuterRef("voter_id"))))
        .select_related("voter")
    )


def _voting_role(before: dt.datetime | None, user: OuterRef) -> QuerySet[RoleMembership]:
    roles = [role.value for role in roles_with(Capability.VOTE_ON_RESTORE)]
    held = RoleMembership.objects.filter(user=user, role__in=roles, until__isnull=True)
    return held if before is None else held.filter(since__lt=before)


def restore_run(request: RestoreRequest) -> Execution | None:
    """The newest run that carries this request out, if it was ever started."""
    return Execution.objects.filter(request=request, purpose=Purpose.RESTORE).order_by("-pk").first()


def preserved_branch(request: RestoreRequest) -> OwnedBranch | None:
    """The branch that keeps the state just before this restore, when it is known to exist."""
    return OwnedBranch.objects.filter(request=request, purpose=BranchPurpose.PRESERVED, fate=BranchFate.PRESENT).first()


def preview_copy(request: RestoreRequest) -> OwnedBranch | None:
    """The copy that the present facts were read from, when it still exists."""
    return (
        OwnedBranch.objects.filter(request=request, purpose=BranchPurpose.PREVIEW, fate=BranchFate.PRESENT)
        .order_by("-pk")
        .first()
    )


def governing_requests(project: Project) -> QuerySet[RestoreRequest]:
    """Production requests that are approved or running: nothing else may disturb their project (Neon answers 423)."""
    return RestoreRequest.objects.filter(
        branch__project=project, state__in=[state.value for state in GOVERNING]
    ).filter(
        Q(branch__label__isnull=True)
        | Q(branch__label=Environment.PRODUCTION)
        | Q(branch__is_default=True)
        | Q(branch__is_neon_protected=True)
    )


def exchanges_under_way(project: Project) -> list[RestoreRequest]:
    """Restores from a snapshot whose order went out, or may have, and whose branch is not known to be followed yet."""
    runs = Execution.objects.filter(
        project=project,
        purpose=Purpose.RESTORE,
        state__in=[state.value for state in BLOCKING],
        request__kind=RestoreKind.SNAPSHOT,
        request__state__in=[RequestState.RUNNING, RequestState.NEEDS_ATTENTION],
    ).select_related("request__branch")
    return [run.request for run in runs if run.request is not None and "restored_branch_id" not in run.memory]


def discarded_minutes(request: RestoreRequest, *, now: dt.datetime) -> int | None:
    """Whole minutes of writes that the start throws away; None where the point is a log position."""
    since = request.point_at
    if request.point_kind == PointKind.HEAD and request.undo_of is not None:
        since = request.undo_of.connectable_at or request.undo_of.submitted_to_neon_at
    return None if since is None else max(0, int((now - since).total_seconds() // 60))


def situation_of(actor: Actor, request: RestoreRequest, *, now: dt.datetime) -> Situation:
    """Everything that the rules in domain/actions look at."""
    run = restore_run(request)
    resolution = request.resolutions.filter(confirmed_at__isnull=True, dropped_at__isnull=True).first()
    return Situation(
        actor=actor,
        state=RequestState(request.state),
        kind=RestoreKind(request.kind),
        start_mode=StartMode(request.start_mode),
        is_requester=actor.user_id == request.requester_id,
        has_active_vote=_has_active_vote(actor, request),
        eligible_since_before_submission=eligible_voters(request).filter(pk=actor.user_id or 0).exists(),
        votes_open=request.votes_until is not None and now < request.votes_until,
        start_open=request.start_until is not None and now < request.start_until,
        start_asked=request.start_asked_at is not None,
        run_is_halted=run is not None and run.state == ExecutionState.HALTED,
        effect_is_known=effect_is_known(request, run),
        call_may_be_under_way=call_may_be_under_way(request, run),
        resolution_open=resolution is not None,
        proposed_resolution=resolution is not None and resolution.proposed_by_id == actor.user_id,
        has_preserved_branch=preserved_branch(request) is not None,
        branch_is_from_snapshot=request.branch.is_from_snapshot,
        waits_for_seal=run is not None and "seal_asked" in run.memory and not run.seal_waived_by_name,
        undo_is_open=request.undos.exclude(state__in=[s.value for s in TERMINAL]).exists(),
    )


def _has_active_vote(actor: Actor, request: RestoreRequest) -> bool:
    return (
        request.packet_id is not None
        and Vote.objects.filter(packet=request.packet_id, voter=actor.user_id, taken_back_at__isnull=True).exists()
    )


def orders_of(request: RestoreRequest, run: Execution) -> QuerySet[Intent]:
    """The run's calls that give the restore its effect; copies that it had made to read from are none."""
    return Intent.objects.filter(execution=run, kind__in=EFFECTS[RestoreKind(request.kind)])


def effect_is_known(request: RestoreRequest, run: Execution | None) -> bool:
    """True when Neon is known to have carried the restore out."""
    return run is not None and orders_of(request, run).filter(outcome=IntentOutcome.APPLIED).exists()


def call_may_be_under_way(request: RestoreRequest, run: Execution | None) -> bool:
    """True when the order to Neon was, or may have been, accepted."""
    if run is None:
        return False
    open_outcomes = [IntentOutcome.PENDING, IntentOutcome.UNKNOWN, IntentOutcome.APPLIED]
    return orders_of(request, run).filter(outcome__in=open_outcomes).exists()
