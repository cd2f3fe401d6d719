"""Colours and time zone of one browser, kept in cookies so that they work without script and before log-in."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from backups.admin.frame import THEME_COOKIE, THEMES, ZONE_COOKIE
from backups.admin.words import zone_or_utc

_KEPT_SECONDS = 400 * 24 * 3600


@require_POST
def set_display(request: HttpRequest) -> HttpResponse:
    """Remembers what was chosen and goes back to the page it was chosen on."""
    response = HttpResponseRedirect(_back(request))
    theme, zone = request.POST.get("theme", ""), request.POST.get("zone", "")
    if theme in THEMES:
        _remember(response, THEME_COOKIE, theme)
    if zone and str(zone_or_utc(zone)) == zone:
        _remember(response, ZONE_COOKIE, zone)
    return response


def _remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=_KEPT_SECONDS, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("back", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("ops:start")
