"""Backups as declared: what people want of a branch, and bringing Neon to it with one other person's approval."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings

from backups.domain.backup_plan import Drift, WantedBackups, drift, problems_with
from backups.domain.execution import Purpose, Step
from backups.domain.monitor import Severity
from backups.domain.notification import Subject, SubjectKind, Topic
from backups.domain.people import Actor, Capability, Role
from backups.ledger.fields import Detail
from backups.models import BackupPlan, PlanProposal, ProjectWatch, ProtectedBranch
from backups.selectors.backup_plan import wanted_of
from backups.selectors.clock import database_now
from backups.services.execution.create import create_execution
from backups.services.monitor.memory import Memory
from backups.services.monitor.scene import rule_of
from backups.services.notification.alert import alert
from backups.services.project import lock_branch, record_branch, target_of_branch
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now


def declare_backups(*, actor: Actor, branch_id: int, wanted: WantedBackups, reason: str) -> BackupPlan:
    """Says what the branch is to have. Changes nothing at Neon; the monitor shows what differs.

    Raises Refused, InvalidInput; then nothing was changed.
    """
    with _about(branch_id, actor):
        branch = lock_branch(branch_id)
        actor = with_roles_of_now(actor)
        _needs(actor, Capability.DECLARE_BACKUPS, "Only a manager or an administrator can declare backups.")
        problems = problems_with(wanted)
        if problems:
            raise InvalidInput({"schedule": " ".join(problems)})
        if not reason.strip():
            raise InvalidInput({"reason": "Say why, in a sentence."})
        before = wanted_of(branch)
        plan, _ = BackupPlan.objects.update_or_create(
            branch=branch,
            defaults=wanted.to_json() | {"changed_by_name": actor.name, "changed_at": database_now()},
        )
        details = _details(wanted) | {"before": _words(before)}
        record_branch(branch, "backup.declared", actor, details, text=reason)
        return plan


def seen_at_neon(branch: ProtectedBranch) -> WantedBackups | None:
    """Schedule and history window as the monitor saw them last; None when that is unknown or too long ago."""
    watch = ProjectWatch.objects.filter(project_id=branch.project_id).first()
    if watch is None or watch.known_at is None:
        return None
    age_seconds = (database_now() - watch.known_at).total_seconds()
    memory = Memory.from_json(watch.known, watch.known_at)
    known = memory.schedules.get(branch.neon_branch_id)
    fresh = age_seconds <= 3 * settings.MONITOR_EVERY_SECONDS + settings.MONITOR_PROJECT_SECONDS
    if not fresh or known is None or memory.history_seconds is None:
        return None
    return WantedBackups(tuple(rule_of(item) for item in known.items), memory.history_seconds)


def to_apply(branch: ProtectedBranch) -> tuple[WantedBackups, WantedBackups, Drift]:
    """What would be sent, what Neon has, and what differs. A history window is only ever made longer.

    Raises Refused when there is nothing to apply, or when it is not known what would vanish.
    """
    seen = seen_at_neon(branch)
    if seen is None:
        raise _no("not_known", "The monitor has not read this branch's schedule lately, so nobody knows what vanishes.")
    declared = wanted_of(branch)
    wanted = WantedBackups(declared.schedule, max(declared.history_seconds, seen.history_seconds))
    differs = drift(wanted=wanted.schedule, found=seen.schedule)
    if differs.is_none and wanted.history_seconds == seen.history_seconds:
        raise _no("nothing_to_apply", "Neon has what is declared. There is nothing to apply.")
    return wanted, seen, differs


def propose_plan(*, actor: Actor, branch_id: int, reason: str) -> PlanProposal:
    """Asks that Neon be brought to what is declared. Raises Refused, InvalidInput; then nothing was changed."""
    with _about(branch_id, actor):
        branch = lock_branch(branch_id)
        actor = with_roles_of_now(actor)
        _needs(actor, Capability.PROPOSE_BACKUPS, "Only an engineer or a manager can propose this.")
        _is_a_person(actor)
        if not reason.strip():
            raise InvalidInput({"reason": "Say why, in a sentence."})
        if branch.plan_proposals.filter(confirmed_at__isnull=True, refused_at__isnull=True).exists():
            raise _no("proposal_open", "A proposal for this branch waits for a second person already.")
        wanted, seen, _ = to_apply(branch)
        proposal = PlanProposal.objects.create(
            branch=branch,
            wanted=wanted.to_json(),
            seen=seen.to_json(),
            proposed_by_id=account_of(actor),
            proposed_at=database_now(),
        )
        _record(proposal, "backup.proposed", actor, {"before": _words(seen)}, text=reason)
        tell_of_plan(
            proposal, Topic.SCHEDULE_SECOND_PERSON_WANTED, "A manager is wanted to agree to the backup schedule"
        )
        return proposal


def confirm_plan(*, actor: Actor, proposal_id: int) -> PlanProposal:
    """The other person's yes: the worker brings Neon to it. Raises Refused; then nothing was changed."""
    with _about_proposal(proposal_id, actor):
        proposal = _locked(proposal_id)
        actor = with_roles_of_now(actor)
        _needs(actor, Capability.CONFIRM_BACKUPS, "Only a manager can agree to this.")
        _is_a_person(actor)
        if proposal.proposed_by_id == actor.user_id:
            raise _no("own_proposal", "You proposed this, so somebody else must agree to it.")
        declared, wanted = wanted_of(proposal.branch), WantedBackups.from_json(proposal.wanted)
        if not drift(wanted=declared.schedule, found=wanted.schedule).is_none:
            raise _no("declared_anew", "Something else was declared since. Refuse this and propose it anew.")
        proposal.decided_by_id, proposal.confirmed_at = account_of(actor), database_now()
        proposal.save(update_fields=["decided_by", "confirmed_at"])
        _record(proposal, "backup.confirmed", actor, {"voters": [f"user:{proposal.proposed_by_id}", actor.ref]})
        create_execution(
            purpose=Purpose.BACKUP_PLAN,
            project=proposal.branch.project,
            branch=proposal.branch,
            step=Step.APPLY,
            plan_proposal=proposal,
            actor=actor,
        )
        return proposal


