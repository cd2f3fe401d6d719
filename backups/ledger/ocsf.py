"""Events in the words of the Open Cybersecurity Schema Framework, for tools that read logs of many makers.

One released version is named and kept to. The exact record goes along under `unmapped`, so nothing is lost by the
translation; what is hashed and signed stays our own bytes, whatever OCSF does next.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backups.ledger.ocsf_parts import Translation, translation_of

OCSF_VERSION = "1.8.0"

PRODUCT = {"name": "CareCircle Ops", "vendor_name": "CareCircle"}
SANDBOX_LABEL = "sandbox: no evidence"
UNKNOWN_LABEL = "unknown project: not known whether this is evidence"

_MILLISECONDS = 1000
_STATUS = {"success": (1, "Success"), "failure": (2, "Failure"), "denied": (2, "Failure"), "unknown": (0, "Unknown")}
# OCSF's scale: 1 informational, 2 low, 3 medium, 4 high, 5 critical.
_SEVERITY_OF_OUTCOME = {"success": 1, "denied": 2, "failure": 3, "unknown": 3}
_SEVERITY = {"info": 1, "notice": 2, "low": 2, "warning": 3, "medium": 3, "major": 4, "high": 4, "critical": 5}
_LABELS = {"sandbox": [SANDBOX_LABEL], "unknown": [UNKNOWN_LABEL]}
_USER_TYPE = {"human": 1, "service": 4, "system": 3, "anonymous": 0}


def ocsf_object(
    event: Mapping[str, Any],
    *,
    actor_name: str = "",
    meaning: str = "",
    origin: str = "",
    place: int | None = None,
    leaf_hash: bytes | None = None,
) -> dict[str, Any]:
    """One event as OCSF. `event`: its members; `place` and `leaf_hash` are absent while it is not sealed."""
    translation = translation_of(event["type"])
    outcome = event["out"]["s"]
    status_id, status = _STATUS[outcome]
    return {
        "class_uid": translation.class_uid,
        "category_uid": translation.class_uid // 1000,
        "activity_id": translation.activity_id,
        "type_uid": translation.class_uid * 100 + translation.activity_id,
        "activity_name": event["type"],
        "time": _milliseconds(event["time"]),
        "severity_id": _severity(event),
        "status_id": status_id,
        "status": status,
        "status_code": outcome,
        "message": meaning or event["type"],
        "metadata": _metadata(event, origin, place),
        **_parts(event, translation, actor_name),
        "unmapped": {"record": dict(event), "actor_name": actor_name, **_sealed(origin, place, leaf_hash)},
    }


def _parts(event: Mapping[str, Any], translation: Translation, actor_name: str) -> dict[str, Any]:
    """Who, from where, and what about, as far as the class has room for it."""
    user = _user(event, actor_name)
    if not translation.has_actor:
        return translation.own(event, user)
    actor: dict[str, Any] = {"user": user}
    if event["actor"].get("sess"):
        actor["session"] = {"uid": event["actor"]["sess"]}
    return {"actor": actor, "src_endpoint": _endpoint(event), **translation.own(event, user)}


def _user(event: Mapping[str, Any], actor_name: str) -> dict[str, Any]:
    actor = event["actor"]
    user: dict[str, Any] = {"uid": actor["id"], "type_id": _USER_TYPE.get(actor["kind"], 99)}
    if actor_name:
        user["name"] = actor_name
    if actor.get("roles"):
        user["groups"] = [{"name": role} for role in actor["roles"]]
    return user


def _endpoint(event: Mapping[str, Any]) -> dict[str, Any]:
    address = event.get("src", {}).get("ip")
    return {"ip": address} if address else {"name": "inside the portal"}


def _metadata(event: Mapping[str, Any], origin: str, place: int | None) -> dict[str, Any]:
    target = event["target"]
    metadata: dict[str, Any] = {
        "version": OCSF_VERSION,
        "product": PRODUCT,
        "uid": event["id"],
        "event_code": event["type"],
        "original_time": event["time"],
        "logged_time": _milliseconds(event["rec"]),
        "correlation_uid": event.get("corr", {}).get("wf") or target["id"],
    }
    if place is not None:
        metadata |= {"sequence": place, "log_name": origin}
    if event["env"] in _LABELS:
        metadata["labels"] = _LABELS[event["env"]]
    return metadata


def _sealed(origin: str, place: int | None, leaf_hash: bytes | None) -> dict[str, Any]:
    if place is None or leaf_hash is None:
        return {}
    return {"tlog": {"index": place, "leaf_hash": leaf_hash.hex(), "origin": origin}}


def _severity(event: Mapping[str, Any]) -> int:
    named = _SEVERITY.get(str(event.get("data", {}).get("severity", "")))
    return named or _SEVERITY_OF_OUTCOME[event["out"]["s"]]


def _milliseconds(text: str) -> int:
    """Since 1970, as OCSF's `timestamp_t` counts; whole numbers, so no digit is made up."""
    at = datetime.fromisoformat(text)
    return int(at.replace(microsecond=0).timestamp()) * _MILLISECONDS + at.microsecond // _MILLISECONDS
