"""Acts on drills, their plans, corrective actions and duties."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from backups.services.canary import set_up_canary
from backups.services.drill.run import run_plan_now
from tests.support.commands.world import NOTHING, WHY, Act, Sent, World, ago, in_days, moment
from tests.support.drills import plan_of


def _exercise(w: World) -> dict[str, Any]:
    return {"title": "Bad migration at noon", "type": "tabletop", "scenario": "bad_migration", "story": WHY,
            "planned_zone": "UTC", "place": f"b{w.branch.pk}"}  # fmt: skip


def _plan(w: World) -> dict[str, Any]:
    return {
        "branch": str(w.branch.pk), "name": "Each Monday", "scenario": "rehearsal", "schedule_kind": "cron",
        "cron": "0 3 * * 1", "point_choice": "random", "rto_minutes": "15", "rpo_minutes": "5", "limit_minutes": "30",
        "good_for_days": "8", "grace_minutes": "60", "tolerance_parts_per_million": "0",
    }  # fmt: skip


def _add(what: str, **typed: Any) -> Any:
    def send(w: World) -> Sent:
        return (w.exercise.drill.pk, what), {name: value(w) if callable(value) else value
                                             for name, value in typed.items()}  # fmt: skip

    return send


def _add_after(what: str, **typed: Any) -> Any:
    """To an exercise that is over."""

    def send(w: World) -> Sent:
        w.exercise.end()
        return (w.exercise.drill.pk, what), {name: value(w) if callable(value) else value
                                             for name, value in typed.items()}  # fmt: skip

    return send


def _end(w: World) -> Sent:
    return (w.exercise.drill.pk, "end"), {"outcome": "passed", "conclusion": WHY} | moment("ended", ago(1))


def _running(w: World) -> Sent:
    return (run_plan_now(actor=w.people.alice.actor, plan_id=plan_of(w.branch).pk).pk,), {}


def _canary_on(w: World) -> Sent:
    set_up_canary(actor=w.people.alice.actor, branch_id=w.branch.pk)
    return (w.branch.pk,), {"act": "stop"}


def _sign(w: World) -> Sent:
    return (w.exercise.end().pk,), {"text": WHY}


def _file() -> SimpleUploadedFile:
    return SimpleUploadedFile("minutes.txt", b"who said what")


# fmt: off
ACTS: dict[str, Act] = {
    "ops:drill-new": Act("alice", "drill.exercise_planned", lambda w: ((), _exercise(w)), wrong=NOTHING),
    "ops:drill-edit": Act("alice", "drill.exercise_changed",
                          lambda w: ((w.exercise.drill.pk,), _exercise(w)), wrong=NOTHING),
    "ops:drill-add begin": Act("alice", "drill.exercise_begun", _add("begin")),
    "ops:drill-add participant": Act("alice", "drill.participants_changed",
                                     _add("participant", name="Dr. Lovelace", part="clinic"), wrong=NOTHING),
    "ops:drill-add note": Act("alice", "drill.noted",
                              lambda w: ((w.exercise.drill.pk, "note"), {"text": WHY} | moment("at", ago(5))),
                              wrong=NOTHING),
    "ops:drill-add end": Act("alice", "drill.exercise_ended", _end, "notification.queued", wrong=NOTHING),
    "ops:drill-add cancel": Act("alice", "drill.exercise_cancelled", _add("cancel", reason=WHY), wrong=NOTHING),
    "ops:drill-add finding": Act("alice", "drill.finding_added", _add("finding", severity="major", text=WHY),
                                 wrong=NOTHING),
    "ops:drill-add action": Act("alice", "action.added",
                                _add("action", title=WHY, owner=lambda w: w.id_of("bob"), due_on=lambda w: in_days(9)),
                                wrong=NOTHING),
    "ops:drill-add file": Act("alice", "drill.attachment_added", _add("file", file=lambda w: _file()), wrong=NOTHING),
    "ops:drill-sign": Act("bob", "drill.signed_off", _sign, wrong=NOTHING),
    "ops:drill-take-off": Act("alice", "drill.participants_changed",
                              lambda w: ((w.exercise.drill.pk, w.exercise.participant.pk), {})),
    "ops:drill-cancel": Act("alice", "drill.cancel_asked", _running, "drill.cancelled"),
    "ops:canary start": Act("alice", "canary.set_up",
                            lambda w: ((w.branch.pk,), {"act": "start", "every_seconds": "60"}), wrong=NOTHING),
    "ops:canary stop": Act("alice", "canary.stopped", _canary_on),
    "ops:plan-new": Act("alice", "drill.plan_created", lambda w: ((), _plan(w)), wrong=NOTHING),
    "ops:plan-edit": Act("alice", "drill.plan_changed",
                         lambda w: ((plan_of(w.branch).pk,), _plan(w)), wrong=NOTHING),
    "ops:plan-retire": Act("alice", "drill.plan_retired",
                           lambda w: ((plan_of(w.branch).pk,), {"reason": WHY})),
    "ops:plan-run": Act("alice", "drill.planned", lambda w: ((plan_of(w.branch).pk,), {}), "execution.created"),
    "ops:action done": Act("erin", "action.done",
                           lambda w: ((w.exercise.action.pk,), {"act": "done", "proof": WHY}), wrong=NOTHING),
    "ops:action move": Act("erin", "action.moved",
                           lambda w: ((w.exercise.action.pk,), {"act": "move", "owner": w.id_of("bob"),
                                                                "due_on": in_days(20), "reason": WHY}),
                           wrong={"reason": ""}),
    "ops:duty": Act("bob", "duty.done", lambda w: (("people_reviewed",), {"reason": WHY}), wrong=NOTHING),
}
# fmt: on
