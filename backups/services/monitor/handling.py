"""What people do with findings: own them, say that they have seen them, and explain what happened outside."""

from __future__ import annotations

from contextlib import AbstractContextManager

from django.contrib.auth.models import User

from backups.domain.monitor import KINDS, FindingCode
from backups.domain.people import Actor, Capability
from backups.models import Finding
from backups.selectors.clock import database_now
from backups.selectors.people import actor_of
from backups.services.monitor.records import record_finding, target_of_finding
from backups.services.monitor.telling import News, tell_of
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now

#: An explanation is read by people who were not there.
_SHORTEST_REASON = 10


def acknowledge_finding(*, actor: Actor, finding_id: int, reason: str) -> Finding:
    """Says that a person has seen it and what they are doing. It stays open and counts as before.

    Raises Refused, InvalidInput; then nothing was changed.
    """
    with _about(finding_id, actor):
        finding, actor = _locked(finding_id), with_roles_of_now(actor)
        _needs(actor, Capability.HANDLE_FINDING, "Your role does not let you acknowledge findings.")
        if finding.acknowledged_at is not None:
            raise _no("acknowledged_already", "Somebody has acknowledged this finding already.")
        _has_words(reason, "Say in a sentence what you know or do about it.")
        event = record_finding(finding, type="finding.acknowledged", actor=actor, text=reason)
        finding.acknowledged_by_id, finding.acknowledged_at = account_of(actor), database_now()
        finding.acknowledgement_event_id = event.pk
        finding.save(update_fields=["acknowledged_by", "acknowledged_at", "acknowledgement_event_id"])
        tell_of(finding, News.ACKNOWLEDGED)
        return finding


def give_finding(*, actor: Actor, finding_id: int, owner_id: int | None) -> Finding:
    """Gives the finding to somebody who can handle it, or to nobody. Raises Refused, InvalidInput."""
    with _about(finding_id, actor):
        finding, actor = _locked(finding_id), with_roles_of_now(actor)
        _needs(actor, Capability.HANDLE_FINDING, "Your role does not let you give findings to people.")
        owner = User.objects.filter(pk=owner_id, is_active=True).first() if owner_id is not None else None
        if owner_id is not None and (owner is None or not actor_of(owner).may(Capability.HANDLE_FINDING)):
            raise InvalidInput({"owner": "Choose somebody whose role can handle findings."})
        finding.owner = owner
        finding.save(update_fields=["owner"])
        login = owner.get_username() if owner is not None else None
        record_finding(finding, type="finding.owned", actor=actor, details={"login": login})
        return finding


def explain_finding(*, actor: Actor, finding_id: int, reason: str) -> Finding:
    """Closes what happened outside the portal with a manager's explanation; everything else closes by itself.

    Raises Refused, InvalidInput; then nothing was changed.
    """
    with _about(finding_id, actor):
        finding, actor = _locked(finding_id), with_roles_of_now(actor)
        _needs(actor, Capability.EXPLAIN_FINDING, "Only a manager can explain and close this.")
        if KINDS[FindingCode(finding.code)].closes_by_itself:
            raise _no("closes_by_itself", "This finding closes by itself when its cause has gone.")
        if not actor.is_human:
            raise _no("not_a_person", "A person has to explain this.")
        _has_words(reason, "Say in a sentence who did it and why.")
        event = record_finding(finding, type="finding.explained", actor=actor, text=reason)
        finding.explained_by_id, finding.explanation_event_id = account_of(actor), event.pk
        finding.closed_at = database_now()
        finding.save(update_fields=["explained_by", "explanation_event_id", "closed_at"])
        tell_of(finding, News.CLOSED)
        return finding


def _locked(finding_id: int) -> Finding:
    found = Finding.objects.select_for_update(of=("self",)).select_related("project", "branch__project", "owner")
    finding = found.get(pk=finding_id)
    if finding.closed_at is not None:
        raise _no("finding_closed", "This finding is closed. Nothing was changed.")
    return finding


def _has_words(reason: str, sentence: str) -> None:
    if len(reason.strip()) < _SHORTEST_REASON:
        raise InvalidInput({"reason": sentence})


def _needs(actor: Actor, capability: Capability, sentence: str) -> None:
    if not actor.may(capability):
        raise _no("not_allowed", sentence)


def _no(code: str, sentence: str) -> Refused:
    return Refused(action=None, code=code, sentence=sentence)


def _about(finding_id: int, actor: Actor) -> AbstractContextManager[None]:
    finding = Finding.objects.select_related("project", "branch__project").get(pk=finding_id)
    return refusals_recorded(actor=actor, target=target_of_finding(finding))
