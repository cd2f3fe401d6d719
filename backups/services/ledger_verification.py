"""Verifying the whole ledger on demand: asked for on a page, done by the worker with the code of the auditor's program.

It reads every event, so one is done at a time. What it finds is a row and an event; who does not trust the portal takes
a bundle and verifies it elsewhere.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from backups.domain.ledger import Outcome, Target
from backups.domain.ledger_verification import VERDICT_OF_STATUS, VerificationState
from backups.domain.people import Actor, Capability
from backups.ledger.fields import Detail
from backups.ledger.verifier.log import Report
from backups.ledger.verifier.notes import parse_checkpoint
from backups.models import LedgerCheckpoint, LedgerVerification
from backups.selectors.clock import database_now
from backups.selectors.ledger_verification import open_verifications
from backups.services.execution.events import the_worker
from backups.services.ledger import record_event
from backups.services.patience import patience
from backups.services.restore.errors import Refused
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now
from backups.services.sealing.errors import KeyUnusable
from backups.services.sealing.sealer import newest_note
from backups.services.sealing.verify import (
    check_database,
    configured_anchor_directories,
    configured_keys,
    configured_tsa_roots,
    record_verification,
)

logger = logging.getLogger(__name__)

#: Anchors are read in one go before the first event is counted; who is silent for so long is dead.
LEASE = dt.timedelta(minutes=5)
#: A million events take less than a minute. What takes longer than this is for the command verify_ledger.
MOST_SECONDS = 30 * 60
MOST_ATTEMPTS = 3
#: Some questions are put to all events at once. Shorter than the lease.
PATIENCE_MILLISECONDS = 120_000
_MOST_FINDINGS = 50


class _Ended(Exception):
    """Another worker has taken it on, or its time is over."""


def ask_for_verification(*, actor: Actor) -> LedgerVerification:
    """A row that the worker takes up. Raises Refused, with a sentence for whoever asked, while another one is open."""
    with refusals_recorded(actor=actor, target=_target_of(None)):
        person = with_roles_of_now(actor)
        if not person.may(Capability.READ_LEDGER):
            raise Refused(action=None, code="verify_not_allowed", sentence="Your role does not let you verify the log.")
        _one_at_a_time()
        other = open_verifications().first()
        if other is not None:
            sentence = f"{other}, asked for by {other.person_name}, is not finished. Look there; nothing new was begun."
            raise Refused(action=None, code="verification_open", sentence=sentence)
        made = LedgerVerification.objects.create(
            person_id=account_of(person), person_name=person.name, asked_at=database_now()
        )
        _record(made, "ledger.verification_asked", person, {})
        return made


def verify_when_asked() -> int:
    """The worker's duty; returns how many verifications came to a verdict."""
    asked = _claim()
    if asked is None:
        return 0
    try:
        with patience(PATIENCE_MILLISECONDS):
            report = _report(asked)
    except _Ended as ended:
        logger.warning("%s is not finished here: %s", asked, ended)
        return 0
    except (OperationalError, OSError) as error:
        logger.exception("%s came to no verdict", asked)
        _give_up(asked, "not_readable", f"Database or anchors could not be read ({type(error).__name__}), so nothing "
                 "can be said of the log. Look into the worker's log, then ask again.")  # fmt: skip
        return 0
    return _finish(asked, report)


def _claim() -> LedgerVerification | None:
    """The one that waits or whose worker is silent, leased to this one; None when there is none."""
    with transaction.atomic():
        now = database_now()
        due = open_verifications().exclude(lease_until__gte=now)
        asked = due.select_for_update(skip_locked=True).first()
        if asked is None:
            return None
        if asked.attempts >= MOST_ATTEMPTS:
            _fail(asked, "worker_lost", f"The worker died {MOST_ATTEMPTS} times while it verified, so nothing can be "
                  "said of the log. Look into its log, and run verify_ledger on the portal's host.")  # fmt: skip
            return None
        newest = newest_note()
        asked.state, asked.lease_until, asked.attempts = VerificationState.RUNNING, now + LEASE, asked.attempts + 1
        asked.began_at, asked.events, asked.events_expected = now, 0, newest.size if newest else 0
        asked.save()
        return asked


