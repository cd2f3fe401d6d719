"""What must hold at every moment, read from the database and from what Neon was really asked.

The numbers are those of the design: I1 to I12. Call `assert_invariants` after anything that a test makes happen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable

from django.db import connection

from backups.domain.execution import (
    BLOCKING,
    CLAIMABLE,
    EFFECTS,
    ONCE_PER_RUN,
    CheckOutcome,
    IntentOutcome,
    Purpose,
)
from backups.domain.restore import OPEN, TERMINAL, TRANSITIONS, RequestState, RestoreKind, Verb
from backups.ledger.canonical import canonical_bytes
from backups.models import (
    Checklist,
    CheckResult,
    Execution,
    FormerBranchId,
    Intent,
    LedgerEvent,
    OutboxMessage,
    OwnedBranch,
    ProtectedBranch,
    Resolution,
    RestoreRequest,
    RestoreTransition,
    Vote,
)
from backups.services.restore.transition import EVENT_OF_VERB
from neon_sandbox.entities import Branch
from neon_sandbox.testing import RunningSandbox

_CHANGING = {"POST", "PATCH", "PUT", "DELETE"}


def assert_invariants(
    sandbox: RunningSandbox | None = None,
    *,
    strangers: Collection[str] = (),
    canaries: Collection[str] = (),
    at_rest: bool = True,
) -> None:
    """`strangers`: request ids of calls that were not the portal's. `at_rest`: no test is in the middle of a step."""
    for request in RestoreRequest.objects.all():
        _approved_as_the_policy_asks(request)
        _at_most_one_effect(request)
        _history_is_legal(request)
        _completed_means_verified(request)
        _completed_leaves_a_list(request)
        if at_rest:
            _is_going_somewhere(request)
    _one_restore_per_branch()
    _every_intent_settles_once()
    _ledger_is_canonical()
    _nothing_leaks(canaries)
    if sandbox is not None:
        _calls_have_intents(sandbox, strangers)
        _calls_had_one_effect(sandbox)
        _branches_are_owned(sandbox, strangers)


def _approved_as_the_policy_asks(request: RestoreRequest) -> None:
    """I1."""
    for claim in request.transitions.filter(verb=Verb.CLAIM):
        packet = request.packet
        assert packet is not None, f"I1: {request} ran without facts"
        votes = Vote.objects.filter(packet=packet, digest=packet.digest, choice="approve", cast_at__lte=claim.at)
        counted = {vote.voter_id for vote in votes if vote.taken_back_at is None or vote.taken_back_at > claim.at}
        assert request.requester_id not in counted, f"I1: {request} was approved by its requester"
        assert len(counted) >= packet.votes_needed, f"I1: {request} ran with {len(counted)} approvals"
        late = [vote for vote in votes if request.votes_until and vote.cast_at > request.votes_until]
        assert not late, f"I1: {request} ran on votes that came too late"


def _at_most_one_effect(request: RestoreRequest) -> None:
    """I2."""
    applied = Intent.objects.filter(
        execution__request=request,
        kind__in=EFFECTS[RestoreKind(request.kind)] & ONCE_PER_RUN,
        outcome=IntentOutcome.APPLIED,
    )
    assert applied.count() <= 1, f"I2: {request} had {applied.count()} effects"


def _calls_had_one_effect(sandbox: RunningSandbox) -> None:
    """I2, by Neon's own record."""
    applied = [call for call in sandbox.calls("POST", "/restore") if call["applied"]]
    names = Counter(call["body"].get("preserve_under_name") for call in applied if "/snapshots/" not in call["path"])
    assert not [name for name, times in names.items() if times > 1], f"I2: Neon restored more than once: {names}"
    # A branch is replaced once: afterwards it has another id.
    replaced = Counter(
        call["body"]["target_branch_id"] for call in applied if (call["body"] or {}).get("finalize_restore")
    )
    replaced += Counter(call["path"] for call in sandbox.calls("POST", "/finalize_restore") if call["applied"])
    assert not [target for target, times in replaced.items() if times > 1], f"I2: replaced more than once: {replaced}"


