"""Random people with changing roles do random things; nothing runs without the votes that the policy asks for."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from backups.domain.execution import BLOCKING, ExecutionState, Purpose
from backups.domain.people import SYSTEM, Role, worker_actor
from backups.domain.policy import Environment
from backups.domain.restore import TERMINAL, TRANSITIONS, RequestState, RestoreKind, StartMode, Verb, WritersStopped
from backups.models import Execution, LedgerEvent, Resolution, RestoreRequest, RoleMembership, Vote
from backups.selectors.clock import database_now
from backups.selectors.restore import allowed_actions, discarded_minutes
from backups.services.people import set_roles
from backups.services.restore.attention import confirm_resolution, propose_resolution
from backups.services.restore.clock import expire_due_requests
from backups.services.restore.draft import edit_request, submit_request
from backups.services.restore.errors import InvalidInput, Refused, StartRefused
from backups.services.restore.outcome import complete, needs_attention
from backups.services.restore.packet import void_for_drift
from backups.services.restore.running import mark_running
from backups.services.restore.start import start_request
from backups.services.restore.votes import cast_vote, take_vote_back, withdraw_request
from tests import factories

pytestmark = pytest.mark.django_db

NAMES = ("alice", "bob", "carol", "dave", "superuser")
ACTS = (
    "approve", "approve", "approve", "reject", "pass", "take_back", "edit", "submit", "withdraw", "publish", "publish",
    "start", "start", "claim", "claim", "drift", "role", "expire", "finish", "halt", "propose", "confirm",
)  # fmt: skip

#: A story that ends with a restore; random acts are put between its steps, so that most runs get far and are disturbed.
STORY = [
    ("publish", "alice", ()),
    ("approve", "bob", ()),
    ("approve", "carol", ()),
    ("start", "alice", ()),
    ("claim", "alice", ()),
    ("halt", "alice", ()),
    ("propose", "bob", ()),
    ("confirm", "carol", ()),
]

#: Acts that take away what the votes rest on, drawn as often as all others together.
ATTACKS = [
    ("role", "bob", ()),
    ("role", "carol", (Role.ENGINEER,)),
    ("role", "alice", (Role.ENGINEER, Role.MANAGER)),
    ("take_back", "carol", ()),
    ("edit", "alice", ()),
    ("drift", "alice", ()),
    ("approve", "alice", ()),
    ("claim", "alice", ()),
]

any_step = st.tuples(
    st.sampled_from(ACTS), st.sampled_from(NAMES), st.sampled_from([(), (Role.MANAGER,), (Role.ENGINEER,)])
)
step = st.one_of(any_step, st.sampled_from(ATTACKS))


@st.composite
def disturbed_story(draw):
    """The story, some of its steps left out, with random acts in between."""
    steps = []
    for told in STORY:
        steps += draw(st.lists(step, max_size=3))
        if draw(st.integers(0, 9)):
            steps.append(told)
    return steps + draw(st.lists(step, max_size=4))


def make_people() -> dict[str, factories.Person]:
    """Alice asks, three managers, and a superuser without a role."""
    people = {name: factories.person(name) for name in ("alice", "bob", "carol")}
    people["dave"] = factories.person("dave", Role.MANAGER)
    root = User.objects.create(username="root", is_superuser=True, is_staff=True)
    return people | {"superuser": factories.Person(root)}


class World:
    """One request, five people, and what the worker may do."""

    def __init__(self, people, kind: RestoreKind, environment: Environment, start_mode: StartMode) -> None:
        self.people = people
        branch = factories.branch(label=environment.value, is_default=environment is Environment.PRODUCTION)
        self.request = factories.submitted(people["alice"], branch, kind=kind, start_mode=start_mode)
        self.ran_with: list[set[int]] = []

    def act(self, name: str, who: str, roles: tuple[Role, ...]) -> None:
        self.request.refresh_from_db()
        with contextlib.suppress(Refused, InvalidInput, StartRefused):
            getattr(self, f"do_{name}")(self.people[who], roles)
        self.request.refresh_from_db()

    def do_approve(self, who, _):
        self._vote(who, Vote.Choice.APPROVE)

    def do_reject(self, who, _):
        self._vote(who, Vote.Choice.REJECT)

    def do_pass(self, who, _):
        self._vote(who, Vote.Choice.PASS)

    def _vote(self, who, choice):
        digest = self.request.packet.digest if self.request.packet else "sha256:" + "0" * 64
        cast_vote(actor=who.actor, request_id=self.request.pk, digest=digest, choice=choice, reason="seen")

    def do_take_back(self, who, _):
        take_vote_back(actor=who.actor, request_id=self.request.pk)

    def do_edit(self, who, _):
        wish = factories.wish(self.request.branch, kind=RestoreKind(self.request.kind))
        edit_request(actor=who.actor, request_id=self.request.pk, wish=wish)

    def do_submit(self, who, _):
        submit_request(actor=who.actor, request_id=self.request.pk)

    def do_withdraw(self, who, _):
        withdraw_request(actor=who.actor, request_id=self.request.pk)

    def do_publish(self, who, _):
        if self.request.state == RequestState.PREPARING:
            factories.publish(self.request)

    def do_start(self, who, _):
        minutes = discarded_minutes(self.request, now=database_now())
        start_request(actor=who.actor, request_id=self.request.pk, writers_stopped=WritersStopped.YES, minutes=minutes)

    def do_claim(self, who, _):
        run = self._run(ExecutionState.ACTIVE)
        if run is None or self.request.state == RequestState.RUNNING:
            return
        with transaction.atomic():
            mark_running(request_id=self.request.pk, execution=run, actor=worker_actor())
        self.ran_with.append(independent_count(self.request))

    def do_drift(self, who, _):
        with transaction.atomic():
            void_for_drift(request_id=self.request.pk, changed=["children"])

    def do_role(self, who, roles):
        set_roles(actor=SYSTEM, user_id=who.user.pk, roles=roles)

    def do_expire(self, who, _):
        past = database_now() - dt.timedelta(seconds=1)
        RestoreRequest.objects.filter(pk=self.request.pk, votes_until__isnull=False).update(votes_until=past)
        expire_due_requests()

    def do_finish(self, who, _):
        if self.request.state == RequestState.RUNNING:
            with transaction.atomic():
                complete(request_id=self.request.pk, sentence="Restored and verified.")

    def do_halt(self, who, _):
        if self.request.state == RequestState.RUNNING:
            with transaction.atomic():
                needs_attention(request_id=self.request.pk, code="verification_failed", sentence="1 check failed.")
            Execution.objects.filter(request=self.request, purpose=Purpose.RESTORE, state="active").update(
                state="halted"
            )

    def do_propose(self, who, _):
        propose_resolution(
            actor=who.actor, request_id=self.request.pk, kind=Resolution.Kind.ACCEPT, reason="looks right"
        )

    def do_confirm(self, who, _):
        confirm_resolution(actor=who.actor, request_id=self.request.pk)

    def _run(self, state: ExecutionState) -> Execution | None:
        return Execution.objects.filter(request=self.request, purpose=Purpose.RESTORE, state=state).first()


def independent_count(request: RestoreRequest) -> set[int]:
    """Who approved these facts, counted from the rows by other code than the portal's."""
    request.refresh_from_db()
    approvals = {}
    for vote in Vote.objects.filter(request=request):
        if vote.choice == "approve" and vote.taken_back_at is None and vote.digest == request.packet.digest:
            approvals[vote.voter_id] = vote
    for user_id in list(approvals):
        held = RoleMembership.objects.filter(
            user_id=user_id, role="manager", since__lt=request.submitted_at, until__isnull=True
        )
        if user_id == request.requester_id or not held.exists():
            del approvals[user_id]
    return set(approvals)


