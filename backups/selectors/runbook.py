"""What a project's runbook is made from: ids, people, policy and proof. No secret and nothing of patients."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass

from django.contrib.auth.models import User

from backups.domain.drill import Proof
from backups.domain.people import Capability
from backups.models import DrillPlan, Project, ProtectedBranch
from backups.selectors.drill import standings
from backups.selectors.people import people_with
from backups.selectors.policy import policy_in_force
from backups.selectors.project import governed_branches


@dataclass(frozen=True, slots=True)
class RunbookBranch:
    """One branch. Objectives are of its strictest plan; None: no plan says any."""

    name: str
    neon_id: str
    environment: str
    is_root: bool | None
    is_default: bool
    is_from_snapshot: bool
    database: str
    role: str
    rto_objective_seconds: int | None
    rpo_objective_seconds: int | None


@dataclass(frozen=True, slots=True)
class RunbookPerson:
    """Who can be called: name, login and address."""

    name: str
    login: str
    email: str


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that, when it changes, makes a printed runbook wrong."""

    project_name: str
    neon_project_id: str
    api_host: str
    is_sandbox: bool
    region: str
    plan: str
    history_seconds: int | None
    root_branch_cap: int | None
    branches: tuple[RunbookBranch, ...]
    deciders: tuple[RunbookPerson, ...]
    starters: tuple[RunbookPerson, ...]
    in_place_votes: int
    contact: str
    site: str

    @property
    def sha256(self) -> str:
        """The same for the same set-up, whenever it is read."""
        text = json.dumps(asdict(self), sort_keys=True)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class BranchProof:
    """What drills say of a branch at the time of printing."""

    branch: str
    proof: Proof
    last_good_at: dt.datetime | None


def setup_of(project: Project, *, contact: str, site: str) -> Setup:
    """Reads it."""
    branches = list(governed_branches(project))
    return Setup(
        project_name=project.name,
        neon_project_id=project.neon_project_id,
        api_host=project.api_host,
        is_sandbox=project.is_sandbox,
        region=project.region,
        plan=project.plan,
        history_seconds=project.history_retention_seconds,
        root_branch_cap=project.root_branch_cap,
        branches=tuple(_branch(branch) for branch in branches),
        deciders=_people(Capability.VOTE_ON_RESTORE),
        starters=_people(Capability.START_RESTORE),
        in_place_votes=policy_in_force().production_in_place_votes,
        contact=contact,
        site=site,
    )


def proofs_of(project: Project, now: dt.datetime) -> list[BranchProof]:
    """Of each root branch in care."""
    branches = [branch for branch in governed_branches(project) if branch.is_root is not False]
    known = standings(branches, now=now)
    return [BranchProof(each.name, known[each.pk].proof, known[each.pk].last_good_at) for each in branches]


def _branch(branch: ProtectedBranch) -> RunbookBranch:
    plans = list(DrillPlan.objects.filter(branch=branch, is_active=True))
    return RunbookBranch(
        name=branch.name,
        neon_id=branch.neon_branch_id,
        environment=branch.environment.value,
        is_root=branch.is_root,
        is_default=branch.is_default,
        is_from_snapshot=branch.is_from_snapshot,
        database=branch.database_name,
        role=branch.role_name,
        rto_objective_seconds=min((plan.rto_objective_seconds for plan in plans), default=None),
        rpo_objective_seconds=min(
            (plan.rpo_objective_seconds for plan in plans if plan.rpo_objective_seconds is not None), default=None
        ),
    )


def _people(capability: Capability) -> tuple[RunbookPerson, ...]:
    return tuple(_person(user) for user in people_with(capability))


def _person(user: User) -> RunbookPerson:
    return RunbookPerson(user.get_full_name() or user.username, user.username, user.email)
