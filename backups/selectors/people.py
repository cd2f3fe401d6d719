"""Which roles people hold, since when, and who acts in a web request."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from backups.domain.correlation import current_request_id
from backups.domain.people import Actor, ActorKind, Capability, Role, anonymous_actor, roles_with
from backups.models.people import RoleMembership, UserProfile

_CACHED = "_carecircle_actor"


def roles_of(user: User | AnonymousUser) -> tuple[Role, ...]:
    """The roles held now. Being a superuser adds none; an account that is switched off has none."""
    if not user.is_active or user.pk is None:
        return ()
    held = RoleMembership.objects.filter(user=user.pk, until__isnull=True).order_by("role")
    return tuple(Role(role) for role in held.values_list("role", flat=True))


def held_role_since(user: User, role: Role) -> datetime | None:
    """Since when the user holds the role without a break; None if not now."""
    return (
        RoleMembership.objects.filter(user=user.pk, role=role.value, until__isnull=True)
        .values_list("since", flat=True)
        .first()
    )


def people_with(capability: Capability, *, held_since_before: datetime | None = None) -> QuerySet[User]:
    """Active people (no service accounts) with a role that gives the capability, held since before that time."""
    roles = [role.value for role in roles_with(capability)]
    held = RoleMembership.objects.filter(user=OuterRef("pk"), role__in=roles, until__isnull=True)
    if held_since_before is not None:
        held = held.filter(since__lt=held_since_before)
    return (
        User.objects.filter(Exists(held), is_active=True).exclude(profile__is_service_account=True).order_by("username")
    )


def is_service_account(user: User) -> bool:
    return UserProfile.objects.filter(user=user.pk, is_service_account=True).exists()


def time_zone_of(user: User) -> str:
    """The name of the zone that the user reads times in."""
    name = UserProfile.objects.filter(user=user.pk).values_list("time_zone", flat=True).first()
    return name or "UTC"


def actor_of(user: User | AnonymousUser, request: HttpRequest | None = None) -> Actor:
    """Who acts, with the roles of this moment. Costs two queries, once per web request.

    Services that decide read the roles again under their lock; this is what pages and events start from.
    """
    if request is None:
        return _actor(user, None)
    cached: Actor | None = getattr(request, _CACHED, None)
    if cached is None or cached.user_id != user.pk:
        cached = _actor(user, request)
        setattr(request, _CACHED, cached)
    return cached


def act_as(request: HttpRequest, actor: Actor) -> None:
    """From here on `actor_of` says this of the request: for what is only known when its fields were read."""
    setattr(request, _CACHED, actor)


def client_address(request: HttpRequest) -> str:
    """The caller's address. Proxies of ours that append to X-Forwarded-For are counted from the right.

    What stands left of them in that header was written by the caller and is ignored.
    """
    proxies = settings.TRUSTED_PROXY_COUNT
    address = request.META.get("REMOTE_ADDR", "")
    if proxies:
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        address = hops[-proxies] if len(hops) >= proxies else address
    return _plain_address(address)


def _actor(user: User | AnonymousUser, request: HttpRequest | None) -> Actor:
    ip = client_address(request) if request else ""
    if user.pk is None:
        return anonymous_actor(ip=ip, request_id=current_request_id())
    return Actor(
        kind=ActorKind.SERVICE if is_service_account(user) else ActorKind.HUMAN,
        name=user.get_username(),
        user_id=user.pk,
        roles=roles_of(user),
        session_ref=_session_ref(request),
        ip=ip,
        request_id=current_request_id(),
    )


def _session_ref(request: HttpRequest | None) -> str:
    """Ties the events of one session together without storing anything that could be used as the session."""
    session = getattr(request, "session", None)
    if session is None or not session.session_key:
        return ""
    digest = salted_hmac("backups.session", session.session_key, algorithm="sha256").hexdigest()
    return f"hmac:{digest[:32]}"


def _plain_address(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return ""
