"""The votes of a case: the event of each, how its voter had logged in, and why one does not count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from backups.models import DecisionPacket, LedgerEvent, Vote
from backups.selectors.case_file.events import CaseEvent


@dataclass(frozen=True, slots=True)
class VoteOnFile:
    """One vote. `event` None: no event tells of it, which is itself a finding. `roles`: held when it was given.

    `means`: how the session of the vote was opened, such as `password`; empty when the record does not tell.
    `void`: why the vote does not count; empty for one that does.
    """

    vote: Vote
    event: CaseEvent | None
    revision: int
    means: str = ""
    void: str = ""

    @property
    def roles(self) -> list[str]:
        return list(self.event.event.roles or []) if self.event else []


def votes_on_file(
    votes: Sequence[Vote], events: Sequence[CaseEvent], packets: Sequence[DecisionPacket], in_force: int | None
) -> list[VoteOnFile]:
    """Each vote with its own event: the same person, the same digest, the same choice, in order of time. One query.

    `packets` by revision; `in_force` is the key of the one that counts now, None for none.
    """
    free = [each for each in events if each.event.type == "request.voted"]
    means = _means_of_sessions(votes)
    found = []
    for vote in votes:
        own = next((each for each in free if _tells_of(each, vote)), None)
        if own is not None:
            free.remove(own)
        said = means.get(_session(own.event), "") if own else ""
        found.append(VoteOnFile(vote, own, vote.packet.revision, said, why_void(vote, packets, in_force)))
    return found


def why_void(vote: Vote, packets: Sequence[DecisionPacket], in_force: int | None) -> str:
    """A vote is on the facts of one revision: when others were frozen, it counts for nothing. Empty while it counts."""
    if vote.taken_back_at is not None:
        return "taken back"
    if vote.packet_id == in_force:
        return ""
    later = next((each for each in packets if each.revision > vote.packet.revision), None)
    if later is None:
        return "its facts are no longer in force"
    changed = [name for name, value in later.bound.items() if vote.packet.bound.get(name) != value]
    what = ", ".join(name.replace("_", " ") for name in changed) or "the request"
    return f"{what} changed: facts were frozen anew at {later.built_at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _tells_of(each: CaseEvent, vote: Vote) -> bool:
    members = each.event.members
    return bool(
        each.event.actor_ref == f"user:{vote.voter_id}"
        and members.get("appr", {}).get("req_hash") == vote.digest
        and members.get("data", {}).get("vote") == vote.choice
    )


def _means_of_sessions(votes: Sequence[Vote]) -> dict[str, str]:
    """By session: by what the voters proved who they are, as far back as a session of theirs can reach."""
    if not votes:
        return {}
    times = [vote.cast_at for vote in votes]
    longest = dt.timedelta(seconds=settings.SESSION_TOTAL_SECONDS)
    events = LedgerEvent.objects.filter(
        type="access.login",
        actor_ref__in={f"user:{vote.voter_id}" for vote in votes},
        recorded_at__range=(min(times) - longest, max(times)),
    )
    found = {_session(event): str(event.members.get("data", {}).get("means", "")) for event in events.only("members")}
    return {session: means for session, means in found.items() if session}


def _session(event: LedgerEvent) -> str:
    return str(event.members.get("actor", {}).get("sess", ""))
