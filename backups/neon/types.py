"""What Neon's answers mean, as frozen values. Words of open enums stay text; see `wire` for the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from backups.neon import wire
from backups.neon.wire import Raw

SUCCEEDED = frozenset({"finished", "skipped"})
FINALLY_FAILED = frozenset({"cancelled", "error"})
# Neon may still retry an operation in this state by itself.
PERHAPS_FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Auth:
    """Whose key this is: `auth_method` is api_key_user, api_key_org or another of Neon's words."""

    account_id: str | None
    auth_method: str | None

    @classmethod
    def of(cls, raw: Raw) -> Auth:
        return cls(account_id=wire.text(raw, "account_id"), auth_method=wire.text(raw, "auth_method"))


@dataclass(frozen=True, slots=True)
class Project:
    """What has been used counts from `consumption_period_start` on, and lags behind. Compute time is in seconds of
    one compute unit; stored bytes are counted by the hour. Lists of projects leave some of it out."""

    id: str
    name: str | None
    region_id: str | None
    pg_version: int | None
    history_retention_seconds: int | None
    org_id: str | None
    owner_id: str | None
    plan: str | None
    branches_limit: int | None
    synthetic_storage_size_bytes: int | None
    hipaa: bool | None
    data_storage_byte_hours: int | None
    data_transfer_bytes: int | None
    written_data_bytes: int | None
    compute_time_seconds: int | None
    active_time_seconds: int | None
    consumption_period_start: datetime | None
    consumption_period_end: datetime | None
    compute_last_active_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    quota: Mapping[str, int]
    """Limits of one billing period by Neon's name; one that is left out, or 0, is no limit."""

    def used(self, quota: str) -> int | None:
        """What counts towards a quota; None where Neon does not tell, or counts by the branch."""
        return {
            "active_time_seconds": self.active_time_seconds,
            "compute_time_seconds": self.compute_time_seconds,
            "written_data_bytes": self.written_data_bytes,
            "data_transfer_bytes": self.data_transfer_bytes,
        }.get(quota)

    @classmethod
    def of(cls, raw: Raw) -> Project:
        owner = wire.optional_object(raw, "owner")
        settings = wire.optional_object(raw, "settings")
        return cls(
            id=wire.required_text(raw, "id"),
            name=wire.text(raw, "name"),
            region_id=wire.text(raw, "region_id"),
            pg_version=wire.integer(raw, "pg_version"),
            history_retention_seconds=wire.integer(raw, "history_retention_seconds"),
            org_id=wire.text(raw, "org_id"),
            owner_id=wire.text(raw, "owner_id"),
            plan=wire.text(owner, "subscription_type"),
            branches_limit=wire.integer(owner, "branches_limit"),
            synthetic_storage_size_bytes=wire.integer(raw, "synthetic_storage_size"),
            hipaa=wire.boolean(settings, "hipaa"),
            data_storage_byte_hours=wire.integer(raw, "data_storage_bytes_hour"),
            data_transfer_bytes=wire.integer(raw, "data_transfer_bytes"),
            written_data_bytes=wire.integer(raw, "written_data_bytes"),
            compute_time_seconds=wire.integer(raw, "compute_time_seconds"),
            active_time_seconds=wire.integer(raw, "active_time_seconds"),
            consumption_period_start=wire.moment(raw, "consumption_period_start"),
            consumption_period_end=wire.moment(raw, "consumption_period_end"),
            compute_last_active_at=wire.moment(raw, "compute_last_active_at"),
            created_at=wire.moment(raw, "created_at"),
            updated_at=wire.moment(raw, "updated_at"),
            quota=_numbers(wire.optional_object(settings, "quota")),
        )


def _numbers(raw: Raw) -> Mapping[str, int]:
    return {name: value for name in raw if (value := wire.integer(raw, name)) is not None}


@dataclass(frozen=True, slots=True)
class ProjectList:
    """`unavailable_ids` exist but could not be read just now; they are not deleted."""

    projects: tuple[Project, ...]
    unavailable_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestrictedAction:
    name: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Branch:
    """`id` and `name` are always there: an answer without them is refused, because a branch that can't
    be recognised would look like one that doesn't exist."""

    id: str
    name: str
    project_id: str | None
    parent_id: str | None
    parent_lsn: str | None
    parent_timestamp: datetime | None
    current_state: str | None
    pending_state: str | None
    default: bool | None
    protected: bool | None
    logical_size_bytes: int | None
    creation_source: str | None
    init_source: str | None
    restore_status: str | None
    restored_from: str | None
    restored_as: str | None
    restricted_actions: tuple[RestrictedAction, ...]
    annotation: Mapping[str, str] | None
    created_at: datetime | None
    updated_at: datetime | None
    last_reset_at: datetime | None
    expires_at: datetime | None

    @property
    def is_root(self) -> bool:
        """Neon marks a root branch only by the absence of a parent."""
        return self.parent_id is None

    @property
    def is_ready(self) -> bool:
        """Readable and with no transition under way. An archived branch can be read, but slowly."""
        return self.current_state in {"ready", "archived"} and self.pending_state is None

    @property
    def can_be_restore_target(self) -> bool:
        """False when Neon has said that it will refuse. True is no promise."""
        restricted = any(action.name == "restore" for action in self.restricted_actions)
        from_snapshot = self.restore_status in {"restored", "finalized", "detaching"}
        return self.is_root and not restricted and not from_snapshot

    @classmethod
    def of(cls, raw: Raw, annotation: Raw | None = None) -> Branch:
        return cls(
            id=wire.required_text(raw, "id"),
            name=wire.required_text(raw, "name"),
            project_id=wire.text(raw, "project_id"),
            parent_id=wire.text(raw, "parent_id"),
            parent_lsn=wire.text(raw, "parent_lsn"),
            parent_timestamp=wire.moment(raw, "parent_timestamp"),
            current_state=wire.text(raw, "current_state"),
            pending_state=wire.text(raw, "pending_state"),
            default=wire.boolean(raw, "default"),
            protected=wire.boolean(raw, "protected"),
            logical_size_bytes=wire.integer(raw, "logical_size"),
            creation_source=wire.text(raw, "creation_source"),
            init_source=wire.text(raw, "init_source"),
            restore_status=wire.text(raw, "restore_status"),
            restored_from=wire.text(raw, "restored_from"),
            restored_as=wire.text(raw, "restored_as"),
            restricted_actions=_restricted_actions(raw),
            # One branch comes with an empty annotation where a list leaves it out.
            annotation=(wire.text_map(annotation, "value") or None) if annotation is not None else None,
            created_at=wire.moment(raw, "created_at"),
            updated_at=wire.moment(raw, "updated_at"),
            # A restore that may have happened is recognised by this one: unreadable is not "never".
            last_reset_at=wire.strict_moment(raw, "last_reset_at"),
            expires_at=wire.moment(raw, "expires_at"),
        )


