"""manage.py add_person: the first administrator, and accounts for a script."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.people import Role, command_actor
from backups.services.people import PeopleRefused, add_person


class Command(BaseCommand):
    help = (
        "Creates an account, or takes the existing one, and gives it roles. Needed once for the first administrator, "
        "who then does the rest in the portal. The password is read from the standard input, never from an argument."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("login")
        parser.add_argument("--role", action="append", required=True, choices=[role.value for role in Role])
        parser.add_argument("--email", default="")
        parser.add_argument("--name", default="", help="First and last name")
        parser.add_argument("--service", action="store_true", help="An account of a program: it never votes")
        parser.add_argument("--password-stdin", action="store_true", help="Read the password from standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = command_actor("add_person", operator=getpass.getuser())
        password = self._password() if options["password_stdin"] else ""
        roles = {Role(role) for role in options["role"]}
        try:
            user = add_person(
                actor=actor,
                login=options["login"],
                roles=roles,
                email=options["email"],
                full_name=options["name"],
                password=password,
                is_service_account=options["service"],
            )
        except PeopleRefused as refused:
            raise CommandError(refused.sentence) from None
        self.stdout.write(f"{user.username}: {', '.join(sorted(role.value for role in roles))}")

    def _password(self) -> str:
        password = input().strip()
        try:
            validate_password(password)
        except ValidationError as error:
            raise CommandError(f"{' '.join(error.messages)} No account was made.") from None
        return password
