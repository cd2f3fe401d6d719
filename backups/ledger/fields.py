"""The fields that an event may carry, each with one meaning and one kind of value everywhere.

The kinds are narrow on purpose: what is not an id, a number, a time, a hash or a short name of ours
cannot get into the ledger, so neither can a patient's data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from ipaddress import ip_address
from typing import TypeAlias

from backups.domain.sensitive import Kind, kinds_in
from backups.ledger.canonical import JSON
from backups.ledger.errors import FieldRefused, NotInCatalogue
from backups.ledger.identifiers import parse_utc, utc_text

Detail: TypeAlias = "JSON | datetime"

MAX_LIST_ITEMS = 500
MAX_ID_CHARACTERS = 200

# A login may be a mail address; nothing else of the kinds may be a field's value.
_NEVER = frozenset(Kind) - {Kind.MAIL}

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ID = re.compile(rf"[A-Za-z0-9_.:@/+#-]{{1,{MAX_ID_CHARACTERS}}}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]{1,200}")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_LSN = re.compile(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}")
_PATH = re.compile(r"/[A-Za-z0-9_./{}%~-]{0,300}")


def _matching(pattern: re.Pattern[str], *, holds_words: bool = True) -> Callable[[Detail], JSON]:
    def read(value: Detail) -> JSON:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise FieldRefused("has another form than its kind allows")
        if holds_words and not _NEVER.isdisjoint(kinds_in(value)):
            raise FieldRefused("seems to hold a secret, or a patient's number")
        return str(value)

    return read


def _integer(value: Detail) -> JSON:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldRefused("must be an integer")
    return value


def _boolean(value: Detail) -> JSON:
    if not isinstance(value, bool):
        raise FieldRefused("must be true or false")
    return value


def _time(value: Detail) -> JSON:
    if isinstance(value, datetime):
        return utc_text(value)
    if not isinstance(value, str):
        raise FieldRefused("must be a time")
    return utc_text(parse_utc(value))


def address(value: Detail) -> JSON:
    """An IPv4 or IPv6 address in its shortest form."""
    return str(ip_address(str(value)))


def _read_list(item: Callable[[Detail], JSON], value: Detail) -> JSON:
    if not isinstance(value, list | tuple) or len(value) > MAX_LIST_ITEMS:
        raise FieldRefused(f"must be a list of at most {MAX_LIST_ITEMS}")
    return [item(member) for member in value]


def _list_of(item: Callable[[Detail], JSON]) -> Callable[[Detail], JSON]:
    return partial(_read_list, item)


def _counts(value: Detail) -> JSON:
    """Numbers by name, such as rows by table."""
    if not isinstance(value, Mapping) or len(value) > MAX_LIST_ITEMS:
        raise FieldRefused(f"must be a map of at most {MAX_LIST_ITEMS} numbers")
    return {str(label(name)): _integer(number) for name, number in value.items()}


code = _matching(_CODE)
identifier = _matching(_ID)
label = _matching(_LABEL)
sha256 = _matching(_SHA256, holds_words=False)
lsn = _matching(_LSN, holds_words=False)
path = _matching(_PATH)

FIELDS: dict[str, Callable[[Detail], JSON]] = {
    # what is asked for
    "request": identifier,
    "undoes": identifier,
    "kind": code,
    "scenario": code,
    "urgency": code,
    "point_kind": code,
    "point_time": _time,
    "point_lsn": lsn,
    "point_snapshot": identifier,
    "noticed_at": _time,
    "began_at": _time,
    "writers_stopped": code,
    "changed_fields": _list_of(code),
    "before": label,
    "after": label,
    "from_state": code,
    "to_state": code,
    # packet, votes and clocks
    "digest": sha256,
    "previous_digest": sha256,
    "packet_number": _integer,
    "packet_sha256": sha256,
    "unknown_facts": _list_of(code),
    "changed_facts": _list_of(code),
    "vote": code,
    "step": _integer,
    "of": _integer,
    "votes_voided": _integer,
    "voters": _list_of(identifier),
    "policy": identifier,
    "policy_version": _integer,
    "start_mode": code,
    "minutes_discarded": _integer,
    "deadline": _time,
    "question": _boolean,
    # execution
    "execution": identifier,
    "step_name": code,
    "attempt": _integer,
    "fence": _integer,
    "decision": code,
    "branch_name": label,
    "branch": identifier,
    "previous_branch": identifier,
    "preserved_branch": identifier,
    "preserved_name": label,
    "preview_branch": identifier,
    "endpoint": identifier,
    "host": identifier,
    "operation_ids": _list_of(identifier),
    "operation_status": code,
    "last_reset_at": _time,
    "expires_at": _time,
    "submitted_at": _time,
    "writable_at": _time,
    "next_attempt_at": _time,
    "duration_ms": _integer,
    "error": code,
    "message": label,
    # checks
    "check": code,
    "check_result": code,
    "required": _boolean,
    "passed": _integer,
    "failed": _integer,
    "inconclusive": _integer,
    "table": label,
    "tables": _list_of(label),
    "tables_unclear": _list_of(label),
    "databases": _list_of(label),
    "rows": _counts,
    "rows_lost": _integer,
    "rows_back": _integer,
    "evidence_sha256": sha256,
    # drills and the canary
    "drill_plan": identifier,
    "drill_schedule": label,
    "last_due_at": _time,
    "slots": _integer,
    "seed": _integer,
    "window_from": _time,
    "window_to": _time,
    "rto_ms": _integer,
    "rpo_ms": _integer,
    "yielded_ms": _integer,
    "rto_objective_seconds": _integer,
    "rpo_objective_seconds": _integer,
    "every_seconds": _integer,
    # calls to Neon
    "method": code,
    "path": path,
    "call_id": identifier,
    "status": _integer,
    "neon_error": code,
    "effect": code,
    # drills, what people add to them, duties
    "drill": identifier,
    "planned_for": _time,
    "happened_at": _time,
    "outcome": code,
    "participants": _integer,
    "severity": code,
    "file_sha256": sha256,
    "content_type": identifier,
    "bytes": _integer,
    "findings_count": _integer,
    "open_actions": _integer,
    "action": identifier,
    "owner": identifier,
    "due_on": code,
    "previous_due_on": code,
    "duty": code,
    "due_at": _time,
    "setup_sha256": sha256,
    # access
    "login": label,
    "login_hash": identifier,
    "role": code,
    "means": code,
    "capability": code,
    "refused": code,
    "service_account": _boolean,
    "active": _boolean,
    "staff": _boolean,
    "superuser": _boolean,
    # projects, policy, secrets, notifications, system
    "project": identifier,
    "environment": code,
    "previous_environment": code,
    "default_branch": _boolean,
    "neon_protected": _boolean,
    "plan": code,
    "history_seconds": _integer,
    "findings": _list_of(code),
    "secret": code,
    "secret_fingerprint": identifier,
    "channel": code,
    "switched_on": _list_of(code),
    "switched_off": _list_of(code),
    "template": code,
    "recipient": identifier,
    "recipients": _integer,
    "attempts": _integer,
    "version": label,
    "node": identifier,
    "format": code,
    "events": _integer,
    "page": code,
    "population": code,
    "sample_seed": code,
    "with_sandbox": _boolean,
    "period_from": _time,
    "period_to": _time,
    "filter_sha256": sha256,
    # the monitor, and backups as declared
    "finding": identifier,
    "control": code,
    "record": identifier,
    "proposal": identifier,
    # what is left after a restore, safety copies, tokens
    "points": _integer,
    "point": code,
    "subject": label,
    "sessions_before": _integer,
    "sessions_now": _integer,
    "section": code,
    "removal": identifier,
    "safety_copy": identifier,
    "neon_id": identifier,
    "keep_days": _integer,
    "slot_time": _time,
    "token": identifier,
    "scopes": _list_of(code),
    # what people typed
    "erased_event": identifier,
    "text_commitment": sha256,
    "scan_overridden": _list_of(code),
    # the ledger itself
    "since": _time,
    "sealed_size": _integer,
    "schedule": _list_of(label),
    # log reviews
    "log_review": identifier,
    "first_leaf": _integer,
    "last_leaf": _integer,
    "sample_size": _integer,
    "items": _integer,
    "item": _integer,
    "mark": code,
    "marked_ok": _integer,
    "questions": _integer,
    "problems": _integer,
    # the governance register
    "governance_version": _integer,
    "data_class": code,
    "criticality": code,
    "review_on": code,
    "baa_on": code,
    "owners": _list_of(identifier),
}


_KINDS: dict[Callable[[Detail], JSON], str] = {
    code: "code word",
    identifier: "id",
    label: "short name",
    sha256: "SHA-256",
    lsn: "position in the database's log",
    path: "path",
    _integer: "whole number",
    _boolean: "yes or no",
    _time: "time (UTC)",
    _counts: "numbers by name",
}


def kind_words(name: str) -> str:
    """What kind of value the field holds, in words."""
    kind = FIELDS[name]
    if isinstance(kind, partial):
        return f"list, each a {_KINDS[kind.args[0]]}"
    return _KINDS[kind]


def read_fields(*, allowed: frozenset[str], details: Mapping[str, Detail]) -> dict[str, JSON]:
    """The details as they enter the event; absent values (None) are left out. Raises NotInCatalogue, FieldRefused."""
    present = {name: value for name, value in details.items() if value is not None}
    foreign = sorted(present.keys() - allowed)
    if foreign:
        raise NotInCatalogue(f"These fields are not declared for this type of event: {', '.join(foreign)}.")
    return {name: read_value(name, FIELDS[name], value) for name, value in present.items()}


def read_value(name: str, kind: Callable[[Detail], JSON], value: Detail) -> JSON:
    """The value as its kind writes it. Raises FieldRefused, whose message names the field and never the value:

    that may be the very thing which must not be written anywhere.
    """
    try:
        return kind(value)
    except FieldRefused as error:
        raise FieldRefused(f"{name} {error}.") from None
    except ValueError:
        raise FieldRefused(f"{name} is not written as the ledger writes it.") from None