def _restricted_actions(raw: Raw) -> tuple[RestrictedAction, ...]:
    listed = raw.get("restricted_actions")
    if not isinstance(listed, list):
        return ()
    return tuple(
        RestrictedAction(name=wire.text(item, "name"), reason=wire.text(item, "reason"))
        for item in listed
        if isinstance(item, dict)
    )


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: str
    branch_id: str | None
    project_id: str | None
    host: str | None
    type: str | None
    current_state: str | None
    pending_state: str | None
    disabled: bool | None
    autoscaling_limit_min_cu: float | None
    autoscaling_limit_max_cu: float | None
    suspend_timeout_seconds: int | None
    last_active: datetime | None
    started_at: datetime | None
    suspended_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None

    @property
    def is_read_write(self) -> bool:
        return self.type == "read_write"

    @classmethod
    def of(cls, raw: Raw) -> Endpoint:
        return cls(
            id=wire.required_text(raw, "id"),
            branch_id=wire.text(raw, "branch_id"),
            project_id=wire.text(raw, "project_id"),
            host=wire.text(raw, "host"),
            type=wire.text(raw, "type"),
            current_state=wire.text(raw, "current_state"),
            pending_state=wire.text(raw, "pending_state"),
            disabled=wire.boolean(raw, "disabled"),
            autoscaling_limit_min_cu=wire.number(raw, "autoscaling_limit_min_cu"),
            autoscaling_limit_max_cu=wire.number(raw, "autoscaling_limit_max_cu"),
            suspend_timeout_seconds=wire.integer(raw, "suspend_timeout_seconds"),
            last_active=wire.moment(raw, "last_active"),
            started_at=wire.moment(raw, "started_at"),
            suspended_at=wire.moment(raw, "suspended_at"),
            created_at=wire.moment(raw, "created_at"),
            updated_at=wire.moment(raw, "updated_at"),
        )


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    project_id: str | None
    branch_id: str | None
    endpoint_id: str | None
    action: str | None
    status: str | None
    error: str | None
    failures_count: int | None
    retry_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    total_duration_ms: int | None

    @property
    def succeeded(self) -> bool:
        return self.status in SUCCEEDED

    def has_failed(self, *, now: datetime, grace_seconds: float) -> bool:
        """True when Neon will not finish this any more.

        `failed` counts only after `grace_seconds` without a change, and not while Neon announces a retry.
        """
        if self.status in FINALLY_FAILED:
            return True
        if self.status != PERHAPS_FAILED or self.updated_at is None:
            return False
        since = max(self.updated_at, self.retry_at or self.updated_at)
        return now - since >= timedelta(seconds=grace_seconds)

    @classmethod
    def of(cls, raw: Raw) -> Operation:
        return cls(
            id=wire.required_text(raw, "id"),
            project_id=wire.text(raw, "project_id"),
            branch_id=wire.text(raw, "branch_id"),
            endpoint_id=wire.text(raw, "endpoint_id"),
            action=wire.text(raw, "action"),
            status=wire.text(raw, "status"),
            error=wire.text(raw, "error"),
            failures_count=wire.integer(raw, "failures_count"),
            retry_at=wire.moment(raw, "retry_at"),
            created_at=wire.moment(raw, "created_at"),
            updated_at=wire.moment(raw, "updated_at"),
            total_duration_ms=wire.integer(raw, "total_duration_ms"),
        )


@dataclass(frozen=True, slots=True)
class Database:
    name: str
    id: int | None
    branch_id: str | None
    owner_name: str | None

    @classmethod
    def of(cls, raw: Raw) -> Database:
        return cls(
            name=wire.required_text(raw, "name"),
            id=wire.integer(raw, "id"),
            branch_id=wire.text(raw, "branch_id"),
            owner_name=wire.text(raw, "owner_name"),
        )


@dataclass(frozen=True, slots=True)
class Role:
    """A password that Neon sends along is dropped; ask `roles.reveal_password` for it."""

    name: str
    branch_id: str | None
    protected: bool | None

    @classmethod
    def of(cls, raw: Raw) -> Role:
        return cls(
            name=wire.required_text(raw, "name"),
            branch_id=wire.text(raw, "branch_id"),
            protected=wire.boolean(raw, "protected"),
        )
