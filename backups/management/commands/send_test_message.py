"""manage.py send_test_message: does every channel work?"""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.people import command_actor
from backups.services.notification.try_out import TrialResult, send_test_messages

_MARKS = {
    TrialResult.OK: "ok            ",
    TrialResult.NOT_CONFIGURED: "not configured",
    TrialResult.NOT_TRIED: "not tried     ",
    TrialResult.FAILED: "failed        ",
}


class Command(BaseCommand):
    help = (
        "Sends one test message on each channel that is set up (mail, Slack, webhook, PagerDuty) and says how it went. "
        "Ends with status 1 when one failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", default="", help="Who gets the test mail")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = command_actor("send_test_message", operator=getpass.getuser())
        trials = send_test_messages(actor=actor, mail_to=options["to"])
        for trial in trials:
            self.stdout.write(f"{trial.channel.value:<9} {_MARKS[trial.result]}  {trial.sentence}")
        if any(trial.result is TrialResult.FAILED for trial in trials):
            raise CommandError("Not every channel took its message. Requests go on all the same; people are not told.")
