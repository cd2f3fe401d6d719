"""Tokens for programs: made by an administrator, shown once, stored as a hash, and good for the few things that
their scopes name. A token is a service: it votes on nothing, reads no page and opens no session."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from backups.domain.correlation import current_request_id
from backups.domain.ledger import Target
from backups.domain.people import Actor, ActorKind, Capability, anonymous_actor
from backups.domain.safety_copy import TokenScope
from backups.models import ApiToken, Project
from backups.selectors.clock import database_now
from backups.services.ledger import record_event, record_refusal
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now
from backups.services.token_refusals import may_record

LONGEST_DAYS = 365
_FORM = re.compile(r"Bearer (ccops_([a-z0-9]{8})_[A-Za-z0-9_-]{43})")
_PREFIX_CHARACTERS = "abcdefghijkmnpqrstuvwxyz23456789"

# One statement, so that two calls at once can't both be the last one that is allowed.
_COUNT = """
UPDATE backups_apitoken
   SET window_calls = CASE WHEN window_from > clock_timestamp() - interval '1 minute' THEN window_calls + 1 ELSE 1 END,
       window_from = CASE WHEN window_from > clock_timestamp() - interval '1 minute' THEN window_from
                          ELSE clock_timestamp() END,
       last_used_at = clock_timestamp()
 WHERE id = %s
RETURNING window_calls, 60 - extract(epoch FROM clock_timestamp() - window_from)
"""


@dataclass(frozen=True, slots=True)
class TokenCaller:
    """A program that showed a good token. `project_id`: the only project it may touch; None: every one."""

    token_id: int
    project_id: int | None
    actor: Actor


class TokenRefused(Exception):
    """The call was refused and nothing was done. `status` is the HTTP status, `sentence` says no more than needed."""

    def __init__(self, code: str, sentence: str, *, status: int, retry_after_seconds: int | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def make_token(
    *, actor: Actor, label: str, scopes: Collection[TokenScope], days: int, project_id: int | None = None
) -> tuple[ApiToken, str]:
    """The new token and its secret, which is nowhere else and can't be shown again. Raises Refused, InvalidInput."""
    with refusals_recorded(actor=actor, target=Target(kind="token", id="new")):
        person = _administrator(actor)
        label = " ".join(label.split())
        _check(label, scopes, days, project_id)
        prefix = "".join(secrets.choice(_PREFIX_CHARACTERS) for _ in range(8))
        secret = f"ccops_{prefix}_{secrets.token_urlsafe(32)}"
        now = database_now()
        token = ApiToken.objects.create(
            label=label,
            prefix=prefix,
            secret_sha256=_hash(secret),
            scopes=sorted(scope.value for scope in scopes),
            project_id=project_id,
            made_by_id=account_of(person),
            made_by_name=person.name,
            made_at=now,
            expires_at=now + dt.timedelta(days=days),
        )
        record_event(
            type="token.made",
            actor=person,
            target=_target(prefix),
            details={
                "token": prefix,
                "scopes": token.scopes,
                "expires_at": token.expires_at,
                "project": token.project.neon_project_id if token.project else None,
            },
        )
        return token, secret


def revoke_token(*, actor: Actor, token_id: int) -> ApiToken:
    """Switches a token off for good, at once. Raises Refused."""
    found = ApiToken.objects.get(pk=token_id)
    with refusals_recorded(actor=actor, target=_target(found.prefix)):
        person = _administrator(actor)
        token = ApiToken.objects.select_for_update().get(pk=token_id)
        if token.revoked_at is not None:
            raise Refused(action=None, code="token_revoked", sentence="This token is switched off already.")
        token.revoked_at, token.revoked_by_name = database_now(), person.name
        token.save(update_fields=["revoked_at", "revoked_by_name"])
        record_event(type="token.revoked", actor=person, target=_target(token.prefix), details={"token": token.prefix})
        return token


