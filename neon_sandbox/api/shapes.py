"""Entities in Neon's JSON. Optional fields without a value are absent, as in Neon's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from neon_sandbox import times
from neon_sandbox.entities import Branch, Database, Endpoint, Meter, Operation, Project, Role, Snapshot
from neon_sandbox.metering import ProjectUsage


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def project(entity: Project, plan: str) -> dict[str, Any]:
    return {
        "id": entity.id,
        "name": entity.name,
        "org_id": entity.org_id,
        "owner_id": entity.org_id,
        "platform_id": "aws",
        "region_id": entity.region_id,
        "proxy_host": "127.0.0.1",
        "provisioner": "k8s-neonvm",
        "pg_version": entity.pg_version,
        "history_retention_seconds": entity.history_retention_seconds,
        "synthetic_storage_size": 0,
        "data_storage_bytes_hour": 0,
        "data_transfer_bytes": 0,
        "written_data_bytes": 0,
        "compute_time_seconds": 0,
        "active_time_seconds": 0,
        "cpu_used_sec": 0,
        "consumption_period_start": "0001-01-01T00:00:00Z",
        "consumption_period_end": "0001-01-01T00:00:00Z",
        "default_endpoint_settings": {
            "autoscaling_limit_min_cu": 0.25,
            "autoscaling_limit_max_cu": 0.25,
            "suspend_timeout_seconds": 0,
            **entity.default_endpoint_settings,
        },
        "settings": {"quota": {}, "enable_logical_replication": False, "hipaa": False, **entity.settings},
        "owner": {
            "email": "owner@example.com",
            "name": "Local owner",
            "branches_limit": -1,
            "subscription_type": f"{plan}_v3",
        },
        "store_passwords": True,
        "creation_source": "console",
        "branch_logical_size_limit": 8192,
        "branch_logical_size_limit_bytes": 8192 << 20,
        "created_at": times.shown(entity.created_at),
        "updated_at": times.shown(entity.updated_at),
    }


def usage_of_project(used: ProjectUsage) -> dict[str, Any]:
    begin = used.period_start
    return {
        "synthetic_storage_size": used.size_bytes,
        "data_storage_bytes_hour": used.byte_hours,
        "compute_time_seconds": used.compute_unit_seconds,
        "cpu_used_sec": used.compute_unit_seconds,
        "active_time_seconds": used.active_seconds,
        # What was never metered has Go's zero time, as a new project at Neon.
        "consumption_period_start": times.shown(begin) or "0001-01-01T00:00:00Z",
        "consumption_period_end": times.shown(times.next_month(begin)) if begin else "0001-01-01T00:00:00Z",
    }


def usage_of_branch(meter: Meter | None) -> dict[str, Any]:
    if meter is None:
        return {}
    return {
        "logical_size": meter.logical_bytes,
        "compute_time_seconds": round(meter.period_compute_unit_seconds),
        "cpu_used_sec": round(meter.period_compute_unit_seconds),
        "active_time_seconds": round(meter.period_active_seconds),
    }


_NOT_IN_LISTS = frozenset(
    {
        "owner",
        "consumption_period_start",
        "consumption_period_end",
        "data_storage_bytes_hour",
        "data_transfer_bytes",
        "written_data_bytes",
        "compute_time_seconds",
        "active_time_seconds",
    }
)


def project_item(entity: Project, plan: str, used: ProjectUsage) -> dict[str, Any]:
    whole = project(entity, plan) | usage_of_project(used)
    item = {name: value for name, value in whole.items() if name not in _NOT_IN_LISTS}
    return item | {"active_time": used.active_seconds}


def branch(entity: Branch) -> dict[str, Any]:
    return _present(
        {
            "id": entity.id,
            "project_id": entity.project_id,
            "name": entity.name,
            "parent_id": entity.parent_id,
            "parent_lsn": times.shown_lsn(entity.parent_lsn),
            "parent_timestamp": times.shown(entity.parent_timestamp),
            "current_state": entity.current_state,
            "pending_state": entity.pending_state,
            "state_changed_at": times.shown(entity.state_changed_at),
            "creation_source": "console",
            "primary": entity.default,
            "default": entity.default,
            "protected": entity.protected,
            "cpu_used_sec": 0,
            "compute_time_seconds": 0,
            "active_time_seconds": 0,
            "written_data_bytes": 0,
            "data_transfer_bytes": 0,
            "created_at": times.shown(entity.created_at),
            "updated_at": times.shown(entity.updated_at),
            "created_by": {"name": entity.created_by, "image": ""},
            "init_source": entity.init_source,
            "expires_at": times.shown(entity.expires_at),
            "ttl_interval_seconds": entity.ttl_interval_seconds,
            "last_reset_at": times.shown(entity.last_reset_at),
            "restore_status": entity.restore_status,
            "restored_from": entity.restored_from,
            "restored_as": entity.restored_as,
            "restricted_actions": entity.restricted_actions or None,
        }
    )


def annotation(entity: Branch) -> dict[str, Any]:
    return {
        "object": {"type": "console/branch", "id": entity.id},
        "value": entity.annotation,
        "created_at": times.shown(entity.created_at),
        "updated_at": times.shown(entity.updated_at),
    }


def host_of(entity: Endpoint) -> str:
    """With the port, which is not 5432 here, so that whoever makes an address of it, as Neon's own command line does,
    arrives at the proxy."""
    return f"{entity.id}.localhost:{entity.public_port or entity.port}"


def endpoint(entity: Endpoint) -> dict[str, Any]:
    return _present(
        {
            "id": entity.id,
            "host": host_of(entity),
            "project_id": entity.project_id,
            "branch_id": entity.branch_id,
            "type": "read_write",
            "region_id": entity.region_id,
            "name": entity.name,
            "current_state": entity.current_state,
            "pending_state": entity.pending_state,
            "autoscaling_limit_min_cu": entity.min_cu,
            "autoscaling_limit_max_cu": entity.max_cu,
            "suspend_timeout_seconds": entity.suspend_timeout_seconds,
            "disabled": entity.disabled,
            "pooler_enabled": False,
            "pooler_mode": "transaction",
            "passwordless_access": True,
            "settings": {"pg_settings": {}, **entity.settings},
            "proxy_host": "127.0.0.1",
            "provisioner": "k8s-neonvm",
            "creation_source": "console",
            "last_active": times.shown(entity.started_at),
            "started_at": times.shown(entity.started_at),
            "suspended_at": times.shown(entity.suspended_at),
            "created_at": times.shown(entity.created_at),
            "updated_at": times.shown(entity.updated_at),
        }
    )


def connection_details(uri: str) -> dict[str, Any]:
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return {
        "connection_uri": uri,
        "connection_parameters": {
            "database": parts.path.removeprefix("/"),
            "host": host,
            "pooler_host": host,
            "role": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
        },
    }


def operation(entity: Operation) -> dict[str, Any]:
    started = entity.started_at or entity.updated_at
    return _present(
        {
            "id": entity.id,
            "project_id": entity.project_id,
            "branch_id": entity.branch_id,
            "endpoint_id": entity.endpoint_id,
            "action": entity.action,
            "status": entity.status,
            "error": entity.error,
            "failures_count": entity.failures_count,
            "retry_at": times.shown(entity.retry_at),
            "created_at": times.shown(entity.created_at),
            "updated_at": times.shown(entity.updated_at),
            "total_duration_ms": int((entity.updated_at - started).total_seconds() * 1000),
        }
    )


def operations(entities: Sequence[Operation]) -> list[dict[str, Any]]:
    return [operation(entity) for entity in entities]


def role(entity: Role, *, password: bool = False) -> dict[str, Any]:
    return _present(
        {
            "branch_id": entity.branch_id,
            "name": entity.name,
            "protected": False,
            "password": entity.password if password else None,
            "created_at": times.shown(entity.created_at),
            "updated_at": times.shown(entity.created_at),
        }
    )


def database(entity: Database) -> dict[str, Any]:
    return {
        "id": entity.number,
        "branch_id": entity.branch_id,
        "name": entity.name,
        "owner_name": entity.owner_name,
        "created_at": times.shown(entity.created_at),
        "updated_at": times.shown(entity.created_at),
    }


def snapshot(entity: Snapshot) -> dict[str, Any]:
    # Sizes are worked out last: as long as they are absent, Neon charges nothing.
    return _present(
        {
            "id": entity.id,
            "name": entity.name,
            "slug": entity.slug,
            "lsn": times.shown_lsn(entity.lsn),
            "timestamp": times.shown(entity.timestamp),
            "source_branch_id": entity.source_branch_id,
            "created_at": times.shown(entity.created_at),
            "expires_at": times.shown(entity.expires_at),
            "manual": entity.manual,
            "full_size": entity.full_size_bytes if entity.ready else None,
            "diff_size": entity.diff_size_bytes if entity.ready else None,
        }
    )