def _one_restore_per_branch() -> None:
    """I3."""
    blocking = Execution.objects.filter(purpose=Purpose.RESTORE, state__in=[state.value for state in BLOCKING])
    branches = Counter(blocking.values_list("branch_id", flat=True))
    assert not [branch for branch, runs in branches.items() if runs > 1], "I3: two restores of one branch"


def _calls_have_intents(sandbox: RunningSandbox, strangers: Collection[str]) -> None:
    """I4."""
    intents = {str(intent.http_request_id): intent for intent in Intent.objects.all()}
    for call in sandbox.calls():
        if call["method"] not in _CHANGING or call["request_id"] in strangers or "/_sandbox/" in call["path"]:
            continue
        intent = intents.get(call["request_id"])
        assert intent is not None, f"I4: {call['method']} {call['path']} was sent without an intent"
        assert intent.created_at.isoformat() <= call["at"].replace("Z", "+00:00"), "I4: the intent is younger"


def _history_is_legal(request: RestoreRequest) -> None:
    """I5 and I6."""
    rows = list(request.transitions.order_by("number"))
    assert [row.number for row in rows] == list(range(1, len(rows) + 1)), f"I5: {request} has gaps in its history"
    state = RequestState.DRAFT
    for row in rows:
        assert row.from_state == state, f"I5: {request} went on from {row.from_state} though it was {state}"
        assert state not in TERMINAL, f"I6: {request} left {state}"
        assert TRANSITIONS.get((state, Verb(row.verb))) == row.to_state, f"I5: {request}: {row.verb} from {state}"
        state = RequestState(row.to_state)
        _event_tells_it(row)
    assert request.state == state, f"I5: {request} is {request.state} and its history says {state}"


def _event_tells_it(row: RestoreTransition) -> None:
    event = LedgerEvent.objects.get(pk=row.event_id)
    expected = {EVENT_OF_VERB[Verb(row.verb)]} | ({"request.claimed"} if row.verb == Verb.CLAIM else set())
    assert event.type in expected, f"I5: {row.verb} was recorded as {event.type}"
    told = event.members["data"]
    assert (told["from_state"], told["to_state"]) == (row.from_state, row.to_state), "I5: the event tells otherwise"


def _every_intent_settles_once() -> None:
    """I4 and I5: what became of a call is an event too."""
    for intent in Intent.objects.exclude(outcome__in=[IntentOutcome.PENDING, IntentOutcome.UNKNOWN]):
        types = Counter(
            LedgerEvent.objects.filter(members__data__call_id=str(intent.http_request_id))
            .exclude(type="neon.call")
            .values_list("type", flat=True)
        )
        assert types["execution.intent"] == 1, f"I5: intent {intent.pk} has {types}"
        ends = types["execution.submitted"] + types["execution.adopted"]
        ends += types["execution.absent"] + types["execution.not_taken"]
        # A denial that turned out to be doubtful is followed by what was found instead.
        doubts = types["execution.effect_unknown"] if types["execution.not_taken"] else 0
        assert 1 <= ends <= 1 + doubts, f"I5: intent {intent.pk} ended {ends} times: {types}"


def _ledger_is_canonical() -> None:
    """I7, as far as it goes without signatures."""
    for body in LedgerEvent.objects.values_list("body", flat=True):
        assert canonical_bytes(json.loads(body)).decode() == body, "I7: an event is not in its canonical form"


def _branches_are_owned(sandbox: RunningSandbox, strangers: Collection[str]) -> None:
    """I8."""
    owned = set(OwnedBranch.objects.values_list("neon_branch_id", "name"))
    owned |= set(ProtectedBranch.objects.values_list("neon_branch_id", "name"))
    ids, names = {pair[0] for pair in owned}, {pair[1] for pair in owned}
    made = [call for call in sandbox.calls("POST", "/branches") if call["request_id"] in strangers]
    foreign = {call["body"]["branch"].get("name") for call in made}
    _replaced_branches_are_followed(sandbox)
    for branch in sandbox.sandbox.plane.store.find(Branch):
        known = branch.id in ids or branch.name in names | foreign or branch.id == sandbox.branch_id
        assert known, f"I8: {branch.name} exists at Neon and belongs to nobody"


