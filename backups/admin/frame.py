"""What every page has around it: who reads, in which zone and colours, and where the reader can go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_template
from django.urls import reverse
from django.utils import timezone

from backups.admin.words import COMMON_ZONES, zone_or_utc
from backups.domain.people import Actor, Capability
from backups.selectors.people import actor_of, time_zone_of

THEME_COOKIE, ZONE_COOKIE = "theme", "zone"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    label: str
    url: str
    is_here: bool


_PLACES: tuple[tuple[str, str, Capability, str], ...] = (
    ("Start", "ops:start", Capability.READ_REQUESTS, "start"),
    ("Requests", "ops:queue", Capability.READ_REQUESTS, "requests"),
    ("Monitor", "ops:monitor", Capability.READ_MONITOR, "monitor"),
    ("Drills", "ops:drills", Capability.READ_DRILLS, "drills"),
    ("Readiness", "ops:readiness", Capability.READ_PROJECTS, "readiness"),
    ("Projects", "ops:projects", Capability.READ_PROJECTS, "projects"),
    ("Alerts", "ops:notifications", Capability.READ_SYSTEM, "notifications"),
    ("Audit", "ops:audit", Capability.READ_LEDGER, "audit"),
    ("People", "admin:auth_user_changelist", Capability.READ_PEOPLE, "user"),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """The context of the frame; also given to Django's own admin pages."""
    zone = reader_zone_name(request)
    user = getattr(request, "user", None)
    actor = actor_of(user, request) if user is not None and user.is_authenticated else None
    return {
        "now": timezone.now(),
        "actor": actor,
        "theme": _cookie(request, THEME_COOKIE, THEMES, "auto"),
        "themes": THEMES,
        "reader_zone": zone_or_utc(zone),
        "zone_name": zone,
        "zone_is_chosen": ZONE_COOKIE in request.COOKIES,
        "zone_names": zone_names(zone),
        "places": places(request, actor) if actor else (),
    }


def render(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """A page in the portal's frame."""
    return render_template(request, template, frame(request) | (context or {}), status=status)


def render_moving(
    request: HttpRequest, template: str, context: dict[str, Any], *, mark: str, replaces: bool
) -> HttpResponse:
    """The moving part of a page alone, for the script of the page that shows it.

    `mark`: another one than before says that the whole page is out of date. `replaces`: this part takes the old one's
    place.
    """
    response = render(request, template, context)
    response.headers["X-Live-Mark"] = mark
    response.headers["X-Live-Replace"] = "yes" if replaces else "no"
    return response


def places(request: HttpRequest, actor: Actor) -> list[Place]:
    """Where this person may go."""
    # The list of events has an address of Django's own.
    here = request.path.replace("/backups/ledgerevent/", "/audit/").split("/")
    return [
        Place(label, reverse(name), is_here=(word in here or (word == "start" and request.path == "/")))
        for label, name, capability, word in _PLACES
        if actor.may(capability) and _is_there(name)
    ]


def reader_zone_name(request: HttpRequest) -> str:
    """The zone chosen in this browser, else the one in the reader's profile."""
    chosen = request.COOKIES.get(ZONE_COOKIE, "")
    if chosen and str(zone_or_utc(chosen)) == chosen:
        return chosen
    user = getattr(request, "user", None)
    return time_zone_of(user) if user is not None and user.is_authenticated else "UTC"


def zone_names(*first: str) -> list[str]:
    """UTC, the zones that matter here, then the common ones; each once."""
    return list(dict.fromkeys(["UTC", *[name for name in first if name], *COMMON_ZONES]))


def _cookie(request: HttpRequest, name: str, allowed: tuple[str, ...], default: str) -> str:
    value = request.COOKIES.get(name, default)
    return value if value in allowed else default


def _is_there(name: str) -> bool:
    model = name.removeprefix("admin:").removesuffix("_changelist")
    if not name.startswith("admin:"):
        return True
    return any(m._meta.label_lower.replace(".", "_") == model for m in admin.site._registry)
