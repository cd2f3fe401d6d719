"""Acts on restore requests and looks."""

from __future__ import annotations

from typing import Any

from backups.models import RestoreRequest
from tests.support.commands.world import NOTHING, WHY, Act, Sent, World, ago, moment


def _filed(branch_id: int, **changes: Any) -> dict[str, Any]:
    typed = {
        "scenario": "accidental_deletion", "ticket": "INC-9", "urgency": "urgent", "branch": str(branch_id),
        "point_kind": "timestamp", "kind": "in_place", "copy_days": "7", "writers_stopped": "before_start",
        "start_mode": "by_hand", "reason": WHY,
    }  # fmt: skip
    return typed | moment("point", ago(30)) | changes


def _ballot(request: RestoreRequest, choice: str) -> Sent:
    request.refresh_from_db()
    assert request.packet is not None
    return (request.pk,), {"digest": request.packet.digest, "choice": choice, "reason": WHY}


def _edit(w: World) -> Sent:
    request = w.scenes.half_approved()
    return (request.pk,), _filed(request.branch_id)


def _start(w: World) -> Sent:
    request = w.scenes.approved()
    assert request.point_at is not None
    minutes = int((ago(0) - request.point_at).total_seconds() // 60)
    return (request.pk,), {"writers_stopped": "yes", "minutes": str(minutes)}


_QUEUED = "notification.queued"
# fmt: off
ACTS: dict[str, Act] = {
    "ops:file": Act("alice", "request.drafted", lambda w: ((), _filed(w.branch.pk)), wrong=NOTHING),
    "ops:edit": Act("alice", "request.edited", _edit, "execution.created", wrong=NOTHING),
    "ops:submit": Act("alice", "request.submitted", lambda w: ((w.scenes.draft().pk,), {}), "execution.created"),
    "ops:withdraw": Act("alice", "request.withdrawn",
                        lambda w: ((w.scenes.pending().pk,), {"reason": WHY}), _QUEUED),
    "ops:vote approve": Act("bob", "request.voted", lambda w: _ballot(w.scenes.pending(), "approve"),
                            wrong={"reason": " "}),
    "ops:vote approve last": Act("bob", "request.voted", lambda w: _ballot(w.scenes.half_approved(), "approve"),
                                 "request.approved", _QUEUED),
    "ops:vote reject": Act("bob", "request.voted", lambda w: _ballot(w.scenes.pending(), "reject"),
                           "request.rejected", _QUEUED),
    "ops:vote pass": Act("bob", "request.voted", lambda w: _ballot(w.scenes.pending(), "pass")),
    "ops:take-back": Act("carol", "request.vote_taken_back", lambda w: ((w.scenes.half_approved().pk,), {})),
    "ops:comment": Act("bob", "request.commented", lambda w: ((w.scenes.pending().pk,), {"text": WHY}), _QUEUED,
                       wrong=NOTHING),
    "ops:comment ask": Act("bob", "request.asked",
                           lambda w: ((w.scenes.pending().pk,), {"text": WHY, "question": "yes"}), _QUEUED),
    "ops:start-restore": Act("alice", "request.started", _start, "execution.created", _QUEUED, wrong=NOTHING),
    "ops:stop": Act("alice", "request.stop_asked", lambda w: ((w.accepted_by_nobody().pk,), {})),
    "ops:unsealed": Act("bob", "request.seal_waived", lambda w: ((w.without_seal().pk,), {"reason": WHY}),
                        wrong=NOTHING),
    "ops:look-again": Act("alice", "request.looked_again", lambda w: ((w.scenes.unknown_effect().pk,), {})),
    "ops:verify-again": Act("alice", "request.looked_again", lambda w: ((w.scenes.unverified().pk,), {})),
    "ops:resolve": Act("alice", "request.resolution_proposed",
                       lambda w: ((w.scenes.unverified().pk, "accept"), {"reason": WHY}), _QUEUED, wrong=NOTHING),
    "ops:confirm": Act("bob", "request.resolution_confirmed",
                       lambda w: ((w.scenes.proposed().pk,), {"reason": WHY}), "afterwards.opened", _QUEUED),
    "ops:drop-proposal": Act("alice", "request.resolution_dropped", lambda w: ((w.scenes.proposed().pk,), {})),
    "ops:undo": Act("alice", "request.drafted",
                    lambda w: ((w.scenes.completed().pk,), {"reason": WHY, "start_mode": "by_hand"}), wrong=NOTHING),
    "ops:look-new": Act("alice", "look.requested",
                        lambda w: ((), {"branch": str(w.branch.pk)} | moment("point", ago(30))),
                        "execution.created", wrong=NOTHING),
    "ops:look-close": Act("alice", "look.closed", lambda w: ((w.scenes.look().pk,), {})),
}
# fmt: on
