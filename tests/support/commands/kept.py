"""Acts on what is left after a restore, on safety copies and on tokens."""

from __future__ import annotations

from typing import Any

from backups.domain.afterwards import PointCode, ReviewSection
from backups.services.afterwards.removal import drop_removal
from backups.services.afterwards.review import write_review
from tests.support.commands.world import DAY, NOTHING, WHY, Act, Sent, World, ago, in_days, moment


def _list(w: World, fields: dict[str, Any]) -> Sent:
    return (w.afterwards.checklist.pk,), fields


def _point(w: World) -> Sent:
    point = w.afterwards.checklist.points.filter(code=PointCode.OTHER_SYSTEM).first()
    assert point is not None
    return (w.afterwards.checklist.pk, point.pk), {"state": "not_needed", "reason": WHY}


def _signable(w: World) -> Sent:
    sections = dict.fromkeys(ReviewSection, WHY)
    write_review(actor=w.people.alice.actor, checklist_id=w.afterwards.checklist.pk, sections=sections)
    return _list(w, {})


def _removable(w: World) -> Sent:
    drop_removal(actor=w.people.alice.actor, removal_id=w.afterwards.removal.pk)
    return _list(w, {"reason": WHY})


def _by_hand(w: World) -> dict[str, str]:
    return {"branch": str(w.afterwards.branch.pk), "kind": "in_place", "done_by_name": "Neon support", "why": WHY,
            "lost": "Nothing.", "done_by": "", "finding": ""} | moment("done_at", ago(60))  # fmt: skip


_DAILY = {"is_on": "on", "time": "02:05", "keep_days": "7", "kind": ""}
_TOKEN = {"label": "pipeline two", "scopes": ["safety_copy"], "project": "", "days": "30"}

# fmt: off
ACTS: dict[str, Act] = {
    "ops:afterwards-point": Act("alice", "afterwards.point_changed", _point, wrong=NOTHING),
    "ops:afterwards-keep": Act("alice", "afterwards.kept_changed",
                               lambda w: _list(w, {"owner": w.id_of("bob")} | moment("until", ago(0) + 3 * DAY)),
                               "afterwards.point_changed", wrong=NOTHING),
    "ops:afterwards-action": Act("alice", "action.added",
                                 lambda w: _list(w, {"title": WHY, "owner": w.id_of("bob"), "due_on": in_days(9)}),
                                 wrong=NOTHING),
    "ops:afterwards-setup": Act("erin", "project.changed",
                                lambda w: ((w.afterwards.branch.pk,),
                                           {"systems": "fax\nmail", "health_url": "https://api.example/healthz"}),
                                "project.branch_changed", wrong={"health_url": "ftp://x"}),
    "ops:review-write": Act("alice", "review.written", lambda w: _list(w, {"root_cause": WHY}),
                            wrong={"root_cause": "x" * 5001}),
    "ops:review-sign": Act("bob", "review.signed", _signable, "afterwards.point_changed"),
    "ops:removal-state": Act("alice", "removal.asked", _removable, wrong=NOTHING),
    "ops:removal confirm": Act("bob", "removal.confirmed",
                               lambda w: ((w.afterwards.removal.pk,), {"answer": "confirm"}),
                               "afterwards.point_changed"),
    "ops:removal drop": Act("alice", "removal.dropped",
                            lambda w: ((w.afterwards.removal.pk,), {"answer": "drop"})),
    "ops:retrospective-new": Act("alice", "retrospective.filed", lambda w: ((), _by_hand(w)),
                                 "retrospective.lost", "notification.queued", wrong=NOTHING),
    "ops:retrospective-decide sign": Act("carol", "retrospective.signed",
                                         lambda w: ((w.afterwards.record.pk,), {"answer": "sign"}),
                                         "afterwards.opened"),
    "ops:retrospective-decide drop": Act("bob", "retrospective.dropped",
                                         lambda w: ((w.afterwards.record.pk,), {"answer": "drop"})),
    "ops:safety-copy-new": Act("alice", "copy.asked",
                               lambda w: ((), {"branch": str(w.branch.pk), "reason": "migration 0043", "kind": "",
                                               "keep_days": "3"}), "execution.created", wrong=NOTHING),
    "ops:safety-copy-remove": Act("alice", "removal.asked",
                                  lambda w: ((w.afterwards.copy.pk,), {"reason": WHY}), wrong=NOTHING),
    "ops:safety-schedule": Act("alice", "copy.scheduled", lambda w: ((w.branch.pk,), _DAILY), wrong=NOTHING),
    "ops:token-new": Act("erin", "token.made", lambda w: ((), _TOKEN), wrong=NOTHING),
    "ops:token-revoke": Act("erin", "token.revoked", lambda w: ((w.afterwards.token.pk,), {})),
}
# fmt: on
