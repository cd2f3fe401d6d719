"""What a branch is used for. One administrator may guard it more; guarding it less takes two people."""

from __future__ import annotations

from contextlib import AbstractContextManager

from backups.domain.people import Actor, ActorKind, Capability
from backups.domain.policy import Environment
from backups.ledger.fields import Detail
from backups.models import EnvironmentProposal, ProtectedBranch, TableMeaning
from backups.selectors.clock import database_now
from backups.services.project import lock_branch, record_branch, target_of_branch
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import refusals_recorded


def set_label(*, branch_id: int, label: Environment, actor: Actor, reason: str = "") -> EnvironmentProposal | None:
    """Gives the branch a label at once when it guards as much or more; else a proposal that a second person confirms.

    An unclassified branch counts as production, so its first lower label is a lowering too. Raises Refused.
    """
    with _about(branch_id, actor):
        branch = lock_branch(branch_id)
        if not _is_the_operator(actor):
            _needs(actor, Capability.MANAGE_PROJECTS, "Only an administrator can change what a branch is used for.")
        if label.is_lower_than(_label_that_counts(branch)):
            return _propose(branch, label, actor, reason)
        _give(branch, label, actor, reason)
        return None


def confirm_lower_label(*, proposal_id: int, actor: Actor) -> ProtectedBranch:
    """The second person's yes: the lower label counts from now on. Raises Refused."""
    proposal = EnvironmentProposal.objects.get(pk=proposal_id)
    with _about(proposal.branch_id, actor):
        branch, proposal = _open_proposal(proposal, actor)
        before = branch.environment
        proposal.confirmed_by_id = actor.user_id
        proposal.confirmed_at = database_now()
        proposal.save(update_fields=["confirmed_by", "confirmed_at"])
        branch.label = proposal.label
        branch.save(update_fields=["label"])
        voters = [f"user:{proposal.proposed_by_id}", actor.ref]
        details: dict[str, Detail] = {"previous_environment": before.value, "voters": voters}
        record_branch(branch, "project.label_lowered", actor, details)
        return branch


def refuse_lower_label(*, proposal_id: int, actor: Actor) -> None:
    """Drops an open proposal; the person who made it may do this too."""
    proposal = EnvironmentProposal.objects.get(pk=proposal_id)
    with _about(proposal.branch_id, actor):
        branch = lock_branch(proposal.branch_id)
        _may_decide(actor)
        proposal = _locked(proposal)
        proposal.refused_at = database_now()
        proposal.save(update_fields=["refused_at"])
        record_branch(branch, "project.branch_changed", actor, {"changed_fields": ["label_proposal"]})


def describe_table(
    *, branch_id: int, table: str, meaning: str, patient_safety: bool, actor: Actor
) -> TableMeaning | None:
    """Says in plain words what the rows of `schema.table` mean; an empty meaning takes the description away."""
    with _about(branch_id, actor):
        branch = lock_branch(branch_id)
        _needs(actor, Capability.MANAGE_PROJECTS, "Only an administrator can describe tables.")
        meaning = " ".join(meaning.split())
        if table.count(".") != 1 or len(table) > 200:
            raise InvalidInput({"table": "Name the table with its schema, such as public.medications."})
        if len(meaning) > 120:
            raise InvalidInput({"meaning": "Use at most 120 characters."})
        described = _store_meaning(branch, table, meaning, patient_safety)
        record_branch(branch, "project.branch_changed", actor, {"changed_fields": ["table_meaning"]})
        return described


def _store_meaning(branch: ProtectedBranch, table: str, meaning: str, patient_safety: bool) -> TableMeaning | None:
    if not meaning:
        TableMeaning.objects.filter(branch=branch, table=table).delete()
        return None
    described, _ = TableMeaning.objects.update_or_create(
        branch=branch, table=table, defaults={"meaning": meaning, "patient_safety": patient_safety}
    )
    return described


def _label_that_counts(branch: ProtectedBranch) -> Environment:
    return Environment(branch.label) if branch.label else Environment.PRODUCTION


def _propose(branch: ProtectedBranch, label: Environment, actor: Actor, reason: str) -> EnvironmentProposal:
    if not actor.is_human or actor.user_id is None:
        raise Refused(action=None, code="not_a_person", sentence="A person has to propose a lower label.")
    if branch.proposals.filter(confirmed_at__isnull=True, refused_at__isnull=True).exists():
        raise Refused(
            action=None,
            code="proposal_open",
            sentence="A lower label is proposed already and waits for a second person.",
        )
    proposal = EnvironmentProposal.objects.create(branch=branch, label=label.value, proposed_by_id=actor.user_id)
    record_branch(
        branch,
        "project.label_proposed",
        actor,
        {"environment": label.value, "previous_environment": branch.environment.value},
        text=reason,
    )
    return proposal


def _give(branch: ProtectedBranch, label: Environment, actor: Actor, reason: str) -> None:
    before = branch.environment
    branch.label = label.value
    branch.save(update_fields=["label"])
    record_branch(
        branch,
        "project.branch_changed",
        actor,
        {"changed_fields": ["label"], "previous_environment": before.value},
        text=reason,
    )


def _open_proposal(proposal: EnvironmentProposal, actor: Actor) -> tuple[ProtectedBranch, EnvironmentProposal]:
    branch = lock_branch(proposal.branch_id)
    _may_decide(actor)
    locked = _locked(proposal)
    if locked.proposed_by_id == actor.user_id:
        raise Refused(action=None, code="own_proposal", sentence="You proposed this, so somebody else must confirm it.")
    return branch, locked


def _locked(proposal: EnvironmentProposal) -> EnvironmentProposal:
    locked = EnvironmentProposal.objects.select_for_update().get(pk=proposal.pk)
    if locked.confirmed_at or locked.refused_at:
        raise Refused(action=None, code="proposal_closed", sentence="This proposal is decided already.")
    return locked


def _is_the_operator(actor: Actor) -> bool:
    """Who runs commands on the portal's machine may guard a branch more, and never less."""
    return actor.kind is ActorKind.SYSTEM


def _may_decide(actor: Actor) -> None:
    """Lowering takes away votes, so managers, whose votes they are, may be the second person."""
    if not actor.is_human or not (actor.may(Capability.MANAGE_PROJECTS) or actor.may(Capability.VOTE_ON_RESTORE)):
        raise Refused(
            action=None,
            code="not_allowed",
            sentence="Only an administrator or a manager can decide on a lower label.",
        )


def _needs(actor: Actor, capability: Capability, sentence: str) -> None:
    """A command on the server counts as an administrator; what takes two people asks for people besides."""
    if actor.kind is not ActorKind.SYSTEM and not actor.may(capability):
        raise Refused(action=None, code="not_allowed", sentence=sentence)


def _about(branch_id: int, actor: Actor) -> AbstractContextManager[None]:
    branch = ProtectedBranch.objects.select_related("project").get(pk=branch_id)
    return refusals_recorded(actor=actor, target=target_of_branch(branch))
