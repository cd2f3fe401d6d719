"""manage.py run_drill: begins a drill of a plan and, if wanted, waits for what comes of it."""

from __future__ import annotations

import getpass
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.drill import DrillOutcome, DrillState
from backups.domain.people import command_actor
from backups.models import Drill, DrillPlan
from backups.selectors.drill_actions import UNDER_WAY
from backups.services.drill.run import run_plan_by_command
from backups.services.restore.errors import Refused

_POLL_SECONDS = 0.5
_sleep = time.sleep
_STATUS = {DrillOutcome.PASSED: 0, DrillOutcome.FAILED: 1, DrillOutcome.INCONCLUSIVE: 2}


class Command(BaseCommand):
    help = (
        "Begins a drill of a plan; the running worker (run_worker) carries it out. With --wait the exit status is 0 "
        "when it passed, 1 when it failed, and 2 when it was inconclusive, cancelled, or not over in time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", required=True, help="name of the plan")
        parser.add_argument("--branch", default="", help="name of its branch, when several plans have that name")
        parser.add_argument("--project", default="", help="Neon's id, when several projects have such a branch")
        parser.add_argument("--wait", action="store_true", help="wait for the outcome")
        parser.add_argument("--timeout", type=float, default=3600, metavar="SECONDS", help="how long to wait")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = _plan(options["plan"], options["branch"], options["project"])
        try:
            drill = run_plan_by_command(actor=command_actor("run_drill", operator=getpass.getuser()), plan_id=plan.pk)
        except Refused as refused:
            raise CommandError(refused.sentence, returncode=2) from None
        self.stdout.write(f"{drill.reference} has begun.")
        if options["wait"]:
            self._wait(drill, time.monotonic() + options["timeout"])

    def _wait(self, drill: Drill, until: float) -> None:
        while drill.state in UNDER_WAY and time.monotonic() < until:
            _sleep(_POLL_SECONDS)
            drill.refresh_from_db()
        if drill.state in UNDER_WAY:
            self.stderr.write(f"{drill.reference} is not over yet ({drill.state}). It goes on without this command.")
            sys.exit(2)
        words = drill.outcome or DrillState(drill.state).value
        self.stdout.write(f"{drill.reference} {words}: {drill.outcome_sentence}")
        status = _STATUS[DrillOutcome(drill.outcome)] if drill.outcome else 2
        if status:
            sys.exit(status)


def _plan(name: str, branch: str, project: str) -> DrillPlan:
    found = [
        plan
        for plan in DrillPlan.objects.filter(name=name, is_active=True).select_related("branch__project")
        if branch in {"", plan.branch.name} and project in {"", plan.branch.project.neon_project_id}
    ]
    if len(found) != 1:
        raise CommandError(
            f"{len(found)} plans in use are called {name}. Name one, and its branch and project if needed.",
            returncode=2,
        )
    return found[0]
