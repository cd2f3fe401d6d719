"""Who may see a page, and whether what was typed may be kept. What may be done is decided by the services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, NoReturn

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.urls import reverse

from backups.admin.typed_words import doubts_about, question_page
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.selectors.people import act_as, actor_of
from backups.services.ledger import record_refusal

View = Callable[..., HttpResponseBase]

#: Asked again by scripts every second or so: a refusal of these says nothing new.
_QUIET = "X-Background-Refresh"


def for_people_who_may(capability: Capability, *methods: str) -> Callable[[View], View]:
    """Lets in whoever holds the capability; others are sent to log in, or told plainly and recorded.

    The view is called with the request, the actor, and what the address names. What is posted is looked through for
    secrets and for patients' data first: then the view is not called, and a page asks.
    """
    allowed = methods or ("GET",)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **named: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(_way_back(request), reverse("admin:login"))
            actor = actor_of(request.user, request)
            if not actor.may(capability):
                _refuse(request, actor, capability)
            if request.method not in allowed and not (request.method == "HEAD" and "GET" in allowed):
                return HttpResponseNotAllowed(allowed)
            if request.method != "POST":
                return view(request, actor, **named)
            return _unless_asked(request, actor, lambda sender: view(request, sender, **named))

        return guarded

    return decorate


def _unless_asked(request: HttpRequest, actor: Actor, go_on: Callable[[Actor], HttpResponseBase]) -> HttpResponseBase:
    """Goes on with the actor, who carries what he said is no personal data; or shows the page that asks."""
    doubts = doubts_about(request)
    if doubts is None:
        return go_on(actor)
    if not doubts.are_answered:
        return question_page(request, doubts)
    sender = replace(actor, scan_overridden=doubts.kinds)
    act_as(request, sender)
    return go_on(sender)


def _refuse(request: HttpRequest, actor: Actor, capability: Capability) -> NoReturn:
    if _QUIET not in request.headers:
        record_refusal(
            actor=actor, why="role", target=Target(kind="page", id=request.path[:200]), capability=capability
        )
    raise PermissionDenied(capability.value)


def _way_back(request: HttpRequest) -> str:
    """After a log-in a page is shown again; an act is never repeated."""
    return request.get_full_path() if request.method == "GET" else reverse("ops:start")
