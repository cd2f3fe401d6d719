"""The OCSF activity that each type of event is, and what its class asks for beside the common members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backups.ledger.catalogue import CATALOGUE
from backups.ledger.event_types import OcsfClass

#: The members that only this class has, from the event and its user.
Own = Callable[[Mapping[str, Any], dict[str, Any]], dict[str, Any]]

_OTHER = 99


@dataclass(frozen=True, slots=True)
class Translation:
    """`own` gives the members that the class asks for; `has_actor`: whether it has room for who acted."""

    class_uid: int
    activity_id: int
    own: Own
    has_actor: bool


def _account(event: Mapping[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    return {"user": _account_of(event)}


def _authentication(event: Mapping[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    return {"user": user, "service": {"name": "CareCircle Ops"}}


def _access(event: Mapping[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data", {})
    privileges = [str(data[name]) for name in ("role", "capability") if data.get(name)]
    return {"user": _account_of(event), "privileges": privileges or ["not named"]}


def _entity(event: Mapping[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    target = event["target"]
    own: dict[str, Any] = {"entity": {"uid": target["id"], "type": target["kind"]}}
    reason = event.get("reason", {}).get("code")
    return own | ({"comment": reason} if reason else {})


def _call(event: Mapping[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data", {})
    operation = " ".join(str(data[name]) for name in ("method", "path") if data.get(name))
    api: dict[str, Any] = {"operation": operation or event["type"], "service": {"name": "Neon API"}}
    if data.get("call_id"):
        api["request"] = {"uid": data["call_id"]}
    return {"api": api}


def _finding(event: Mapping[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data", {})
    about: dict[str, Any] = {"uid": data.get("finding") or event["target"]["id"]}
    if data.get("kind"):
        about["title"] = data["kind"]
    return {"finding_info": about}


def _application(event: Mapping[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    app = {"name": "CareCircle Ops"}
    version = event.get("data", {}).get("version")
    return {"app": app | ({"version": version} if version else {})}


def _account_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """The account that something was done to, which is not always the one that did it."""
    account: dict[str, Any] = {"uid": event["target"]["id"]}
    login = event.get("data", {}).get("login")
    return account | ({"name": login} if login else {})


_OWN: dict[OcsfClass, Own] = {
    OcsfClass.ACCOUNT_CHANGE: _account,
    OcsfClass.AUTHENTICATION: _authentication,
    OcsfClass.ENTITY_MANAGEMENT: _entity,
    OcsfClass.USER_ACCESS_MANAGEMENT: _access,
    OcsfClass.API_ACTIVITY: _call,
    OcsfClass.DETECTION_FINDING: _finding,
    OcsfClass.APPLICATION_LIFECYCLE: _application,
}
_WITHOUT_ACTOR = frozenset({OcsfClass.DETECTION_FINDING, OcsfClass.APPLICATION_LIFECYCLE})

# The last part of a type's name says what was done; a verb that OCSF has no number for is "other".
_ACTIVITIES: dict[OcsfClass, dict[str, int]] = {
    OcsfClass.ACCOUNT_CHANGE: {"account_created": 1, "password_changed": 3},
    OcsfClass.AUTHENTICATION: {"login": 1, "login_failed": 1, "logout": 2},
    OcsfClass.USER_ACCESS_MANAGEMENT: {"role_granted": 1, "role_revoked": 2},
    OcsfClass.DETECTION_FINDING: {
        **dict.fromkeys(("opened", "failed", "missed", "orphan_found", "refused", "finding"), 1),
        **dict.fromkeys(("changed", "acknowledged", "owned", "explained"), 2),
        **dict.fromkeys(("closed", "recovered", "refusal_resolved"), 3),
    },
    OcsfClass.APPLICATION_LIFECYCLE: {"started": 3, "stopped": 4, "roles_set_up": 8},
    OcsfClass.ENTITY_MANAGEMENT: {
        **dict.fromkeys(("drafted", "created", "added", "made", "planned", "connected", "plan_created"), 1),
        **dict.fromkeys(("read", "viewed", "searched", "opened", "exported", "downloaded", "attachment_read"), 2),
        **dict.fromkeys(("edited", "changed", "state_changed", "plan_changed", "exercise_changed", "moved"), 3),
        **dict.fromkeys(("removed", "gone", "cleaned_up", "export_removed"), 4),
    },
}


def translation_of(code: str) -> Translation:
    """For a type of event. One of an older version is the management of an entity, which holds anything."""
    declared = CATALOGUE.get(code)
    found = declared.ocsf_class if declared else OcsfClass.ENTITY_MANAGEMENT
    return Translation(
        class_uid=int(found),
        activity_id=_ACTIVITIES.get(found, {}).get(code.partition(".")[2], _OTHER),
        own=_OWN[found],
        has_actor=found not in _WITHOUT_ACTOR,
    )
