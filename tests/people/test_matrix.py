"""The permission matrix, read aloud."""

from __future__ import annotations

import pytest

from backups.domain.people import (
    CAPABILITIES_OF_ROLE,
    SYSTEM,
    Actor,
    ActorKind,
    Capability,
    Role,
    anonymous_actor,
    capabilities_of,
    command_actor,
    roles_allow,
    roles_with,
    worker_actor,
)


def test_every_role_has_a_row_and_every_capability_a_role():
    assert CAPABILITIES_OF_ROLE.keys() == set(Role)
    assert capabilities_of(Role) == set(Capability)


def test_without_a_role_nothing_is_allowed():
    assert capabilities_of(()) == frozenset()
    assert not any(roles_allow((), capability) for capability in Capability)


@pytest.mark.parametrize(
    ("capability", "roles"),
    [
        (Capability.FILE_RESTORE, {Role.ENGINEER}),
        (Capability.START_RESTORE, {Role.ENGINEER}),
        (Capability.VOTE_ON_RESTORE, {Role.MANAGER}),
        (Capability.EXPORT_LEDGER, {Role.AUDITOR}),
        (Capability.READ_LEDGER, {Role.AUDITOR, Role.MANAGER, Role.ADMINISTRATOR}),
        (Capability.REVIEW_LOG, {Role.AUDITOR, Role.MANAGER}),
        (Capability.ASK_ERASURE, {Role.MANAGER, Role.ADMINISTRATOR}),
        (Capability.AGREE_ERASURE, {Role.MANAGER}),
        (Capability.PROPOSE_GOVERNANCE, {Role.MANAGER, Role.ADMINISTRATOR}),
        (Capability.AGREE_GOVERNANCE, {Role.MANAGER}),
        (Capability.MANAGE_PEOPLE, {Role.ADMINISTRATOR}),
        (Capability.MANAGE_POLICY, {Role.ADMINISTRATOR}),
        (Capability.MANAGE_SECRETS, {Role.ADMINISTRATOR}),
        (Capability.READ_REQUESTS, set(Role)),
    ],
)
def test_who_may(capability, roles):
    assert set(roles_with(capability)) == roles


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.MANAGER])
def test_nobody_who_acts_on_a_restore_manages_people_or_policy(role):
    managing = {Capability.MANAGE_PEOPLE, Capability.MANAGE_POLICY, Capability.MANAGE_SECRETS}
    assert not CAPABILITIES_OF_ROLE[role] & managing


def test_an_auditor_changes_nothing_but_marks_in_a_review():
    reading = {capability for capability in Capability if capability.value.startswith("read_")}
    assert CAPABILITIES_OF_ROLE[Role.AUDITOR] <= reading | {Capability.EXPORT_LEDGER, Capability.REVIEW_LOG}


@pytest.mark.parametrize(
    ("actor", "ref"),
    [
        (Actor(kind=ActorKind.HUMAN, name="bob", user_id=7), "user:7"),
        (Actor(kind=ActorKind.SERVICE, name="pipeline", user_id=8), "user:8"),
        (SYSTEM, "system:portal"),
        (worker_actor(node="worker-1"), "system:worker-1"),
        (command_actor("add_person", operator="root"), "system:add_person@root"),
        (anonymous_actor(), "anonymous:web"),
    ],
)
def test_an_actor_has_one_name_in_the_ledger(actor, ref):
    assert actor.ref == ref


def test_the_portal_itself_holds_no_role():
    assert not any(SYSTEM.may(capability) for capability in Capability)