def _replaced_branches_are_followed(sandbox: RunningSandbox) -> None:
    """I8: once nothing runs for it, a governed branch is where its content is, and its former ids are on record."""
    for branch in ProtectedBranch.objects.all():
        if Execution.objects.filter(branch=branch, state__in=[state.value for state in BLOCKING]).exists():
            continue
        found = sandbox.sandbox.plane.store.get(Branch, branch.neon_branch_id)
        assert found is None or found.name == branch.name, f"I8: {branch} is {found.name} at Neon" if found else ""
    for former in FormerBranchId.objects.select_related("branch"):
        assert former.neon_branch_id != former.branch.neon_branch_id, f"I8: {former} is not a former id"
        events = LedgerEvent.objects.filter(
            type="project.branch_rekeyed", members__data__previous_branch=former.neon_branch_id
        )
        assert events.count() == 1, f"I5: {events.count()} events tell of the former id {former}"


def _nothing_leaks(canaries: Collection[str]) -> None:
    """I9: no secret in any column of any table."""
    for table in _tables():
        for canary in canaries:
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT count(*) FROM "{table}" AS row WHERE row::text LIKE %s', [f"%{canary}%"])  # noqa: S608
                (found,) = cursor.fetchone()
            assert not found, f"I9: a secret is in {table}"


def _tables() -> Iterable[str]:
    return [name for name in connection.introspection.table_names() if name.startswith(("backups_", "django_q"))]


def _completed_means_verified(request: RestoreRequest) -> None:
    """I10."""
    if request.state != RequestState.COMPLETED:
        return
    accepted = Resolution.objects.filter(request=request, kind="accept", confirmed_at__isnull=False)
    if accepted.exists():
        return
    run = Execution.objects.filter(request=request, purpose=Purpose.RESTORE).latest("pk")
    required = CheckResult.objects.filter(
        execution=run, review_round=run.review_round, before_effect=False, is_required=True
    )
    assert required.exists(), f"I10: {request} is completed and nothing was checked"
    bad = required.exclude(outcome=CheckOutcome.PASSED)
    assert not bad.exists(), f"I10: {request} is completed although {bad.first()} did not pass"


def _completed_leaves_a_list(request: RestoreRequest) -> None:
    """I5: what a restore leaves to do is written down in the transaction that completes it, with its event."""
    if request.state != RequestState.COMPLETED:
        return
    assert Checklist.objects.filter(request=request).exists(), f"I5: {request} is completed and left no list"
    told = LedgerEvent.objects.filter(type="afterwards.opened", target_id=request.reference).count()
    assert told == 1, f"I5: the list of {request} was opened {told} times"


def _is_going_somewhere(request: RestoreRequest) -> None:
    """I12."""
    if request.state not in OPEN or request.state == RequestState.DRAFT:
        return
    if request.state == RequestState.NEEDS_ATTENTION:
        assert OutboxMessage.objects.filter(request=request).exists(), f"I12: nobody was told of {request}"
        return
    clocks = {RequestState.PENDING: request.votes_until, RequestState.APPROVED: request.start_until}
    if request.state in clocks:
        assert clocks[RequestState(request.state)] is not None, f"I12: {request} waits without a deadline"
        return
    runs = Execution.objects.filter(request=request, state__in=[state.value for state in CLAIMABLE])
    assert runs.exists(), f"I12: {request} is {request.state} and nothing works on it"
    for run in runs:
        due = run.lease_until or run.next_attempt_at or run.enqueued_at
        assert due is not None, f"I12: run {run.pk} of {request} waits for nothing"