def token_allows(header: str, scope: TokenScope, *, ip: str = "") -> bool:
    """Whether the value of an Authorization header holds a token that may do this now. A refusal is recorded."""
    try:
        authenticate(header, scope, ip=ip)
    except TokenRefused:
        return False
    return True


def authenticate(header: str, scope: TokenScope, *, ip: str = "") -> TokenCaller:
    """Who calls. Counts the call, and records a refusal. Raises TokenRefused."""
    token = _token_of(header)
    if token is None:
        _record(anonymous_actor(ip=ip, request_id=current_request_id()), "token_unknown", "unknown")
        raise TokenRefused("token_unknown", "A valid token is needed.", status=401)
    actor = _actor(token, ip)
    refused = _refusal(token, scope)
    if refused is not None:
        _record(actor, refused.code, token.prefix)
        raise refused
    _count(token, actor)
    return TokenCaller(token_id=token.pk, project_id=token.project_id, actor=actor)


def _token_of(header: str) -> ApiToken | None:
    match = _FORM.fullmatch(header)
    if match is None:
        return None
    token = ApiToken.objects.filter(prefix=match[2]).first()
    if token is None or not hmac.compare_digest(token.secret_sha256, _hash(match[1])):
        return None
    return token


def _hash(secret: str) -> str:
    """A plain hash is enough: the secret is 256 random bits, which nobody can try through."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()


def _actor(token: ApiToken, ip: str) -> Actor:
    return Actor(kind=ActorKind.SERVICE, name=f"token-{token.prefix}", ip=ip, request_id=current_request_id())


def _refusal(token: ApiToken, scope: TokenScope) -> TokenRefused | None:
    if token.revoked_at is not None:
        return TokenRefused("token_revoked", "This token is switched off.", status=401)
    if token.expires_at <= database_now():
        return TokenRefused("token_expired", "This token has expired.", status=401)
    if scope.value not in token.scopes:
        return TokenRefused("token_scope", "This token is not for this.", status=403)
    return None


def _count(token: ApiToken, actor: Actor) -> None:
    """Raises TokenRefused beyond the limit; only the first such refusal of a minute is recorded."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_COUNT, [token.pk])
        calls, left_seconds = cursor.fetchone()
    if calls <= settings.TOKEN_CALLS_PER_MINUTE:
        return
    if calls == settings.TOKEN_CALLS_PER_MINUTE + 1:
        _record(actor, "token_too_fast", token.prefix)
    wait_seconds = max(1, int(left_seconds) + 1)
    sentence = f"At most {settings.TOKEN_CALLS_PER_MINUTE} calls a minute. Try again in {wait_seconds} s."
    raise TokenRefused("token_too_fast", sentence, status=429, retry_after_seconds=wait_seconds)


def _record(actor: Actor, code: str, prefix: str) -> None:
    if may_record():
        details = {"token": prefix} if prefix != "unknown" else {}
        record_refusal(actor=actor, why=code, target=_target(prefix), details=details)


def _administrator(actor: Actor) -> Actor:
    person = with_roles_of_now(actor)
    if not (person.is_human and person.may(Capability.MANAGE_TOKENS)):
        sentence = "Only an administrator can make or switch off tokens."
        raise Refused(action=None, code="tokens_not_allowed", sentence=sentence)
    return person


def _target(prefix: str) -> Target:
    return Target(kind="token", id=prefix)


def _check(label: str, scopes: Collection[TokenScope], days: int, project_id: int | None) -> None:
    errors = {}
    if not label or len(label) > 80:
        errors["label"] = "Say in at most 80 characters which program gets it, such as “deploy pipeline”."
    if not scopes:
        errors["scopes"] = "Choose at least one thing that it may do."
    if not 1 <= days <= LONGEST_DAYS:
        errors["days"] = f"Let it expire within 1 to {LONGEST_DAYS} days; a new one is made in a minute."
    if project_id is not None and not Project.objects.filter(pk=project_id).exists():
        errors["project"] = "There is no such project."
    if errors:
        raise InvalidInput(errors)
