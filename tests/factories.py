"""People, projects and requests for tests, made through the services wherever a service exists."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from backups.domain.packet import BoundFacts
from backups.domain.people import SYSTEM, Actor, Role
from backups.domain.policy import Environment
from backups.domain.restore import PointKind, RestoreKind, RestorePoint, Scenario, StartMode
from backups.models import DecisionPacket, Project, ProtectedBranch, RestoreRequest, Vote
from backups.selectors.clock import database_now
from backups.selectors.people import actor_of
from backups.selectors.policy import policy_in_force, votes_needed_for
from backups.services.people import add_person
from backups.services.restore.draft import Wish, draft_request, submit_request
from backups.services.restore.packet import publish_packet
from backups.services.restore.votes import cast_vote

PASSWORD = "a-password-of-tests-8k2"

_ROLES: dict[str, tuple[Role, ...]] = {
    "alice": (Role.ENGINEER,),
    "bob": (Role.MANAGER,),
    "carol": (Role.MANAGER,),
    "dana": (Role.AUDITOR,),
    "erin": (Role.ADMINISTRATOR,),
    "charlie": (),
}


@dataclass(frozen=True)
class Person:
    """An account and what it is at this moment."""

    user: User

    @property
    def actor(self) -> Actor:
        return actor_of(User.objects.get(pk=self.user.pk))


class People:
    """Alice engineer, Bob and Carol managers, Dana auditor, Erin administrator, Charlie nobody.

    Each is made when first named.
    """

    @cached_property
    def alice(self) -> Person:
        return person("alice")

    @cached_property
    def bob(self) -> Person:
        return person("bob")

    @cached_property
    def carol(self) -> Person:
        return person("carol")

    @cached_property
    def dana(self) -> Person:
        return person("dana")

    @cached_property
    def erin(self) -> Person:
        return person("erin")

    @cached_property
    def charlie(self) -> Person:
        return person("charlie")

    def all(self) -> list[Person]:
        return [getattr(self, name) for name in _ROLES]


def person(login: str, *roles: Role) -> Person:
    """An account with the roles of that name, or with the given ones."""
    user = add_person(
        actor=SYSTEM,
        login=login,
        roles=roles or _ROLES.get(login, ()),
        email=f"{login}@carecircle.example",
        full_name=login.capitalize(),
        password=PASSWORD,
    )
    return Person(user)


def project(**fields: Any) -> Project:
    """A sandbox project."""
    defaults = {
        "name": "carecircle-prod",
        "neon_project_id": "calm-river-12345678",
        "api_host": "http://127.0.0.1:1/api/v2",
        "is_sandbox": True,
        "history_retention_seconds": 7 * 24 * 3600,
        "root_branch_cap": 25,
    }
    return Project.objects.create(**(defaults | fields))


def branch(of: Project | None = None, **fields: Any) -> ProtectedBranch:
    """The project's root branch `main`, production."""
    defaults = {
        "project": of or project(),
        "neon_branch_id": "br-calm-sea-12345678",
        "name": "main",
        "label": Environment.PRODUCTION.value,
        "is_root": True,
        "is_default": True,
        "is_neon_protected": False,
        "database_name": "carecircle",
        "role_name": "carecircle_owner",
    }
    return ProtectedBranch.objects.create(**(defaults | fields))


def wish(of: ProtectedBranch, **fields: Any) -> Wish:
    """An in-place restore to half an hour ago."""
    defaults: dict[str, Any] = {
        "branch_id": of.pk,
        "kind": RestoreKind.IN_PLACE,
        "point": RestorePoint(PointKind.TIMESTAMP, at=database_now() - dt.timedelta(minutes=30)),
        "scenario": Scenario.ACCIDENTAL_DELETION,
        "reason": "Rows were deleted by mistake",
        "ticket": "INC-881",
    }
    return Wish(**(defaults | fields))


def submitted(by: Person, of: ProtectedBranch, **fields: Any) -> RestoreRequest:
    """A request that waits for its facts."""
    draft = draft_request(actor=by.actor, wish=wish(of, **fields))
    return submit_request(actor=by.actor, request_id=draft.pk)


def bound_facts(request: RestoreRequest, **fields: Any) -> BoundFacts:
    """Bound facts as the worker would read them from a quiet project."""
    policy = policy_in_force()
    facts: dict[str, Any] = {
        "request": request.reference,
        "revision": request.revision,
        "project_id": request.branch.project.neon_project_id,
        "branch_id": request.branch.neon_branch_id,
        "branch_name": request.branch.name,
        "source_branch_id": request.source_branch_id,
        "kind": request.kind,
        "point_kind": request.point_kind,
        "point": str(request.point),
        "preserve_name": request.preserve_name,
        "databases": ("carecircle",),
        "children": (),
        "environment": request.branch.environment.value,
        "policy_version": policy.version,
        "votes_needed": votes_needed_for(request, at=database_now(), policy=policy),
    }
    return BoundFacts(**(facts | fields))


def publish(request: RestoreRequest, *, observed: dict[str, Any] | None = None, **facts: Any) -> DecisionPacket:
    """Freezes facts for the request's present revision, as the worker's preparation does."""
    with transaction.atomic():
        packet = publish_packet(
            request_id=request.pk,
            revision=request.revision,
            bound=bound_facts(request, **facts),
            observed=observed or {"as_of": database_now().isoformat(), "tables": [], "unknown": []},
            consequence="Replaces everything on carecircle-prod / main.",
            preparation_milliseconds=1200,
        )
    assert packet is not None
    request.refresh_from_db()
    return packet


def pending(by: Person, of: ProtectedBranch, **fields: Any) -> RestoreRequest:
    """A request that waits for votes."""
    request = submitted(by, of, **fields)
    publish(request)
    return request


def approve(request: RestoreRequest, *voters: Person) -> RestoreRequest:
    """Approvals by these people on the present facts."""
    for voter in voters:
        request.refresh_from_db()
        assert request.packet is not None
        cast_vote(
            actor=voter.actor,
            request_id=request.pk,
            digest=request.packet.digest,
            choice=Vote.Choice.APPROVE,
            reason="Right point, application is stopped",
        )
    request.refresh_from_db()
    return request


__all__ = ["PASSWORD", "People", "Person", "StartMode"]
