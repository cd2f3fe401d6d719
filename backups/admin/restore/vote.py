"""Voting, asking and withdrawing: each on a page of its own, so that it works on a phone and without script."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.restore import blocks
from backups.admin.restore.request import get_request, sentence_of
from backups.admin.words import utc_stamp
from backups.domain.actions import Action
from backups.domain.consequence import SHRINKS
from backups.domain.people import Actor, Capability
from backups.domain.policy import reason_required
from backups.domain.restore import RestoreKind, StartMode
from backups.models import RestoreRequest, Vote
from backups.selectors.restore_page import RequestPage, request_page
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.votes import cast_vote, comment_on_request, withdraw_request

#: What a tap says; together with the typed words it is the reason that is kept.
CHIPS = {
    "loss": "Checked what is lost",
    "time": "Checked the time",
    "spoke": "Spoke to the requester",
}
_DONE = {
    Vote.Choice.APPROVE: "Your approval is recorded.",
    Vote.Choice.REJECT: "Your rejection is recorded. Nothing will be changed.",
    Vote.Choice.PASS: "It is recorded that you leave this to the others.",
}


@for_people_who_may(Capability.VOTE_ON_RESTORE, "GET", "POST")
def vote(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The vote sheet. What is posted names the facts that were shown."""
    if request.method == "POST":
        return _cast(request, actor, pk)
    page = request_page(get_request(pk), actor)
    refusal = page.actions[_action(_choice(request.GET.get("choice")))].refusal
    if refusal:
        messages.error(request, refusal)
        return redirect("ops:request", pk=pk)
    return _sheet(request, page)


def _cast(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    found = get_request(pk)
    choice = _choice(request.POST.get("choice"))
    try:
        cast_vote(
            actor=actor,
            request_id=pk,
            digest=request.POST.get("digest", ""),
            choice=choice,
            reason=request.POST.get("reason", ""),
            chips=[CHIPS[name] for name in request.POST.getlist("chips") if name in CHIPS],
        )
    except InvalidInput as invalid:
        return _sheet(request, request_page(found, actor), errors=invalid.errors, status=422)
    except Refused as refused:
        messages.error(request, sentence_of(refused))
        return redirect("ops:request", pk=pk)
    messages.success(request, f"{_DONE[choice]} You can close this page; you will be told what happens.")
    return redirect("ops:request", pk=pk)


def _sheet(
    request: HttpRequest, page: RequestPage, *, errors: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    typed = request.POST
    context: dict[str, Any] = {
        "page": page,
        "r": page.request,
        "band": blocks.band_of(page.request.branch),
        "choice": _choice(typed.get("choice") or request.GET.get("choice")).value,
        "deed": blocks.question(page).rstrip("?"),
        "point_utc": utc_stamp(page.request.point_at) if page.request.point_at else "",
        "shrinks": SHRINKS if page.request.kind == RestoreKind.SNAPSHOT else "",
        "loss": blocks.loss(page.observed),
        "chips": [(name, words, name in typed.getlist("chips")) for name, words in CHIPS.items()],
        "reason": typed.get("reason", ""),
        "errors": errors or {},
        "reason_required": reason_required(page.request.branch.environment),
        "after": _after(page),
        "can_pass": page.may(Action.PASS),
    }
    return render(request, "restore/vote.html", context, status=status)


def _after(page: RequestPage) -> str:
    """What an approval sets off, always said before it is given."""
    missing = page.votes_needed - len(page.approvals) - 1
    if missing > 0:
        return f"After your vote nothing starts yet: {missing} more approval{'s are' if missing > 1 else ' is'} needed."
    if page.request.start_mode == StartMode.AT_ONCE:
        return "Yours is the last approval: the worker starts at once."
    window = page.policy.start_window_seconds // 60
    return (
        f"Yours is the last approval. Nothing starts yet: {page.request.requester_name} or another engineer "
        f"presses Start within {window} min. You can take your vote back until then."
    )


def _choice(value: str | None) -> Vote.Choice:
    return Vote.Choice(value) if value in Vote.Choice.values else Vote.Choice.APPROVE


def _action(choice: Vote.Choice) -> Action:
    return Action(choice.value)


@for_people_who_may(Capability.COMMENT, "GET", "POST")
def comment(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """A word to the requester and the voters; a question tells them at once."""
    found = get_request(pk)
    if request.method != "POST":
        return _comment_page(request, actor, found)
    question = request.POST.get("question") == "yes"
    try:
        comment_on_request(actor=actor, request_id=pk, text=request.POST.get("text", ""), question=question)
    except (InvalidInput, Refused) as refused:
        return _comment_page(request, actor, found, error=sentence_of(refused))
    messages.success(request, "Your question was sent." if question else "Your words were added.")
    return redirect("ops:request", pk=pk)


def _comment_page(request: HttpRequest, actor: Actor, found: RestoreRequest, error: str = "") -> HttpResponse:
    page = request_page(found, actor)
    context = {
        "page": page,
        "r": found,
        "band": blocks.band_of(found.branch),
        "can_ask": page.may(Action.ASK),
        "comment_text": request.POST.get("text", ""),
        "comment_error": error,
    }
    return render(request, "restore/comment.html", context, status=422 if error else 200)


@for_people_who_may(Capability.READ_REQUESTS, "GET", "POST")
def withdraw(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The requester takes the request back."""
    found = get_request(pk)
    page = request_page(found, actor)
    if request.method != "POST":
        if not page.may(Action.WITHDRAW):
            messages.error(request, page.actions[Action.WITHDRAW].refusal or "")
            return redirect("ops:request", pk=pk)
        context = {"page": page, "r": found, "band": blocks.band_of(found.branch)}
        return render(request, "restore/withdraw.html", context)
    try:
        withdraw_request(actor=actor, request_id=pk, reason=request.POST.get("reason", ""))
    except (InvalidInput, Refused) as refused:
        messages.error(request, sentence_of(refused))
    else:
        messages.success(request, "Withdrawn. Nothing was changed.")
    return redirect("ops:request", pk=pk)
