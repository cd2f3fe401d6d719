"""How people are told: each channel's state, where alerts go, and a test."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.domain.monitor import Severity
from backups.domain.notification import Channel, Control, Route
from backups.domain.notification.routing import all_routes
from backups.domain.people import Actor, Capability
from backups.selectors.alerts_page import alerts_page
from backups.services.notification.routes import digest_of, routes_named, set_routes
from backups.services.notification.try_out import Trial, TrialResult, send_test_messages
from backups.services.restore.errors import InvalidInput, Refused

CHANNEL = {
    Channel.MAIL: "Mail",
    Channel.SLACK: "Slack",
    Channel.WEBHOOK: "Webhook",
    Channel.PAGERDUTY: "PagerDuty",
}
SEVERITY = {
    Severity.CRITICAL: "Critical: now, at night too",
    Severity.WARNING: "Warning: today",
    Severity.NOTICE: "Notice: when there is time",
}
CONTROL = {
    Control.MONITOR: "The monitor ended a cycle",
    Control.WORKER: "The worker ran a task",
    Control.DRILLS: "The scheduler of drills ran",
    Control.LEDGER: "The ledger was checked",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One tick of the routing table."""

    code: str
    label: str
    is_on: bool


class TestForm(forms.Form):
    """Who gets the test mail; the other channels have one address each."""

    mail_to = forms.EmailField(label="Send the test mail to", required=False, max_length=254)


@for_people_who_may(Capability.READ_SYSTEM)
def notifications(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The page."""
    return _page(request, actor)


@for_people_who_may(Capability.MANAGE_NOTIFICATIONS, "POST")
def routes(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Stores the routing table."""
    ticked = routes_named(set(request.POST.getlist("route")))
    try:
        changed = set_routes(actor=actor, routes=ticked, seen=request.POST.get("seen", ""))
    except InvalidInput as invalid:
        return _page(request, actor, ticked=ticked, error=str(invalid), status=422)
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "Alerts go there from now on." if changed else "Nothing was changed.")
    return redirect("ops:notifications")


@for_people_who_may(Capability.MANAGE_NOTIFICATIONS, "POST")
def try_out(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Sends a test message on each channel and says how each went."""
    form = TestForm(request.POST)
    if not form.is_valid():
        return _page(request, actor, form=form, status=422)
    try:
        trials = send_test_messages(actor=actor, mail_to=form.cleaned_data["mail_to"])
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        for trial in trials:
            _say(request, trial)
    return redirect("ops:notifications")


def _say(request: HttpRequest, trial: Trial) -> None:
    name = CHANNEL[trial.channel]
    match trial.result:
        case TrialResult.OK:
            messages.success(request, f"{name}: {trial.sentence}")
        case TrialResult.FAILED:
            messages.error(request, f"{name} did not take the test message. {trial.sentence}")
        case TrialResult.NOT_TRIED:
            messages.warning(request, f"{name}: nothing was sent, because no address was given.")
        case TrialResult.NOT_CONFIGURED:
            messages.info(request, f"{name}: nothing was sent. {trial.sentence}")


def _page(
    request: HttpRequest,
    actor: Actor,
    *,
    ticked: frozenset[Route] | None = None,
    error: str = "",
    form: TestForm | None = None,
    status: int = 200,
) -> HttpResponse:
    page = alerts_page()
    shown = page.routes if ticked is None else ticked
    context = {
        "page": page,
        "channels": [(CHANNEL[health.channel], health) for health in page.channels],
        "watches": [(CONTROL[watch.control], watch) for watch in page.watches],
        "troubled": [(CHANNEL[Channel(message.channel)], message) for message in page.troubled],
        "columns": [_column(route) for route in all_routes() if route.severity is Severity.CRITICAL],
        "rows": [(SEVERITY[severity], _cells(severity, shown)) for severity in Severity],
        "seen": digest_of(page.routes),
        "error": error,
        "form": form or TestForm(initial={"mail_to": getattr(request.user, "email", "")}),
        "can_manage": actor.may(Capability.MANAGE_NOTIFICATIONS),
    }
    return render(request, "notification/page.html", context, status=status)


def _column(route: Route) -> str:
    return f"Mail to each {route.role.value}" if route.role else CHANNEL[route.channel]


def _cells(severity: Severity, shown: frozenset[Route]) -> list[Cell]:
    return [
        Cell(route.code, f"{severity.value}: {_column(route)}", route in shown)
        for route in all_routes()
        if route.severity is severity
    ]
