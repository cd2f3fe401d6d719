"""Tells the writers behind Django's own pages who acts, and records what those pages refuse."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from backups.domain.acting import acting
from backups.domain.ledger import Target
from backups.selectors.people import actor_of
from backups.services.ledger import record_refusal

# Open to everybody, roles or none.
_OPEN_TO_ALL = {"login", "logout"}


class ActorMiddleware:
    """After the authentication: every event of this request names the person who is logged in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting(lambda: actor_of(request.user, request)):
            response = self.get_response(request)
            if response.status_code == 302 and _was_closed_to_everybody_without_a_role(request):
                _record(request)
            return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Django's admin refuses by an exception. The portal's own pages record their refusals themselves."""
        if isinstance(exception, PermissionDenied) and _is_admin_page(request):
            _record(request)


def _was_closed_to_everybody_without_a_role(request: HttpRequest) -> bool:
    """Django's admin answers an account that may not enter with a redirection to the log-in."""
    return _is_admin_page(request) and request.user.is_authenticated and not actor_of(request.user, request).roles


def _is_admin_page(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.app_name == "admin" and match.url_name not in _OPEN_TO_ALL


def _record(request: HttpRequest) -> None:
    match = request.resolver_match
    record_refusal(
        actor=actor_of(request.user, request),
        why="role",
        target=Target(kind="page", id=match.view_name if match else request.path),
        details={"method": request.method},
    )
