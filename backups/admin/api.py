"""The addresses for programs: JSON, a token in the Authorization header, no session and no cookie."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from backups.domain.safety_copy import DEFAULT_KEEP_DAYS, CopyKind, CopyState, TokenScope
from backups.domain.sensitive import kinds_in
from backups.models import ProtectedBranch, SafetyCopy
from backups.selectors.people import client_address
from backups.selectors.project import governed_branches
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.safety_copy.ask import CopyWish, ask_for_copy_by_token
from backups.services.tokens import TokenCaller, TokenRefused, authenticate

_MOST_BODY_BYTES = 10_000
View = Callable[..., JsonResponse]


def for_tokens(scope: TokenScope, method: str) -> Callable[[View], View]:
    """Lets in whoever shows a token of this scope; everybody else, logged in or not, is refused in JSON."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **named: Any) -> JsonResponse:
            if request.method != method:
                return _problem(
                    405, "method_not_allowed", f"Only {method} is answered here.", headers={"Allow": method}
                )
            try:
                caller = authenticate(request.headers.get("Authorization", ""), scope, ip=client_address(request))
            except TokenRefused as refused:
                return _refused(refused)
            return view(request, caller, **named)

        return csrf_exempt(guarded)

    return decorate


@for_tokens(TokenScope.SAFETY_COPY, "POST")
def safety_copies(request: HttpRequest, caller: TokenCaller) -> JsonResponse:
    """Asks for a safety copy. The same Idempotency-Key again answers with the same copy."""
    try:
        wish = _wish(_body(request), caller)
        copy, is_new = ask_for_copy_by_token(
            actor=caller.actor,
            token_id=caller.token_id,
            wish=wish,
            idempotency_key=request.headers.get("Idempotency-Key", ""),
        )
    except InvalidInput as invalid:
        return _problem(422, "invalid", "Nothing was made.", fields=invalid.errors)
    except Refused as refused:
        return _problem(403, refused.code, refused.sentence)
    return JsonResponse(_shown(copy), status=202 if is_new else 200, headers={"Location": _url(copy)})


@for_tokens(TokenScope.SAFETY_COPY, "GET")
def safety_copy(request: HttpRequest, caller: TokenCaller, reference: str) -> JsonResponse:
    """One of the copies that this token asked for."""
    number = reference.upper().removeprefix("S-")
    found = SafetyCopy.objects.select_related("branch__project").filter(token=caller.token_id)
    copy = found.filter(pk=int(number)).first() if number.isascii() and number.isdigit() and len(number) < 12 else None
    if copy is None:
        return _problem(404, "not_found", "This token asked for no such copy.")
    return JsonResponse(_shown(copy))


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        raw = request.read(_MOST_BODY_BYTES + 1)
        body = json.loads(raw) if len(raw) <= _MOST_BODY_BYTES else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidInput({"body": f"Send one JSON object of at most {_MOST_BODY_BYTES} bytes."})
    _refuse_sensitive(body)
    return body


def _refuse_sensitive(body: dict[str, Any]) -> None:
    """A program cannot say that something is no patient's data; whoever wrote it changes the words."""
    texts = {name: value for name, value in body.items() if isinstance(value, str)}
    errors = {
        name: f"This seems to hold {', '.join(kind.words for kind in sorted(kinds))}. Take it out and send it again."
        for name, text in texts.items()
        if (kinds := kinds_in(text))
    }
    if errors:
        raise InvalidInput(errors)


_FIELDS = {"before", "branch", "project", "kind", "keep_days"}


def _wish(body: dict[str, Any], caller: TokenCaller) -> CopyWish:
    errors = dict.fromkeys(sorted(map(str, body.keys() - _FIELDS)), "There is no such field.")
    for name in ("before", "branch", "project", "kind"):
        if not isinstance(body.get(name, ""), str):
            errors[name] = "This must be a text."
    keep_days = body.get("keep_days", DEFAULT_KEEP_DAYS)
    if isinstance(keep_days, bool) or not isinstance(keep_days, int):
        errors["keep_days"] = "This must be a whole number of days."
    kind = body.get("kind", "")
    if isinstance(kind, str) and kind not in {"", *CopyKind}:
        errors["kind"] = "This is snapshot or branch, or left out."
    if errors:
        raise InvalidInput(errors)
    branch = _branch(body.get("branch", ""), body.get("project", ""), caller)
    return CopyWish(
        branch_id=branch.pk, reason=body.get("before", ""), kind=CopyKind(kind) if kind else None, keep_days=keep_days
    )


def _branch(name: str, project: str, caller: TokenCaller) -> ProtectedBranch:
    """The one branch that is meant: by its name, or the default branch of the only project that is left."""
    found = list(governed_branches())
    if caller.project_id is not None:
        found = [branch for branch in found if branch.project_id == caller.project_id]
    if project:
        found = [branch for branch in found if branch.project.neon_project_id == project]
    found = [branch for branch in found if (branch.name == name if name else branch.is_default)]
    if len(found) != 1:
        raise InvalidInput({"branch": f"{len(found)} branches in care fit. Name one, and its project if needed."})
    return found[0]


def _shown(copy: SafetyCopy) -> dict[str, Any]:
    return {
        "id": copy.reference,
        "state": copy.state,
        "is_made": copy.state == CopyState.MADE,
        "is_final": copy.state != CopyState.ASKED,
        "kind": copy.kind or copy.wanted_kind or None,
        "name": copy.name,
        "branch": copy.branch.name,
        "project": copy.branch.project.neon_project_id,
        "asked_at": copy.created_at.isoformat(),
        "made_at": copy.made_at.isoformat() if copy.made_at else None,
        "expires_at": copy.expires_at.isoformat(),
        "problem": copy.problem,
    }


def _url(copy: SafetyCopy) -> str:
    return reverse("ops:api-safety-copy", args=[copy.reference])


def _refused(refused: TokenRefused) -> JsonResponse:
    headers = {"WWW-Authenticate": 'Bearer realm="CareCircle Ops"'} if refused.status == 401 else {}
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = str(refused.retry_after_seconds)
    return _problem(refused.status, refused.code, refused.sentence, headers=headers)


def _problem(
    status: int,
    code: str,
    sentence: str,
    *,
    fields: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> JsonResponse:
    error: dict[str, Any] = {"code": code, "message": sentence} | ({"fields": fields} if fields else {})
    return JsonResponse({"error": error}, status=status, headers=headers or {})
