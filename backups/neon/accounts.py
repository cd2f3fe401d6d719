"""Whose key it is, the organisations behind it, and where projects can be made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.wire import Raw


@dataclass(frozen=True, slots=True)
class User:
    """The person behind a personal key. A limit of 0 means none at Neon."""

    id: str
    email: str | None
    name: str | None
    plan: str | None
    projects_limit: int | None
    branches_limit: int | None

    @classmethod
    def of(cls, raw: Raw) -> User:
        return cls(
            id=wire.required_text(raw, "id"),
            email=wire.text(raw, "email"),
            name=wire.text(raw, "name"),
            plan=wire.text(raw, "plan"),
            projects_limit=wire.integer(raw, "projects_limit"),
            branches_limit=wire.integer(raw, "branches_limit"),
        )


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    name: str | None
    handle: str | None
    plan: str | None
    allow_hipaa_projects: bool | None
    require_mfa: bool | None
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, raw: Raw) -> Organization:
        return cls(
            id=wire.required_text(raw, "id"),
            name=wire.text(raw, "name"),
            handle=wire.text(raw, "handle"),
            plan=wire.text(raw, "plan"),
            allow_hipaa_projects=wire.boolean(raw, "allow_hipaa_projects"),
            require_mfa=wire.boolean(raw, "require_mfa"),
            created_at=wire.moment(raw, "created_at"),
            updated_at=wire.moment(raw, "updated_at"),
        )


@dataclass(frozen=True, slots=True)
class Region:
    """`default` marks the region that Neon takes when none is named."""

    id: str
    name: str | None
    default: bool | None

    @classmethod
    def of(cls, raw: Raw) -> Region:
        return cls(
            id=wire.required_text(raw, "region_id"),
            name=wire.text(raw, "name"),
            default=wire.boolean(raw, "default"),
        )


class Account:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def me(self) -> User:
        """Works with a personal key only; any other is refused."""
        return self._caller.read("account.me", User.of)

    def organizations(self) -> tuple[Organization, ...]:
        """Those of the person, or the one that owns the key."""
        return self._caller.read(
            "account.organizations",
            lambda raw: tuple(Organization.of(item) for item in wire.objects_in(raw, "organizations")),
        )

    def organization(self, org_id: str) -> Organization:
        return self._caller.read("account.organization", Organization.of, org_id=org_id)

    def regions(self, *, org_id: str | None = None) -> tuple[Region, ...]:
        """Where projects can be made. Not every organisation may use every region: name it to be told which."""
        params = {} if org_id is None else {"org_id": wire.checked_id(org_id)}
        return self._caller.read(
            "account.regions",
            lambda raw: tuple(Region.of(item) for item in wire.objects_in(raw, "regions")),
            params,
        )
