"""Acts on projects, branches, the monitor and alerts."""

from __future__ import annotations

from typing import Any

from backups.domain.monitor import Severity
from backups.domain.notification import DEFAULT_ROUTES, Channel, Route
from backups.domain.people import Role
from backups.models import EnvironmentProposal, PlanProposal
from backups.selectors.routing import routes_in_force
from backups.services.notification.routes import digest_of
from tests.support.commands.world import NOTHING, WHY, Act, Sent, World


def _proposal(w: World, answer: str) -> Sent:
    proposed = EnvironmentProposal.objects.create(branch=w.branch, label="development", proposed_by=w.people.erin.user)
    return (proposed.pk,), {"answer": answer}


def _finding(w: World, fields: dict[str, str]) -> Sent:
    return (w.monitored[0].pk,), fields


def _plan_proposal(w: World, answer: str) -> Sent:
    proposal: PlanProposal = w.monitored[1]
    return (proposal.pk,), {"answer": answer}


def _declared(w: World) -> Sent:
    first = {"r-0-frequency": "weekly", "r-0-hour": "3", "r-0-day": "1", "r-0-keep_days": "14"}
    rest = {"r-TOTAL_FORMS": "3", "r-INITIAL_FORMS": "0", "history_days": "14", "reason": WHY}
    return (w.branch.pk,), first | rest


def _routes(w: World) -> Sent:
    routes = DEFAULT_ROUTES - {Route(Severity.CRITICAL, Channel.MAIL, Role.MANAGER)}
    ticked: dict[str, Any] = {"route": [route.code for route in routes], "seen": digest_of(routes_in_force())}
    return (), ticked


# fmt: off
ACTS: dict[str, Act] = {
    "ops:connect": Act("erin", "project.connected", lambda w: ((), w.sandbox_to_connect()), "secret.changed",
                       "project.changed", "project.branch_changed", "project.branch_protected",
                       "project.checked", "neon.call", wrong=NOTHING),
    "ops:check": Act("erin", "project.check_asked", lambda w: ((w.scenes.project.pk,), {})),
    "ops:environment more": Act("erin", "project.branch_changed",
                                lambda w: ((w.branch.pk,), {"label": "production", "reason": WHY}), wrong=NOTHING),
    "ops:environment less": Act("erin", "project.label_proposed",
                                lambda w: ((w.branch.pk,), {"label": "development", "reason": WHY}), wrong=NOTHING),
    "ops:proposal confirm": Act("bob", "project.label_lowered", lambda w: _proposal(w, "confirm")),
    "ops:proposal refuse": Act("bob", "project.branch_changed", lambda w: _proposal(w, "refuse")),
    "ops:finding-acknowledge": Act("alice", "finding.acknowledged", lambda w: _finding(w, {"reason": WHY}),
                                   "notification.queued", wrong=NOTHING),
    "ops:finding-give": Act("alice", "finding.owned", lambda w: _finding(w, {"owner": w.id_of("alice")})),
    "ops:finding-explain": Act("bob", "finding.explained", lambda w: _finding(w, {"reason": WHY}),
                               "notification.queued", wrong=NOTHING),
    "ops:declare-backups": Act("erin", "backup.declared", _declared, wrong=NOTHING),
    "ops:propose-backups": Act("bob", "backup.proposed", lambda w: ((w.with_drift().pk,), {"reason": WHY}),
                               "notification.queued", wrong=NOTHING),
    "ops:plan-proposal confirm": Act("bob", "backup.confirmed", lambda w: _plan_proposal(w, "confirm"),
                                     "execution.created"),
    "ops:plan-proposal refuse": Act("bob", "backup.refused", lambda w: _plan_proposal(w, "refuse")),
    "ops:notifications-routes": Act("erin", "notification.changed", _routes, wrong={"route": []}),
    "ops:notifications-test": Act("erin", "notification.sent",
                                  lambda w: ((), {"mail_to": "erin@carecircle.example"}),
                                  wrong={"mail_to": "erin at example"}),
}
# fmt: on