def refuse_plan(*, actor: Actor, proposal_id: int) -> PlanProposal:
    """Drops an open proposal: a manager refuses it, or its author takes it back. Raises Refused."""
    with _about_proposal(proposal_id, actor):
        proposal = _locked(proposal_id)
        actor = with_roles_of_now(actor)
        if proposal.proposed_by_id != actor.user_id:
            _needs(actor, Capability.CONFIRM_BACKUPS, "Only a manager, or who proposed it, can refuse this.")
        proposal.decided_by_id, proposal.refused_at = account_of(actor), database_now()
        proposal.save(update_fields=["decided_by", "refused_at"])
        _record(proposal, "backup.refused", actor, {})
        return proposal


def note_applied(proposal: PlanProposal, *, actor: Actor, run_id: int, sentence: str) -> None:
    """Neon has it; in the transaction that ends the run."""
    proposal.applied_at, proposal.outcome = database_now(), sentence[:400]
    proposal.save(update_fields=["applied_at", "outcome"])
    _record(proposal, "backup.applied", actor, {"execution": str(run_id)})
    tell_of_plan(proposal, Topic.SCHEDULE_APPLIED, "Neon has the declared backups now")


def note_not_applied(proposal: PlanProposal, *, actor: Actor, run_id: int, code: str, sentence: str) -> None:
    """Neon has not, or not all of it; in the transaction that ends the run."""
    proposal.outcome = sentence[:400]
    proposal.save(update_fields=["outcome"])
    _record(proposal, "backup.not_applied", actor, {"execution": str(run_id), "error": code})
    tell_of_plan(proposal, Topic.SCHEDULE_FAILED, "Neon could not be brought to the declared backups")


def tell_of_plan(proposal: PlanProposal, topic: Topic, what: str) -> None:
    """Tells managers, and who proposed it, in the open transaction."""
    branch = proposal.branch
    alert(
        topic=topic,
        subject=Subject(
            kind=SubjectKind.SCHEDULE,
            reference=f"B-{proposal.pk:04d}",
            project=branch.project.neon_project_id,
            is_sandbox=branch.project.is_sandbox,
        ),
        severity=Severity.WARNING if topic is not Topic.SCHEDULE_APPLIED else Severity.NOTICE,
        text=f"{what} ({branch.project.name} / {branch.name})",
        link_path=f"/monitor/plan-proposals/{proposal.pk}/",
        people=[proposal.proposed_by],
        roles=[Role.MANAGER],
        occasion=topic.value,
    )


def _details(wanted: WantedBackups) -> dict[str, Detail]:
    return {"schedule": [rule.words for rule in wanted.schedule], "history_seconds": wanted.history_seconds}


def _words(wanted: WantedBackups) -> str:
    rules = "; ".join(rule.words for rule in wanted.schedule) or "no schedule"
    return f"{rules}, {wanted.history_seconds // 3600} hours of history"[:200]


def _record(proposal: PlanProposal, type: str, actor: Actor, details: Mapping[str, Any], *, text: str = "") -> None:
    wanted = WantedBackups.from_json(proposal.wanted)
    facts = _details(wanted) | {"proposal": f"B-{proposal.pk:04d}"} | dict(details)
    record_branch(proposal.branch, type, actor, facts, text=text)


def _locked(proposal_id: int) -> PlanProposal:
    found = PlanProposal.objects.select_for_update(of=("self",)).select_related("branch__project", "proposed_by")
    proposal = found.get(pk=proposal_id)
    if proposal.confirmed_at or proposal.refused_at:
        raise _no("proposal_closed", "This proposal is decided already.")
    return proposal


def _needs(actor: Actor, capability: Capability, sentence: str) -> None:
    if not actor.may(capability):
        raise _no("not_allowed", sentence)


def _is_a_person(actor: Actor) -> None:
    if not actor.is_human or actor.user_id is None:
        raise _no("not_a_person", "A person has to do this.")


def _no(code: str, sentence: str) -> Refused:
    return Refused(action=None, code=code, sentence=sentence)


def _about(branch_id: int, actor: Actor) -> AbstractContextManager[None]:
    branch = ProtectedBranch.objects.select_related("project").get(pk=branch_id)
    return refusals_recorded(actor=actor, target=target_of_branch(branch))


def _about_proposal(proposal_id: int, actor: Actor) -> AbstractContextManager[None]:
    return _about(PlanProposal.objects.values_list("branch_id", flat=True).get(pk=proposal_id), actor)
