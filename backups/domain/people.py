"""Who acts, and what each role may do.

A right comes from a role and from nothing else: being staff or a superuser in Django gives none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.sensitive import PERSONAL, Kind


class Role(StrEnum):
    """A group of people; the value is the group's name in lower case and appears in the ledger."""

    ENGINEER = "engineer"
    MANAGER = "manager"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"

    @property
    def label(self) -> str:
        return self.value.capitalize()


class Capability(StrEnum):
    """One thing that a person may be allowed to do; the value appears in refusals."""

    READ_REQUESTS = "read_requests"
    COMMENT = "comment"
    FILE_RESTORE = "file_restore"
    TAKE_LOOK = "take_look"
    VOTE_ON_RESTORE = "vote_on_restore"
    START_RESTORE = "start_restore"
    RESOLVE_RESTORE = "resolve_restore"
    READ_PROJECTS = "read_projects"
    MANAGE_PROJECTS = "manage_projects"
    RUN_CONNECT = "run_connect"
    MANAGE_POLICY = "manage_policy"
    MANAGE_SECRETS = "manage_secrets"
    MANAGE_NOTIFICATIONS = "manage_notifications"
    READ_PEOPLE = "read_people"
    MANAGE_PEOPLE = "manage_people"
    READ_LEDGER = "read_ledger"
    EXPORT_LEDGER = "export_ledger"
    READ_SYSTEM = "read_system"
    READ_DRILLS = "read_drills"
    RUN_DRILL = "run_drill"
    LOG_DRILL = "log_drill"
    MANAGE_DRILL_PLANS = "manage_drill_plans"
    SIGN_OFF_DRILL = "sign_off_drill"
    READ_MONITOR = "read_monitor"
    HANDLE_FINDING = "handle_finding"
    """Own and acknowledge what the monitor found."""
    EXPLAIN_FINDING = "explain_finding"
    """Close what happened outside the portal, with a reason."""
    DECLARE_BACKUPS = "declare_backups"
    """Say which schedule and history window a branch is to have."""
    PROPOSE_BACKUPS = "propose_backups"
    """Ask that Neon be brought to what is declared."""
    CONFIRM_BACKUPS = "confirm_backups"
    """Agree to it as the second person."""
    WORK_AFTERWARDS = "work_afterwards"
    SIGN_REVIEW = "sign_review"
    FILE_RETROSPECTIVE = "file_retrospective"
    SIGN_RETROSPECTIVE = "sign_retrospective"
    MAKE_SAFETY_COPY = "make_safety_copy"
    REMOVE_KEPT = "remove_kept"
    MANAGE_TOKENS = "manage_tokens"
    REVIEW_LOG = "review_log"
    """Open, mark and sign the regular review of the log."""
    PROPOSE_GOVERNANCE = "propose_governance"
    """Say anew how a project is classified, what is aimed at, and who owns it."""
    AGREE_GOVERNANCE = "agree_governance"
    """Agree to it as the second person."""
    ASK_ERASURE = "ask_erasure"
    """Ask that what somebody wrote be erased from the record."""
    AGREE_ERASURE = "agree_erasure"
    """Agree to it as the second person, which erases it."""


_EVERYBODY = frozenset(
    {Capability.READ_REQUESTS, Capability.READ_PROJECTS, Capability.READ_DRILLS, Capability.READ_MONITOR}
)

