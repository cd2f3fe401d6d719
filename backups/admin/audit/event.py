"""One event: what it says, its exact bytes, its proof, and what stands beside it."""

from __future__ import annotations

import json
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.audit.event_words import EventRow, event_row, event_url, list_url, target_kind_words
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.models import LedgerEvent
from backups.selectors.erasing import open_erasure_of
from backups.selectors.event_neighbours import Neighbours, neighbours_of
from backups.services.ledger import event_sha256, words_match
from backups.services.reading import record_reading
from backups.services.sealing.event_seal import seal_of

_TITLES = ("data", "appr", "corr", "reason")


def event_page(request: HttpRequest, actor: Actor, event_id: str) -> HttpResponse:
    """The page of one event. That it was read is recorded first."""
    event = _read(actor, event_id, page="event")
    seal = seal_of(event)
    context = {
        "tabs": audit_tabs(actor, "events"),
        "row": event_row(event),
        "event": event,
        "seal": seal,
        "source": _source(event),
        "words": _words(event),
        "erasure": open_erasure_of(event) if event.text_commitment else None,
        "may_erase": actor.may(Capability.ASK_ERASURE) and _has_words(event),
        "details": json.dumps(
            {name: event.members[name] for name in _TITLES if name in event.members}, indent=2, ensure_ascii=False
        ),
        "sha256": event_sha256(event),
        "neighbours": _named(neighbours_of(event, index=seal.index)),
        "related": _related(event),
    }
    return render(request, "audit/event.html", context)


@for_people_who_may(Capability.READ_LEDGER)
def proof_file(request: HttpRequest, actor: Actor, event_id: UUID) -> HttpResponse:
    """The proof as a file in the form `c2sp.org/tlog-proof@v1`; back to the event while there is none."""
    event = _read(actor, str(event_id), page="event_proof")
    seal = seal_of(event)
    if seal.proof is None:
        messages.error(request, "There is no proof of this event to download. The page says why.")
        return redirect(event_url(event))
    return _file(seal.proof.text, f"{event.pk}.tlog-proof", "text/plain; charset=utf-8")


@for_people_who_may(Capability.READ_LEDGER)
def bytes_file(request: HttpRequest, actor: Actor, event_id: UUID) -> HttpResponse:
    """The exact bytes that are hashed."""
    event = _read(actor, str(event_id), page="event_bytes")
    return _file(event.body, f"{event.pk}.json", "application/json")


def _read(actor: Actor, event_id: str, *, page: str) -> LedgerEvent:
    try:
        event = LedgerEvent.objects.select_related("free_text").filter(pk=UUID(event_id)).first()
    except ValueError:
        event = None
    if event is None:
        raise Http404
    record_reading(actor=actor, page=page, target=Target(kind="event", id=str(event.pk)))
    return event


def _file(text: str, name: str, content_type: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(text.encode("utf-8"), content_type=content_type, headers=headers)


def _named(found: Neighbours) -> list[tuple[str, EventRow | None]]:
    beside = (
        ("Before it in the sealed order", found.before_in_seal),
        ("After it in the sealed order", found.after_in_seal),
        ("Before it in time", found.before_in_time),
        ("After it in time", found.after_in_time),
    )
    return [(words, event_row(event) if event else None) for words, event in beside]


def _related(event: LedgerEvent) -> list[tuple[str, str, str]]:
    """What is the same, its value, and the list narrowed to it."""
    kind = target_kind_words(event.target_kind)
    about = list_url(target_kind=event.target_kind, target_id=event.target_id)
    found = [("Same person", f"{event.actor_name} ({event.actor_ref})", list_url(actor_ref=event.actor_ref))]
    found.append(("About the same", f"{kind} {event.target_id}", about))
    if event.correlation:
        found.append(("Same run", event.correlation, list_url(correlation=event.correlation)))
    if event.web_request:
        found.append(("Same web request", event.web_request, list_url(web_request=event.web_request)))
    found.append(("Same type", event.type, list_url(type=event.type)))
    return found


def _source(event: LedgerEvent) -> str:
    parts = (event.members.get("src", {}).get("ip"), event.members["actor"].get("sess"))
    return ", ".join(part for part in parts if part) or "inside the portal"


def _has_words(event: LedgerEvent) -> bool:
    words = getattr(event, "free_text", None)
    return words is not None and not words.erased_at


def _words(event: LedgerEvent) -> str:
    if not event.text_commitment:
        return "None."
    words = getattr(event, "free_text", None)
    if words is None:
        return "Missing: the event names a text that is not there."
    if words.erased_at:
        return f"Erased on {words.erased_at:%Y-%m-%d %H:%M} UTC."
    verdict = "matches its hash" if words_match(event, words) else "DOES NOT MATCH ITS HASH"
    return f"{words.text}\n\n({verdict})"
