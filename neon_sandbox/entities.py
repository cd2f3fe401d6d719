"""What the sandbox remembers. Frozen: a change is a new value, stored in one transaction with its companions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

UNFINISHED = frozenset({"scheduling", "running", "cancelling", "failed"})


@dataclass(frozen=True)
class Stored:
    id: str


@dataclass(frozen=True)
class Project(Stored):
    name: str
    org_id: str
    pg_version: int
    history_retention_seconds: int
    created_at: datetime
    updated_at: datetime
    region_id: str = "aws-us-east-2"
    settings: dict[str, Any] = field(default_factory=dict)
    default_endpoint_settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Branch(Stored):
    """`node_id` names the data. A restore gives the branch another node, and the preserved branch the old one.

    One made of a snapshot has the snapshot's id in `restored_from` and that of the branch it is meant to replace in
    `restored_as`; `detached` when it no longer waits for its one `detach_parent_branch`.
    """

    project_id: str
    name: str
    node_id: str
    created_at: datetime
    updated_at: datetime
    state_changed_at: datetime
    history_from: datetime
    parent_id: str | None = None
    parent_lsn: int | None = None
    parent_timestamp: datetime | None = None
    default: bool = False
    protected: bool = False
    original_root: bool = False
    kept_for_history: bool = False
    current_state: str = "init"
    pending_state: str | None = None
    expires_at: datetime | None = None
    ttl_interval_seconds: int | None = None
    last_reset_at: datetime | None = None
    annotation: dict[str, str] = field(default_factory=dict)
    restricted_actions: list[dict[str, str]] = field(default_factory=list)
    restore_status: str | None = None
    restored_from: str | None = None
    restored_as: str | None = None
    finalized_at: datetime | None = None
    detached: bool = False
    accessed_at: datetime | None = None
    history_from_lsn: int | None = None
    init_source: str = "parent-data"
    created_by: str = "local"


@dataclass(frozen=True)
class Endpoint(Stored):
    """`node_id` is the data that its port serves at this moment. `public_port` is the proxy's; without one its own."""

    project_id: str
    branch_id: str
    node_id: str
    port: int
    created_at: datetime
    updated_at: datetime
    public_port: int = 0
    current_state: str = "init"
    pending_state: str | None = None
    started_at: datetime | None = None
    suspended_at: datetime | None = None
    min_cu: float = 0.25
    max_cu: float = 0.25
    suspend_timeout_seconds: int = 0
    region_id: str = "aws-us-east-2"
    name: str | None = None
    disabled: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Role(Stored):
    branch_id: str
    name: str
    password: str
    created_at: datetime


@dataclass(frozen=True)
class Database(Stored):
    branch_id: str
    number: int
    name: str
    owner_name: str
    created_at: datetime


@dataclass(frozen=True)
class CatalogState(Stored):
    """The roles and databases of a branch from this moment on, until its next state."""

    branch_id: str
    at: datetime
    roles: list[dict[str, Any]]
    databases: list[dict[str, Any]]


@dataclass(frozen=True)
class Operation(Stored):
    project_id: str
    branch_id: str | None
    endpoint_id: str | None
    action: str
    created_at: datetime
    updated_at: datetime
    status: str = "scheduling"
    error: str | None = None
    failures_count: int = 0
    retry_at: datetime | None = None
    started_at: datetime | None = None
    extra_seconds: float = 0.0
    failure: dict[str, Any] | None = None


@dataclass(frozen=True)
class Job(Stored):
    """The work behind one accepted call: its operations in order, and all that is needed to do or undo it.

    It is forgotten in the transaction that ends its last operation; earlier versions marked it `done` instead.
    """

    project_id: str
    kind: str
    operation_ids: list[str]
    created_at: datetime
    arguments: dict[str, Any] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True)
