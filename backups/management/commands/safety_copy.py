"""manage.py safety_copy: a copy of a branch before risky work, for people and deploy scripts on the portal's machine.

Ends with 0 when the copy was asked for, or with --wait only when Neon was seen to have it; 1 when there is none
(refused or failed); 3 when the time of --wait was over and it is not known yet. 2 is a mistake in the arguments.
"""

from __future__ import annotations

import getpass
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.people import command_actor
from backups.domain.safety_copy import DEFAULT_KEEP_DAYS, CopyKind, CopyState, Origin
from backups.models import ProtectedBranch, SafetyCopy
from backups.selectors.project import governed_branches
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.safety_copy.ask import CopyWish, ask_for_safety_copy

NO_COPY, NOT_KNOWN_YET = 1, 3
_PAUSE_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Makes a snapshot or a branch that can be gone back to. Exit status: 0 asked for (with --wait: Neon has it), "
        "1 no copy, 2 wrong arguments, 3 --wait is over and it is not known yet. The worker must be running."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--before", required=True, metavar="WORK", help="before what, e.g. “migration 0042”; no patient details"
        )
        parser.add_argument("--branch", default="", help="name of the branch in care; default: the default branch")
        parser.add_argument("--project", default="", help="Neon's id, when several projects have such a branch")
        parser.add_argument("--kind", choices=[kind.value for kind in CopyKind], help="default: what fits the plan")
        parser.add_argument("--keep-days", type=int, default=DEFAULT_KEEP_DAYS, help="default: %(default)s")
        parser.add_argument("--wait", action="store_true", help="end only when Neon has it, or when it failed")
        parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="of --wait (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        copy = self._ask(options)
        self.stdout.write(f"{copy.reference} {copy.name}: asked for")
        if options["wait"]:
            self._wait(copy, options["timeout"])

    def _ask(self, options: dict[str, Any]) -> SafetyCopy:
        wish = CopyWish(
            branch_id=_branch(options["branch"], options["project"]).pk,
            reason=options["before"],
            kind=CopyKind(options["kind"]) if options["kind"] else None,
            keep_days=options["keep_days"],
        )
        actor = command_actor("safety_copy", operator=getpass.getuser())
        try:
            return ask_for_safety_copy(actor=actor, wish=wish, origin=Origin.COMMAND)
        except (InvalidInput, Refused) as refused:
            raise CommandError(f"{refused} No copy was made.", returncode=NO_COPY) from None

    def _wait(self, copy: SafetyCopy, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while copy.state == CopyState.ASKED and time.monotonic() < ends_at:
            time.sleep(min(_PAUSE_SECONDS, max(0.0, ends_at - time.monotonic())))
            copy.refresh_from_db()
        if copy.state == CopyState.ASKED:
            sentence = f"{copy.reference} is not made yet after {seconds:g} s. Don't begin; look at its page."
            raise CommandError(sentence, returncode=NOT_KNOWN_YET)
        if copy.state != CopyState.MADE:
            raise CommandError(f"{copy.reference}: {copy.problem or copy.state}", returncode=NO_COPY)
        self.stdout.write(f"{copy.reference} {copy.name}: Neon has it ({copy.kind} {copy.neon_id})")


def _branch(name: str, project: str) -> ProtectedBranch:
    """The one that is meant. Raises CommandError."""
    found = [
        branch
        for branch in governed_branches()
        if project in {"", branch.project.neon_project_id} and (branch.name == name if name else branch.is_default)
    ]
    if len(found) != 1:
        sentence = f"{len(found)} branches in care fit. Name one with --branch, and its project if needed."
        raise CommandError(sentence, returncode=NO_COPY)
    return found[0]