# The permission matrix. Nobody who decides or acts on a restore can also change who may decide,
# unless the same person is given two roles, and that gift is an event in the ledger.
CAPABILITIES_OF_ROLE: dict[Role, frozenset[Capability]] = {
    Role.ENGINEER: _EVERYBODY
    | {
        Capability.COMMENT,
        Capability.FILE_RESTORE,
        Capability.TAKE_LOOK,
        Capability.START_RESTORE,
        Capability.RESOLVE_RESTORE,
        Capability.READ_SYSTEM,
        Capability.RUN_DRILL,
        Capability.LOG_DRILL,
        Capability.MANAGE_DRILL_PLANS,
        Capability.HANDLE_FINDING,
        Capability.PROPOSE_BACKUPS,
        Capability.WORK_AFTERWARDS,
        Capability.FILE_RETROSPECTIVE,
        Capability.MAKE_SAFETY_COPY,
        Capability.REMOVE_KEPT,
    },
    Role.MANAGER: _EVERYBODY
    | {
        Capability.COMMENT,
        Capability.TAKE_LOOK,
        Capability.VOTE_ON_RESTORE,
        Capability.RESOLVE_RESTORE,
        Capability.READ_LEDGER,
        Capability.READ_PEOPLE,
        Capability.READ_SYSTEM,
        Capability.LOG_DRILL,
        Capability.MANAGE_DRILL_PLANS,
        Capability.SIGN_OFF_DRILL,
        Capability.HANDLE_FINDING,
        Capability.EXPLAIN_FINDING,
        Capability.DECLARE_BACKUPS,
        Capability.PROPOSE_BACKUPS,
        Capability.CONFIRM_BACKUPS,
        Capability.WORK_AFTERWARDS,
        Capability.SIGN_REVIEW,
        Capability.FILE_RETROSPECTIVE,
        Capability.SIGN_RETROSPECTIVE,
        Capability.MAKE_SAFETY_COPY,
        Capability.REMOVE_KEPT,
        Capability.REVIEW_LOG,
        Capability.PROPOSE_GOVERNANCE,
        Capability.AGREE_GOVERNANCE,
        Capability.ASK_ERASURE,
        Capability.AGREE_ERASURE,
    },
    Role.AUDITOR: _EVERYBODY
    | {
        Capability.READ_LEDGER,
        Capability.EXPORT_LEDGER,
        Capability.READ_PEOPLE,
        Capability.READ_SYSTEM,
        Capability.REVIEW_LOG,
    },
    Role.ADMINISTRATOR: _EVERYBODY
    | {
        Capability.MANAGE_PROJECTS,
        Capability.RUN_CONNECT,
        Capability.MANAGE_POLICY,
        Capability.MANAGE_SECRETS,
        Capability.MANAGE_NOTIFICATIONS,
        Capability.MANAGE_TOKENS,
        Capability.READ_PEOPLE,
        Capability.MANAGE_PEOPLE,
        Capability.READ_LEDGER,
        Capability.READ_SYSTEM,
        Capability.HANDLE_FINDING,
        Capability.DECLARE_BACKUPS,
        Capability.PROPOSE_GOVERNANCE,
        Capability.ASK_ERASURE,
    },
}


def capabilities_of(roles: Iterable[Role]) -> frozenset[Capability]:
    """Everything that somebody holding all these roles may do."""
    return frozenset().union(*(CAPABILITIES_OF_ROLE[role] for role in roles))


def roles_allow(roles: Iterable[Role], capability: Capability) -> bool:
    """Whether one of the roles gives the capability."""
    return any(capability in CAPABILITIES_OF_ROLE[role] for role in roles)


def roles_with(capability: Capability) -> tuple[Role, ...]:
    """The roles that give the capability, in the order of the matrix."""
    return tuple(role for role, allowed in CAPABILITIES_OF_ROLE.items() if capability in allowed)


class ActorKind(StrEnum):
    HUMAN = "human"
    SERVICE = "service"
    """An account that a program uses. It may file and read, and it never votes."""
    SYSTEM = "system"
    """The portal itself: its worker, its schedules, its commands."""
    ANONYMOUS = "anonymous"
    """Somebody who has not logged in, such as the one behind a refused log-in."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something now, with the roles held at this moment.

    `session_ref` is a keyed hash of the session, never the session key. `request_id` ties together
    everything that one web request or one run of a task did. `scan_overridden`: the kinds of personal data that the
    portal thought it saw in what was sent now, and that the person said are none.
    """

    kind: ActorKind
    name: str
    user_id: int | None = None
    roles: tuple[Role, ...] = ()
    session_ref: str = ""
    ip: str = ""
    request_id: str = ""
    scan_overridden: frozenset[Kind] = frozenset()

    @property
    def ref(self) -> str:
        """The actor's id in the ledger: `user:7`, or `system:worker`."""
        if self.user_id is None:
            return f"{self.kind.value}:{self.name}"
        return f"user:{self.user_id}"

    @property
    def may_write(self) -> frozenset[Kind]:
        """The kinds that may stand in a text of this actor: the portal itself writes nothing of patients."""
        return self.scan_overridden if self.user_id is not None else PERSONAL

    @property
    def is_human(self) -> bool:
        return self.kind is ActorKind.HUMAN

    def may(self, capability: Capability) -> bool:
        return roles_allow(self.roles, capability)


SYSTEM = Actor(kind=ActorKind.SYSTEM, name="portal")


def worker_actor(*, node: str = "worker", request_id: str = "") -> Actor:
    """The actor of a background task; `node` tells several workers apart."""
    return Actor(kind=ActorKind.SYSTEM, name=node, request_id=request_id)


def command_actor(command: str, *, operator: str = "") -> Actor:
    """The actor of a management command; `operator` is the operating system's user, if known."""
    name = f"{command}@{operator}" if operator else command
    return Actor(kind=ActorKind.SYSTEM, name=name)


def anonymous_actor(*, ip: str = "", request_id: str = "") -> Actor:
    return Actor(kind=ActorKind.ANONYMOUS, name="web", ip=ip, request_id=request_id)