class Key(Stored):
    """`id` is the SHA-256 of the key. `project_id` is what a key of the kind `project` is limited to."""

    label: str
    kind: str
    created_at: datetime
    revoked_at: datetime | None = None
    project_id: str | None = None


@dataclass(frozen=True)
class Base:
    """A copy of a node's data, from which every later moment can be reached by replaying WAL from `start_lsn` on."""

    number: int
    stop_time: datetime
    stop_lsn: int
    start_lsn: int = 0


@dataclass(frozen=True)
class Node(Stored):
    """One data directory. It left its parent at `fork_lsn`; the storage without PostgreSQL has none.

    A `sealed` one holds a single moment: its only base, which is never started and needs nothing from its source.
    """

    created_at: datetime
    superuser_password: str
    parent_id: str | None = None
    ready: bool = False
    timeline: int = 1
    fork_lsn: int = 0
    fork_timestamp: datetime | None = None
    stopped_at: datetime | None = None
    sealed: bool = False
    bases: list[Base] = field(default_factory=list)


@dataclass(frozen=True)
class Snapshot(Stored):
    """`node_id` names its data, which belong to no branch. `catalog` are the roles and databases of its moment."""

    project_id: str
    source_branch_id: str
    node_id: str
    name: str
    created_at: datetime
    manual: bool = True
    slug: str | None = None
    timestamp: datetime | None = None
    lsn: int | None = None
    expires_at: datetime | None = None
    ready: bool = False
    full_size_bytes: int | None = None
    diff_size_bytes: int | None = None
    catalog: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class BackupSchedule(Stored):
    """`id` is the branch. `items` as they were put; `done_until` is the moment up to which slots were looked at."""

    project_id: str
    items: list[dict[str, Any]]
    done_until: datetime


@dataclass(frozen=True)
class Usage(Stored):
    """What one branch used in one hour, or in one day when that is long ago.

    `branch_id` None: what belongs to no branch, which is the project's snapshots. Sizes are byte-hours.
    """

    project_id: str
    branch_id: str | None
    start: datetime
    hours: int
    root_byte_hours: float = 0.0
    child_byte_hours: float = 0.0
    history_byte_hours: float = 0.0
    snapshot_byte_hours: float = 0.0
    child_hours: float = 0.0
    active_seconds: float = 0.0
    compute_unit_seconds: float = 0.0


@dataclass(frozen=True)
class Meter(Stored):
    """The last look at a branch, or at a project's snapshots (`id` is the branch or the project).

    Its sizes hold from `at` until the next look. The totals are those of the billing period that began at
    `period_start`; a project's are those of all its branches, deleted ones included.
    """

    project_id: str
    branch_id: str | None
    at: datetime
    logical_bytes: int = 0
    root_bytes: int = 0
    child_bytes: int = 0
    history_bytes: int = 0
    snapshot_bytes: int = 0
    is_child: bool = False
    period_start: datetime | None = None
    period_byte_hours: float = 0.0
    period_active_seconds: float = 0.0
    period_compute_unit_seconds: float = 0.0


@dataclass(frozen=True)
class ClockMove(Stored):
    """The sandbox's clock went ahead by `seconds` at this real moment."""

    real_at: datetime
    seconds: float


@dataclass(frozen=True)
class Settings(Stored):
    """Switches of the sandbox itself, changed through /_sandbox/settings."""

    id: str = "settings"
    operation_seconds: float = 0.0
    plan: str = "launch"
    root_cap: int | None = None
    branch_cap: int | None = None
    snapshot_cap: int | None = None
    scheduled_snapshot_failure: dict[str, Any] | None = None
    detach_after_seconds: float | None = 3600.0
    detach_failure: dict[str, Any] | None = None
    protected_cap: int | None = None
    refuse_restore_of_protected: bool = True
    rate_limits: bool = True
    availability_checks_every_seconds: float = 0.0
    consumption_lag_seconds: float = 0.0
    connection_uri: str | None = None
    connection_uris: dict[str, str] = field(default_factory=dict)
