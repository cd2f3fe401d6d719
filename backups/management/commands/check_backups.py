"""``manage.py check_backups``: one look of the monitor now, and what it found."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from backups.domain.monitor import Health
from backups.domain.people import command_actor
from backups.selectors.clock import database_now
from backups.selectors.monitor import Situation, situation
from backups.services.monitor.controls.registry import TITLES
from backups.services.monitor.cycle import monitor_now, wait_for_others
from backups.services.monitor.report import report_of

#: Findings weigh more than what is unknown: there is something to do.
EXIT_STATUS = {Health.HEALTHY: 0, Health.FINDINGS: 1, Health.UNKNOWN: 2}


class Command(BaseCommand):
    help = (
        "Looks at every project now, as the worker does every minute, and prints what is wrong. "
        "Exit status 0: healthy. 1: findings (critical or warning). 2: something could not be told."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        monitor_now(actor=command_actor("check_backups"))
        # What a worker was looking at just then is awaited, so that the answer is of now.
        wait_for_others()
        found = situation(database_now())
        if options["json"]:
            self.stdout.write(json.dumps(report_of(found), indent=2))
        else:
            self._say(found)
        status = EXIT_STATUS[found.health]
        if status:
            sys.exit(status)

    def _say(self, found: Situation) -> None:
        self.stdout.write(f"{found.health.value}\n")
        for finding in found.findings:
            place = " / ".join(part.name for part in (finding.project, finding.branch) if part) or "the portal"
            self.stdout.write(f"{finding.severity:9}{finding.reference}  {place}: {finding.sentence}")
        for each in found.unknown:
            title = TITLES.get(each.control, each.control)
            self.stdout.write(f"unknown  since {each.since:%Y-%m-%d %H:%M} UTC  {title}: {each.reason}")
        if found.is_late:
            self.stdout.write("unknown  No look of the monitor has ended lately.")
