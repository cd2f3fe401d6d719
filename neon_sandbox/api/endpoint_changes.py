"""What a call may set of an endpoint, checked and under the names that the sandbox keeps it by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neon_sandbox.api.request import flag_of, text_of
from neon_sandbox.problems import ApiProblem

LONGEST_SUSPEND_TIMEOUT_SECONDS = 604_800
SHORTEST_SUSPEND_TIMEOUT_SECONDS = 60
# 0: Neon's default of five minutes. -1: never.
SPECIAL_SUSPEND_TIMEOUTS = (0, -1)
SMALLEST_CU = 0.25


def changes_of(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of Endpoint that the call names. Raises ApiProblem 400 for what Neon would not take."""
    changes: dict[str, Any] = {}
    for name, ours in (("autoscaling_limit_min_cu", "min_cu"), ("autoscaling_limit_max_cu", "max_cu")):
        if wanted.get(name) is not None:
            changes[ours] = _cu(wanted[name], name)
    if wanted.get("suspend_timeout_seconds") is not None:
        changes["suspend_timeout_seconds"] = _suspend_timeout(wanted["suspend_timeout_seconds"])
    if (disabled := flag_of(wanted, "disabled")) is not None:
        changes["disabled"] = disabled
    if (own_name := text_of(wanted, "name")) is not None:
        changes["name"] = own_name
    if wanted.get("settings") is not None:
        changes["settings"] = _settings(wanted["settings"])
    _refuse_reversed(changes)
    return changes


def _cu(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < SMALLEST_CU:
        raise ApiProblem(400, f"invalid request: {name} must be at least {SMALLEST_CU}")
    return float(value)


def _suspend_timeout(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiProblem(400, "invalid request: suspend_timeout_seconds must be a whole number")
    within = SHORTEST_SUSPEND_TIMEOUT_SECONDS <= value <= LONGEST_SUSPEND_TIMEOUT_SECONDS
    if value not in SPECIAL_SUSPEND_TIMEOUTS and not within:
        raise ApiProblem(400, "suspend_timeout_seconds must be -1, 0, or from 60 to 604800")
    return value


def _settings(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("pg_settings"), dict):
        raise ApiProblem(400, "settings must not be nil")
    return value


def _refuse_reversed(changes: Mapping[str, Any]) -> None:
    if "min_cu" in changes and "max_cu" in changes and changes["min_cu"] > changes["max_cu"]:
        raise ApiProblem(400, "autoscaling_limit_min_cu must not be above autoscaling_limit_max_cu")
