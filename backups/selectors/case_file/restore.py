"""The case file of one restore request."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Prefetch

from backups.domain.execution import Purpose
from backups.models import (
    Checklist,
    ChecklistPoint,
    DecisionPacket,
    Execution,
    FreeText,
    RestoreRequest,
    ReviewText,
    Vote,
)
from backups.selectors.case_file.events import CaseEvent, events_of_reference
from backups.selectors.case_file.rules import Rule, digest_holds, rules_of
from backups.selectors.case_file.votes import VoteOnFile, votes_on_file


@dataclass(frozen=True, slots=True)
class PacketOnFile:
    """The facts of one revision, as they were frozen; `holds`: their digest, computed anew, is the stored one."""

    packet: DecisionPacket
    holds: bool
    is_decided: bool


@dataclass(frozen=True, slots=True)
class RestoreCase:
    """Everything about one request. `environment` is the one that was voted on; empty where no facts were frozen."""

    request: RestoreRequest
    environment: str
    packets: list[PacketOnFile]
    votes: list[VoteOnFile]
    rules: list[Rule]
    runs: list[Execution]
    undos: list[RestoreRequest]
    checklist: Checklist | None
    points: list[ChecklistPoint]
    review_texts: list[ReviewText]
    events: list[CaseEvent]

    @property
    def words(self) -> FreeText | None:
        """The requester's own."""
        words: FreeText | None = self.request.reason
        return words


def restore_case(pk: int) -> RestoreCase | None:
    """A fixed number of queries, whatever the number of events and votes."""
    request = _request(pk)
    if request is None:
        return None
    events = events_of_reference(request.reference)
    packets = list(request.packets.order_by("revision"))
    votes = votes_on_file(_votes(request), events, packets, request.packet_id)
    checklist = Checklist.objects.filter(request=request).select_related("review").first()
    review = getattr(checklist, "review", None)
    return RestoreCase(
        request=request,
        environment=request.packet.bound.get("environment", "") if request.packet else "",
        packets=[PacketOnFile(each, digest_holds(each), each.pk == request.packet_id) for each in packets],
        votes=votes,
        rules=rules_of(request, votes),
        runs=_runs(request),
        undos=list(request.undos.order_by("pk")),
        checklist=checklist,
        points=list(checklist.points.select_related("reason__event")) if checklist else [],
        review_texts=list(review.texts.select_related("text__event")) if review else [],
        events=events,
    )


def _request(pk: int) -> RestoreRequest | None:
    found = RestoreRequest.objects.select_related("branch__project", "packet", "undo_of", "reason__event")
    return found.filter(pk=pk).first()


def _votes(request: RestoreRequest) -> list[Vote]:
    return list(request.votes.select_related("packet", "reason__event").order_by("cast_at", "pk"))


def _runs(request: RestoreRequest) -> list[Execution]:
    wanted = Execution.objects.filter(request=request, purpose__in=[Purpose.PREPARE, Purpose.RESTORE])
    return list(wanted.prefetch_related(Prefetch("steps"), Prefetch("intents"), Prefetch("checks")).order_by("pk"))
