"""The worker's duty that writes the canaries when they are due. One dead branch delays no other."""

from __future__ import annotations

import datetime as dt
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from backups.models import Canary, CanaryBeat
from backups.neon.errors import NeonError
from backups.selectors.clock import database_now
from backups.selectors.restore import governing_requests
from backups.services.canary import record_canary
from backups.services.database_access import NamedDatabase, databases_of, dsn_of
from backups.services.execution.events import the_worker
from backups.services.neon_access import client_for
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable
from backups.verification import DatabaseUnreachable, Dsn, OutOfTime
from backups.verification.drill import Beat, ensure_canary, write_beat
from backups.verification.errors import NotReadable

logger = logging.getLogger("backups.canary")

#: So many branches are written to at the same time.
_AT_ONCE = 8
_MOST_AT_ONCE = 200
_CALL_SECONDS = 5.0
#: How long an address is kept in this process, and nowhere else; it holds a password.
_ADDRESS_SECONDS = 3600.0
#: A branch that can't be written to is tried less and less often, at least this often.
_LONGEST_PAUSE = dt.timedelta(minutes=10)
#: Beats are known for this much longer than Neon keeps history.
_KEPT_BEYOND = dt.timedelta(days=1)
_LONGEST_HISTORY = dt.timedelta(days=30)
_PRUNED_AT_ONCE = 500

_CLAIM = """
UPDATE backups_canary SET next_at = clock_timestamp() + make_interval(secs => every_seconds)
 WHERE id IN (SELECT id FROM backups_canary
               WHERE is_on AND (next_at IS NULL OR next_at <= clock_timestamp())
               ORDER BY next_at NULLS FIRST LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class _Order:
    """One beat to be written. Threads touch nothing but this."""

    canary: Canary
    dsn: Dsn
    keep: dt.timedelta


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why no beat was written; `code` is for the ledger."""

    code: str
    sentence: str


_addresses: dict[int, tuple[float, Dsn]] = {}


def beat_due_canaries() -> int:
    """Writes a beat into each branch whose time has come; returns how many were written.

    Production restores come first: while one is approved or running nothing is written into its project.
    """
    due = [canary for canary in _claimed() if not governing_requests(canary.branch.project).exists()]
    orders = [order for canary in due if (order := _order(canary)) is not None]
    if not orders:
        return 0
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(orders))) as pool:
        results = list(pool.map(_written, orders))
    for order, result in zip(orders, results, strict=True):
        _note(order, result)
    return sum(isinstance(result, Beat) for result in results)


def forget_addresses() -> None:
    """Drops what this process knows of addresses."""
    _addresses.clear()


def _claimed() -> list[Canary]:
    """Each due canary once, whoever else asks at the same time; a beat that is lost with this process is not missed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [_MOST_AT_ONCE])
        ids = [row[0] for row in cursor.fetchall()]
    return list(Canary.objects.filter(pk__in=ids).select_related("branch__project").order_by("pk"))


def _order(canary: Canary) -> _Order | None:
    try:
        dsn = _address(canary)
    except (NeonError, SecretUnreadable, SecretsKeyUnusable) as error:
        _note_trouble(canary, _Trouble("neon", getattr(error, "happened", "The API key can't be used")))
        return None
    if dsn is None:
        _note_trouble(canary, _Trouble("no_database", "Neon shows no database on the branch."))
        return None
    return _Order(canary, dsn, _horizon(canary))


def _address(canary: Canary) -> Dsn | None:
    """The branch's own connection string, asked of Neon once in a while. Raises NeonError."""
    known = _addresses.get(canary.branch_id)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    branch = canary.branch
    with client_for(branch.project, correlation=f"canary-{branch.pk}") as whole:
        client = whole.limited_to(min(_CALL_SECONDS, settings.NEON_CALL_DEADLINE_SECONDS))
        database = NamedDatabase(branch.database_name, branch.role_name)
        if not database.name or not database.role:
            found = databases_of(client, branch.project, neon_branch_id=branch.neon_branch_id)
            if not found:
                return None
            database = next((each for each in found if each.name == branch.database_name), found[0])
        dsn = dsn_of(client, branch.project, neon_branch_id=branch.neon_branch_id, database=database)
    _addresses[canary.branch_id] = (time.monotonic() + _ADDRESS_SECONDS, dsn)
    return dsn


def _written(order: _Order) -> Beat | _Trouble:
    """In a thread of its own, without Django: connects, writes one row, prunes. Ends by itself within seconds."""
    after = order.canary.last_number or 0
    try:
        try:
            return write_beat(order.dsn, after_number=after, keep=order.keep)
        except NotReadable:
            # No table yet, or none any more since a restore went back to before it.
            ensure_canary(order.dsn)
            return write_beat(order.dsn, after_number=after, keep=order.keep)
    except DatabaseUnreachable:
        return _Trouble("unreachable", "The branch took no connection.")
    except OutOfTime:
        return _Trouble("out_of_time", "The branch did not answer within two seconds.")
    except NotReadable as error:
        return _Trouble("refused", f"The branch refused it: {error}.")
    except Exception as error:  # whatever it is, it must not keep the other branches from being written down
        logger.error("a canary could not be written: %s", type(error).__name__)
        return _Trouble("unforeseen", f"The portal failed ({type(error).__name__}).")


def _note(order: _Order, result: Beat | _Trouble) -> None:
    if isinstance(result, _Trouble):
        # It may be another address, or another password, by now.
        _addresses.pop(order.canary.branch_id, None)
        _note_trouble(order.canary, result)
        return
    with transaction.atomic():
        canary = _locked(order.canary.pk)
        CanaryBeat.objects.get_or_create(
            branch=canary.branch, number=result.number, defaults={"written_at": result.written_at}
        )
        if canary.problem_since is not None:
            took = round((database_now() - canary.problem_since).total_seconds() * 1000)
            record_canary(canary.branch, "canary.recovered", actor=the_worker(), details={"duration_ms": took})
        canary.problem, canary.problem_since = "", None
        canary.last_number, canary.last_written_at = result.number, result.written_at
        canary.save(update_fields=["problem", "problem_since", "last_number", "last_written_at"])
        _prune(canary, order.keep)


def _note_trouble(canary: Canary, trouble: _Trouble) -> None:
    """The first time is an event; after that only the sentence is kept, and the pause grows."""
    with transaction.atomic():
        row = _locked(canary.pk)
        now = database_now()
        if row.problem_since is None:
            row.problem_since = now
            record_canary(row.branch, "canary.failed", actor=the_worker(), details={"error": trouble.code})
        pause = max(dt.timedelta(seconds=row.every_seconds), min((now - row.problem_since) / 2, _LONGEST_PAUSE))
        row.problem = trouble.sentence[:200]
        if row.is_on:
            row.next_at = now + pause
        row.save(update_fields=["problem", "problem_since", "next_at"])


def _locked(canary_id: int) -> Canary:
    return Canary.objects.select_for_update(of=("self",)).select_related("branch__project").get(pk=canary_id)


def _horizon(canary: Canary) -> dt.timedelta:
    seconds = canary.branch.project.history_retention_seconds
    return (dt.timedelta(seconds=seconds) if seconds else _LONGEST_HISTORY) + _KEPT_BEYOND


def _prune(canary: Canary, keep: dt.timedelta) -> None:
    old = CanaryBeat.objects.filter(branch=canary.branch, written_at__lt=database_now() - keep)
    some = list(old.order_by("written_at").values_list("pk", flat=True)[:_PRUNED_AT_ONCE])
    CanaryBeat.objects.filter(pk__in=some).delete()
