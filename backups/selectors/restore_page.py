"""Everything that the page of one request shows, read in a fixed number of queries."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Prefetch, QuerySet

from backups.domain.actions import Action
from backups.domain.execution import BranchFate, BranchPurpose, Purpose
from backups.domain.packet import ObservedFacts, nothing_observed
from backups.domain.people import Actor
from backups.domain.policy import Policy
from backups.domain.restore import RequestState
from backups.models import (
    CheckResult,
    Comment,
    DecisionPacket,
    Execution,
    ExecutionStep,
    Intent,
    OwnedBranch,
    RequestOpened,
    Resolution,
    RestoreRequest,
    RestoreTransition,
    Vote,
)
from backups.selectors.clock import database_now
from backups.selectors.notification import Told, team_told_for_votes, told_for_votes
from backups.selectors.policy import policy_in_force, votes_needed_for
from backups.selectors.restore import Available, available_actions, discarded_minutes, eligible_voters


@dataclass(frozen=True, slots=True)
class Voter:
    """One person who can decide: what is known of being told, opening the page, and voting."""

    user_id: int
    name: str
    told: Told | None
    opened_at: dt.datetime | None
    vote: Vote | None


@dataclass(frozen=True, slots=True)
class RequestPage:
    """What the page shows, for one reader at one instant."""

    request: RestoreRequest
    actor: Actor
    now: dt.datetime
    policy: Policy
    packet: DecisionPacket | None
    observed: ObservedFacts
    observed_now: ObservedFacts | None
    votes_needed: int
    actions: dict[Action, Available]
    voters: list[Voter]
    team_told: list[Told]
    votes: list[Vote]
    comments: list[Comment]
    transitions: list[RestoreTransition]
    runs: list[Execution]
    owned: list[OwnedBranch]
    resolution: Resolution | None
    undos: list[RestoreRequest]
    discarded_minutes: int | None

    @property
    def state(self) -> RequestState:
        return RequestState(self.request.state)

    @property
    def approvals(self) -> list[Vote]:
        """Approvals on the present facts that were not taken back; the service counts who may still vote."""
        return [vote for vote in self.current_votes if vote.choice == Vote.Choice.APPROVE]

    @property
    def current_votes(self) -> list[Vote]:
        return [vote for vote in self.votes if vote.packet_id == self.request.packet_id and not vote.taken_back_at]

    @property
    def own_vote(self) -> Vote | None:
        return next((vote for vote in self.current_votes if vote.voter_id == self.actor.user_id), None)

    @property
    def restore_run(self) -> Execution | None:
        return self._newest(Purpose.RESTORE)

    @property
    def preparation(self) -> Execution | None:
        return self._newest(Purpose.PREPARE)

    @property
    def preserved(self) -> OwnedBranch | None:
        return self._owned(BranchPurpose.PRESERVED)

    @property
    def preview(self) -> OwnedBranch | None:
        return self._owned(BranchPurpose.PREVIEW)

    @property
    def handed_over(self) -> OwnedBranch | None:
        """The copy that a new-branch restore ended with."""
        return next((branch for branch in self.owned if branch.fate == BranchFate.HANDED_OVER), None)

    def may(self, action: Action) -> bool:
        return self.actions[action].allowed

    def _newest(self, purpose: Purpose) -> Execution | None:
        return next((run for run in self.runs if run.purpose == purpose), None)

    def _owned(self, purpose: BranchPurpose) -> OwnedBranch | None:
        alive = (BranchFate.PRESENT, BranchFate.INTENDED)
        return next((b for b in self.owned if b.purpose == purpose and b.fate in alive), None)


@dataclass(frozen=True, slots=True)
class Watched:
    """The few facts by which an open page knows that it is out of date."""

    request: RestoreRequest
    run: Execution | None
    votes: int
    comments: int
    resolution_id: int | None

    @property
    def state(self) -> RequestState:
        return RequestState(self.request.state)

    @property
    def mark(self) -> str:
        """Changes whenever more than a clock on the page would change."""
        run = f"{self.run.pk}.{self.run.state}.{self.run.review_round}" if self.run else ""
        parts = (self.state.value, self.request.revision, self.votes, self.comments, run, self.resolution_id or "")
        return "-".join(str(part) for part in parts)


def watched(page: RequestPage) -> Watched:
    """The same facts out of a page that was read anyway."""
    return Watched(
        request=page.request,
        run=page.preparation if page.state is RequestState.PREPARING else page.restore_run,
        votes=len(page.current_votes),
        comments=len(page.comments),
        resolution_id=page.resolution.pk if page.resolution else None,
    )


def watch_request(request: RestoreRequest) -> Watched:
    """Reads them alone: open pages ask every second or so."""
    purpose = Purpose.PREPARE if request.state == RequestState.PREPARING else Purpose.RESTORE
    resolution = _open_resolution(request)
    return Watched(
        request=request,
        run=_with_steps(Execution.objects.filter(request=request, purpose=purpose)).order_by("-pk").first(),
        votes=request.votes.filter(packet=request.packet_id, taken_back_at__isnull=True).count(),
        comments=request.comments.count(),
        resolution_id=resolution.pk if resolution else None,
    )


def _with_steps(runs: QuerySet[Execution]) -> QuerySet[Execution]:
    return runs.prefetch_related(Prefetch("steps", queryset=ExecutionStep.objects.order_by("started_at", "pk")))


def find_request(request_id: int) -> RestoreRequest | None:
    """The request with what every page of it shows."""
    return (
        RestoreRequest.objects.select_related(
            "branch__project", "packet", "requester", "reason", "undo_of__branch", "start_asked_by"
        )
        .filter(pk=request_id)
        .first()
    )


def request_page(request: RestoreRequest, actor: Actor) -> RequestPage:
    """Reads everything for one reader."""
    now = database_now()
    policy = policy_in_force()
    packet = request.packet
    votes = list(request.votes.select_related("reason"))
    return RequestPage(
        request=request,
        actor=actor,
        now=now,
        policy=policy,
        packet=packet,
        observed=observed_of(packet, now),
        observed_now=_counted_again(request, packet, now),
        votes_needed=packet.votes_needed if packet else votes_needed_for(request, at=now, policy=policy),
        actions={item.action: item for item in available_actions(actor, request, now=now)},
        voters=_voters(request, votes),
        team_told=team_told_for_votes(request),
        votes=votes,
        comments=list(request.comments.select_related("text")),
        transitions=list(request.transitions.order_by("-number")),
        runs=_runs(request),
        owned=list(request.owned_branches.order_by("-pk")),
        resolution=_open_resolution(request),
        undos=list(request.undos.order_by("-pk")),
        discarded_minutes=discarded_minutes(request, now=now),
    )


def observed_of(packet: DecisionPacket | None, now: dt.datetime) -> ObservedFacts:
    """What was observed; whatever a packet lacks is unknown, so that a page never shows it as nothing."""
    empty = nothing_observed(now.isoformat())
    if packet is None:
        return empty
    return empty | packet.observed  # type: ignore[no-any-return]


def _counted_again(request: RestoreRequest, packet: DecisionPacket | None, now: dt.datetime) -> ObservedFacts | None:
    """What the worker read after the facts were frozen, for this packet; None where it read nothing newer."""
    again = request.observed_now
    if packet is None or not again or dt.datetime.fromisoformat(again["as_of"]) <= packet.built_at:
        return None
    return nothing_observed(now.isoformat()) | again  # type: ignore[no-any-return]


def _voters(request: RestoreRequest, votes: list[Vote]) -> list[Voter]:
    people = list(eligible_voters(request))
    ids = [person.pk for person in people]
    told = told_for_votes(request, ids)
    opened = dict(RequestOpened.objects.filter(request=request, person__in=ids).values_list("person_id", "at"))
    given = {vote.voter_id: vote for vote in votes if vote.packet_id == request.packet_id and not vote.taken_back_at}
    return [
        Voter(person.pk, person_name(person), told.get(person.pk), opened.get(person.pk), given.get(person.pk))
        for person in people
    ]


def person_name(person: User) -> str:
    """The name that people say, else the login."""
    return person.get_full_name() or person.get_username()


def _runs(request: RestoreRequest) -> list[Execution]:
    checks = CheckResult.objects.order_by("-review_round", "position")
    return list(
        _with_steps(Execution.objects.filter(request=request, purpose__in=[Purpose.PREPARE, Purpose.RESTORE]))
        .prefetch_related(
            Prefetch("checks", queryset=checks),
            Prefetch("intents", queryset=Intent.objects.order_by("number")),
        )
        .order_by("-pk")
    )


def _open_resolution(request: RestoreRequest) -> Resolution | None:
    return (
        request.resolutions.filter(confirmed_at__isnull=True, dropped_at__isnull=True).select_related("reason").first()
    )
