"""The rules of a restore, held against its votes anew and without asking the state that the portal gave it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from backups.domain.packet import canonical_text
from backups.models import DecisionPacket, RestoreRequest, Vote
from backups.selectors.case_file.votes import VoteOnFile


@dataclass(frozen=True, slots=True)
class Rule:
    """`holds` None: it cannot be told, or nothing was done that it is about."""

    words: str
    found: str
    holds: bool | None


def digest_holds(packet: DecisionPacket) -> bool:
    """Whether text, facts and digest still belong together."""
    computed = "sha256:" + hashlib.sha256(packet.bound_text.encode("utf-8")).hexdigest()
    return computed == packet.digest and canonical_text(packet.bound) == packet.bound_text


def rules_of(request: RestoreRequest, votes: Sequence[VoteOnFile]) -> list[Rule]:
    """Empty where no facts were ever frozen."""
    packet, ordered = request.packet, request.submitted_to_neon_at
    if packet is None:
        return []
    counted = [each for each in votes if _counts(each.vote, packet, ordered)]
    humans = {each.vote.voter_id for each in counted}
    return [
        # From the facts under the digest, not from the column beside them.
        _enough(len(humans), int(packet.bound["votes_needed"]), ordered),
        Rule(
            "None of them is the requester",
            f"requested by {request.requester_name}",
            all(each.vote.voter_id != request.requester_id for each in counted) if counted else None,
        ),
        Rule(
            "Each names the digest of the facts",
            packet.digest,
            all(each.vote.digest == packet.digest for each in counted) if counted else None,
        ),
        Rule("The digest is the one of the facts", "computed anew from their exact bytes", digest_holds(packet)),
        _all_by(counted, ordered),
        Rule(
            "An event tells of each vote",
            f"{len(votes)} votes",
            all(each.event is not None for each in votes) if votes else None,
        ),
        _sealed(counted, ordered),
    ]


def _counts(vote: Vote, packet: DecisionPacket, ordered: dt.datetime | None) -> bool:
    """An approval of these facts that stood when the order went to Neon."""
    stood = vote.taken_back_at is None or (ordered is not None and vote.taken_back_at > ordered)
    return vote.choice == Vote.Choice.APPROVE and vote.packet_id == packet.pk and stood


def _enough(humans: int, needed: int, ordered: dt.datetime | None) -> Rule:
    found = f"{humans} of {needed}" + ("" if ordered else "; no order went to Neon")
    return Rule("Enough different people approved", found, humans >= needed if ordered else None)


def _all_by(counted: Sequence[VoteOnFile], ordered: dt.datetime | None) -> Rule:
    words = "All approvals came before the order to Neon"
    if ordered is None:
        return Rule(words, "no order went to Neon", None)
    if not counted:
        return Rule(words, "there are no approvals", None)
    return Rule(words, f"order at {ordered:%Y-%m-%d %H:%M:%S} UTC", all(e.vote.cast_at < ordered for e in counted))


def _sealed(counted: Sequence[VoteOnFile], ordered: dt.datetime | None) -> Rule:
    words = "All approvals were sealed and kept outside before it"
    if ordered is None:
        return Rule(words, "no order went to Neon", None)
    if not counted:
        return Rule(words, "there are no approvals", None)
    times = [each.event.anchored_at if each.event else None for each in counted]
    late = sum(1 for at in times if at is None or at > ordered)
    return Rule(words, f"{late} of {len(times)} were not" if late else f"{len(times)} were", late == 0)