def _report(asked: LedgerVerification) -> Report:
    """Without keys it can tell nothing, and says so: that is a verdict too."""
    directories = configured_anchor_directories()
    asked.anchors = [
        {"name": str(each), "checkpoints": sum(1 for _ in each.rglob("*.checkpoint"))} for each in directories
    ]
    try:
        keys = configured_keys()
    except KeyUnusable as unusable:
        report = Report()
        report.unclear(str(unusable))
        return report
    asked.keys = [key.text() for key in keys]
    return check_database(
        keys=keys,
        anchor_directories=directories,
        tsa_roots=configured_tsa_roots(),
        looked_at=lambda count: _goes_on(asked, count),
    )


def _goes_on(asked: LedgerVerification, count: int) -> None:
    now = database_now()
    if not _mine(asked).update(events=count, lease_until=now + LEASE):
        raise _Ended("another worker has taken it on")
    if asked.began_at and (now - asked.began_at).total_seconds() > MOST_SECONDS:
        _give_up(asked, "too_long", f"It took more than {MOST_SECONDS // 60} minutes and was ended, so nothing can be "
                 "said of the log. Run verify_ledger on the portal's host, or verify a bundle.")  # fmt: skip
        raise _Ended("its time is over")


def _finish(asked: LedgerVerification, report: Report) -> int:
    """Result and event in one transaction, if it is still this worker's."""
    with transaction.atomic():
        mine = _mine(asked).select_for_update().first()
        if mine is None:
            return 0
        mine.state, mine.lease_until, mine.finished_at = VerificationState.DONE, None, database_now()
        mine.verdict = VERDICT_OF_STATUS[report.status]
        mine.events, mine.sealed, mine.anchored = report.entries, report.sealed, report.anchored
        mine.root = _root_of(report.sealed)
        mine.keys, mine.anchors = asked.keys, asked.anchors
        mine.findings = [finding.sentence for finding in report.findings[:_MOST_FINDINGS]]
        mine.findings_count, mine.remarks = len(report.findings), list(report.remarks)
        mine.save()
        record_verification(report, actor=the_worker(), target=_target_of(mine), correlation=str(mine))
    return 1


def _root_of(size: int) -> str:
    """In hex, out of the note that was held against the events; empty where no checkpoint holds."""
    note = LedgerCheckpoint.objects.filter(size=size).values_list("note", flat=True).first()
    return parse_checkpoint(note).root.hex() if note and size else ""


def _give_up(asked: LedgerVerification, code: str, sentence: str) -> None:
    with transaction.atomic():
        mine = _mine(asked).select_for_update().first()
        if mine is not None:
            _fail(mine, code, sentence)


def _fail(mine: LedgerVerification, code: str, sentence: str) -> None:
    """In the caller's transaction, which holds the row."""
    mine.state, mine.lease_until, mine.finished_at = VerificationState.FAILED, None, database_now()
    mine.problem = sentence
    mine.save()
    _record(
        mine, "ledger.verification_failed", the_worker(), {"error": code, "attempts": mine.attempts}, Outcome.FAILURE
    )


def _mine(asked: LedgerVerification) -> QuerySet[LedgerVerification]:
    """The row while this attempt holds it."""
    return LedgerVerification.objects.filter(pk=asked.pk, state=VerificationState.RUNNING, attempts=asked.attempts)


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('ledger_verification', 8021))")


def _target_of(verification: LedgerVerification | None) -> Target:
    """None: one that does not exist yet."""
    return Target(kind="ledger_verification", id=str(verification) if verification else "new")


def _record(
    verification: LedgerVerification,
    type: str,
    actor: Actor,
    details: Mapping[str, Detail],
    outcome: Outcome = Outcome.SUCCESS,
) -> None:
    target = _target_of(verification)
    record_event(type=type, actor=actor, target=target, details=details, outcome=outcome, correlation=str(verification))
