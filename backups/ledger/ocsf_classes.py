"""Which OCSF class each type of event is exported under.

Most events say what became of a thing that the portal keeps: Entity Management. The exceptions are named here, a
whole family or single types, so that a new type has a class without a line of its own.
"""

from __future__ import annotations

from backups.ledger.event_types import OcsfClass

_OF_FAMILY = {
    "finding": OcsfClass.DETECTION_FINDING,
    "neon": OcsfClass.API_ACTIVITY,
    "system": OcsfClass.APPLICATION_LIFECYCLE,
}
_OF_TYPE = {
    "access.login": OcsfClass.AUTHENTICATION,
    "access.logout": OcsfClass.AUTHENTICATION,
    "access.login_failed": OcsfClass.AUTHENTICATION,
    "access.account_created": OcsfClass.ACCOUNT_CHANGE,
    "access.account_changed": OcsfClass.ACCOUNT_CHANGE,
    "access.password_changed": OcsfClass.ACCOUNT_CHANGE,
    "access.role_granted": OcsfClass.USER_ACCESS_MANAGEMENT,
    "access.role_revoked": OcsfClass.USER_ACCESS_MANAGEMENT,
    # What the portal noticed by itself, and the end of it.
    "canary.failed": OcsfClass.DETECTION_FINDING,
    "canary.recovered": OcsfClass.DETECTION_FINDING,
    "drill.missed": OcsfClass.DETECTION_FINDING,
    "drill.orphan_found": OcsfClass.DETECTION_FINDING,
    "ledger.refused": OcsfClass.DETECTION_FINDING,
    "ledger.refusal_resolved": OcsfClass.DETECTION_FINDING,
    "system.finding": OcsfClass.DETECTION_FINDING,
}


def ocsf_class_of(code: str) -> OcsfClass:
    """The class of this type of event."""
    by_family = _OF_FAMILY.get(code.partition(".")[0], OcsfClass.ENTITY_MANAGEMENT)
    return _OF_TYPE.get(code, by_family)


def types_with_a_class_of_their_own() -> frozenset[str]:
    """The exceptions, so that a test can compare them with the catalogue."""
    return frozenset(_OF_TYPE)
