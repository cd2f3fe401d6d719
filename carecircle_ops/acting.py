"""Tells the writers behind Django's own pages who acts, and records what those pages refuse."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from backups.domain.acting import acting
from backups.domain.ledger import Target
from backups.selectors.people import actor_of
from backups.services.ledger import record_refusal


class ActorMiddleware:
    """After the authentication: every event of this request names the person who is logged in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting(lambda: actor_of(request.user, request)):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Django's admin refuses by an exception. The portal's own pages record their refusals themselves."""
        match = request.resolver_match
        if isinstance(exception, PermissionDenied) and match is not None and match.app_name == "admin":
            record_refusal(
                actor=actor_of(request.user, request),
                why="role",
                target=Target(kind="page", id=match.view_name),
                details={"method": request.method},
            )
