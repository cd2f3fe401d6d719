"""How long a login lasts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase

# Scripts that refresh a page by themselves send this header; such requests do not count as somebody being there.
BACKGROUND_HEADER = "X-Background-Refresh"
_STARTED, _SEEN = "login_started_at", "login_seen_at"
# The time of the last visit is stored at most this often, so that not every page view writes to the database.
_SEEN_STEP_SECONDS = 30.0


class SessionLimitsMiddleware:
    """Ends a login after a time without a visit, and after a total time however busy it was."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            _hold_to_limits(request, now=time.time())
        return self.get_response(request)


def _hold_to_limits(request: HttpRequest, *, now: float) -> None:
    session = request.session
    started, seen = session.get(_STARTED, 0.0), session.get(_SEEN, 0.0)
    if now - started > settings.SESSION_TOTAL_SECONDS or now - seen > settings.SESSION_IDLE_SECONDS:
        logout(request)
        return
    if BACKGROUND_HEADER not in request.headers and now - seen > _SEEN_STEP_SECONDS:
        session[_SEEN] = now


@receiver(user_logged_in, dispatch_uid="carecircle_ops.session_limits")
def _start_clocks(request: HttpRequest, **kwargs: Any) -> None:
    session = request.session
    session[_STARTED] = session[_SEEN] = time.time()
