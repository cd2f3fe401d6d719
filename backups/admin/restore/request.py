"""The page of one request, its moving part, and the acts that need no page of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from backups.admin.access import for_people_who_may
from backups.admin.drill.overview import shown_drill
from backups.admin.frame import reader_zone_name, render, render_moving
from backups.admin.progress import Progress, progress_of
from backups.admin.restore.context import is_moving, moving_context, page_context
from backups.admin.words import zone_or_utc
from backups.domain.execution import Purpose
from backups.domain.people import Actor, Capability
from backups.models import RestoreRequest
from backups.selectors.drill import last_drill_of
from backups.selectors.progress import usual_times
from backups.selectors.restore_page import (
    RequestPage,
    Watched,
    find_request,
    request_page,
    watch_request,
    watched,
)
from backups.services.observed_now import FRESH_FOR, WHILE, ask_for_observed_now
from backups.services.restore.attention import drop_resolution, look_again, verify_again
from backups.services.restore.draft import submit_request
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.opened import note_opened
from backups.services.restore.start import stop_running
from backups.services.restore.votes import take_vote_back


@for_people_who_may(Capability.READ_REQUESTS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The page. That somebody who can vote has opened it is shown to the others; meanwhile the worker counts again."""
    found = get_request(pk)
    note_opened(actor=actor, request=found)
    _have_counted_again(found, actor)
    return request_response(request, request_page(found, actor))


def _have_counted_again(found: RestoreRequest, actor: Actor) -> None:
    """Asks the worker only when the row does not show that it was asked a moment ago: the service takes a lock."""
    asked = found.observed_now_asked_at
    if found.state in WHILE and (asked is None or timezone.now() - asked > FRESH_FOR):
        ask_for_observed_now(actor=actor, request_id=found.pk)


@for_people_who_may(Capability.READ_REQUESTS)
def live(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The moving part alone. Its mark tells the script when the whole page is out of date."""
    seen = watch_request(get_request(pk))
    progress = _progress(seen)
    context = moving_context(seen, progress, timezone.now())
    replaces = bool(progress) and is_moving(seen)
    return render_moving(request, "restore/live.html", context, mark=seen.mark, replaces=replaces)


def request_response(
    request: HttpRequest, page: RequestPage, more: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """The request page for one reader, with what a refused form adds."""
    context = page_context(page, zone_or_utc(reader_zone_name(request)), _progress(watched(page)))
    context["can_read_ledger"] = page.actor.may(Capability.READ_LEDGER)
    context["last_drill"] = shown_drill(last_drill_of(page.request.branch))
    return render(request, "restore/page.html", context | (more or {}), status=status)


def get_request(pk: int) -> RestoreRequest:
    """The request, or a 404."""
    found = find_request(pk)
    if found is None:
        raise Http404
    return found


def _progress(seen: Watched) -> Progress | None:
    if seen.run is None:
        return None
    return progress_of(seen.run, usual_times(Purpose(seen.run.purpose)) if is_moving(seen) else None)


def _act(capability: Capability, service: Callable[..., object], done: str) -> Callable[..., Any]:
    """A button: calls the service, says what came of it, and shows the page again."""

    @for_people_who_may(capability, "POST")
    def view(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
        get_request(pk)
        try:
            service(actor=actor, request_id=pk)
        except (Refused, InvalidInput) as refused:
            messages.error(request, sentence_of(refused))
        else:
            messages.success(request, done)
        return redirect("ops:request", pk=pk)

    return view


def sentence_of(refused: Refused | InvalidInput) -> str:
    """What to print of a refusal."""
    return refused.sentence if isinstance(refused, Refused) else " ".join(refused.errors.values())


submit = _act(
    Capability.FILE_RESTORE, submit_request, "Submitted. The facts are being gathered; then people are asked to decide."
)
take_back = _act(Capability.READ_REQUESTS, take_vote_back, "Your vote is taken back.")
stop = _act(Capability.READ_REQUESTS, stop_running, "The worker is told to stop. This page shows what came of it.")
look = _act(Capability.RESOLVE_RESTORE, look_again, "The worker asks Neon once more. Nothing is sent again.")
verify = _act(Capability.RESOLVE_RESTORE, verify_again, "The checks run once more.")
drop = _act(Capability.RESOLVE_RESTORE, drop_resolution, "The proposal is off the table.")