NEEDED = {
    (Environment.PRODUCTION, RestoreKind.IN_PLACE): 2,
    (Environment.PRODUCTION, RestoreKind.NEW_BRANCH): 1,
    (Environment.STAGING, RestoreKind.IN_PLACE): 0,
    (Environment.STAGING, RestoreKind.NEW_BRANCH): 0,
}

#: Histories of people; each takes up to a second. SOAK_EXAMPLES asks for more.
EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "12"))


@pytest.fixture
def everybody(db) -> dict[str, factories.Person]:
    return make_people()


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    kind=st.sampled_from([RestoreKind.IN_PLACE, RestoreKind.IN_PLACE, RestoreKind.NEW_BRANCH]),
    environment=st.sampled_from([Environment.PRODUCTION, Environment.PRODUCTION, Environment.STAGING]),
    mode=st.sampled_from(StartMode),
    steps=disturbed_story(),
)
def test_nothing_runs_without_the_votes_of_the_policy(everybody, kind, environment, mode, steps):
    sid = transaction.savepoint()
    try:
        world = World(everybody, kind, environment, mode)
        for name, who, roles in steps:
            before = world.request.state
            world.act(name, who, roles)
            if world.request.state != before:
                check(world, before, kind, environment)
        check(world, world.request.state, kind, environment)
        event(f"ran: {bool(world.ran_with)}, ended {world.request.state}")
    finally:
        transaction.savepoint_rollback(sid)


def check(world: World, before: str, kind: RestoreKind, environment: Environment) -> None:
    request = world.request
    assert len(world.ran_with) <= 1
    for approvals in world.ran_with:
        assert len(approvals) >= NEEDED[(environment, kind)]
        assert request.requester_id not in approvals
        assert world.people["superuser"].user.pk not in approvals
    if before in {state.value for state in TERMINAL}:
        assert request.state == before, "a closed request moved"
    transitions = list(request.transitions.order_by("number"))
    assert [t.number for t in transitions] == list(range(1, len(transitions) + 1))
    for earlier, later in itertools.pairwise(transitions):
        assert earlier.to_state == later.from_state
    for t in transitions:
        assert TRANSITIONS[(RequestState(t.from_state), Verb(t.verb))] == t.to_state
    assert LedgerEvent.objects.filter(pk__in=[t.event_id for t in transitions]).count() == len(transitions)
    blocking = Execution.objects.filter(purpose=Purpose.RESTORE, state__in=list(BLOCKING))
    assert blocking.count() <= 1
    if request.state == RequestState.COMPLETED and request.outcome_code == "accepted_by_people":
        resolution = Resolution.objects.get(request=request, confirmed_at__isnull=False)
        assert resolution.proposed_by_id != resolution.confirmed_by_id
    superuser = world.people["superuser"].actor
    if not superuser.roles:
        assert not allowed_actions(superuser, request), "being a superuser gave a right"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack[0]}-{attack[1]}")
@pytest.mark.parametrize("position", [2, 3, 4])
def test_every_attack_between_the_votes_and_the_claim(everybody, position, attack):
    world = World(everybody, RestoreKind.IN_PLACE, Environment.PRODUCTION, StartMode.BY_HAND)
    for name, who, roles in [*STORY[:position], attack, *STORY[position:]]:
        world.act(name, who, roles)
        check(world, world.request.state, RestoreKind.IN_PLACE, Environment.PRODUCTION)
