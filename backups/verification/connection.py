"""Read-only snapshots with a deadline."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from backups.verification.dsn import Dsn
from backups.verification.errors import DatabaseUnreachable, NotReadable, OutOfTime

APPLICATION_NAME = "carecircle-ops verification"
CONNECT_TIMEOUT_SECONDS = 5
LOCK_TIMEOUT_MS = 1000
# The server ends a statement at the deadline; a server that no longer answers is cut this much later.
GRACE_SECONDS = 3.0
SMALLEST_USEFUL_SECONDS = 0.02

# Rows are compared as text, so both servers must write values in the same way. An empty search_path keeps functions
# and operators of the inspected database from taking the place of PostgreSQL's own. row_security off turns rows that
# would be hidden from us into an error. All of it is LOCAL, as a pooler may hand the session to somebody else.
_BEGIN = f"""
    BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
    SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};
    SET LOCAL search_path = '';
    SET LOCAL row_security = off;
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL extra_float_digits = 1;
    SET LOCAL bytea_output = 'hex';
    SET LOCAL lc_monetary = 'C';
    SET LOCAL max_parallel_workers_per_gather = 0;
    SAVEPOINT question"""
_BEGIN_ALONE = f"""{_BEGIN.removesuffix("SAVEPOINT question")}
    SET LOCAL max_parallel_workers_per_gather = 2;
    SET LOCAL work_mem = '32MB';
    SAVEPOINT question"""

_kept: ContextVar[dict[str, psycopg.Connection[TupleRow]] | None] = ContextVar("kept_connections", default=None)

Query = sql.SQL | sql.Composed | str
Row = TupleRow


class Budget:
    """Seconds that may still be spent."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left_seconds(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def part(self, seconds: float) -> Budget:
        """A smaller budget that never outlasts this one."""
        return Budget(min(seconds, self.left_seconds()))


class Snapshot:
    """One repeatable-read, read-only transaction: every question is answered from the same moment."""

    def __init__(self, connection: psycopg.Connection[TupleRow], budget: Budget) -> None:
        self._connection = connection
        self.budget = budget

    def rows(self, query: Query) -> list[Row]:
        """All rows of the answer. Raises OutOfTime, NotReadable, DatabaseUnreachable; the snapshot stays usable
        after the first two."""
        text = query if isinstance(query, str) else query.as_string(self._connection)
        # One message to the server, however far away it is: let go of the last question's savepoint, and ask.
        framed = (
            "RELEASE question; SAVEPOINT question;"
            f" SET LOCAL statement_timeout = {self._statement_milliseconds()}; {text}"
        )
        with named_errors():
            try:
                return _last_result(self._connection.execute(framed.encode()))
            except psycopg.Error:
                self._forget_question()
                raise

    def _forget_question(self) -> None:
        if not self._connection.broken:
            self._connection.execute("ROLLBACK TO question")

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Within, a question may take at most `seconds`, and never more than the whole budget has left."""
        whole, self.budget = self.budget, self.budget.part(seconds)
        try:
            yield
        finally:
            self.budget = whole

    def row(self, query: Query) -> Row:
        return self.rows(query)[0]

    def value(self, query: Query) -> Any:
        return self.row(query)[0]

    def _statement_milliseconds(self) -> int:
        left = self.budget.left_seconds()
        if left < SMALLEST_USEFUL_SECONDS:
            raise OutOfTime
        return max(1, int(left * 1000))


class Watchdog:
    """Cuts the connection after so many seconds, unless it is ended before."""

    def __init__(self, connection: psycopg.Connection[TupleRow], seconds: float) -> None:
        # A descriptor of its own: the connection's may be somebody else's by the time it barks.
        self._link = socket.socket(fileno=os.dup(connection.fileno()))
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._link.close()

    def _cut(self) -> None:
        with self._lock, suppress(OSError):  # it was ended at this very moment, or the other side has gone
            self._link.shutdown(socket.SHUT_RDWR)


@contextmanager
def kept_connections() -> Iterator[None]:
    """Within, a connection that a snapshot has ended with is used again for the next one on the same database."""
    kept: dict[str, psycopg.Connection[TupleRow]] = {}
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        for connection in kept.values():
            connection.close()


@contextmanager
def open_snapshot(dsn: Dsn, budget: Budget, *, serves_nobody: bool = False) -> Iterator[Snapshot]:
    """Connects and begins the snapshot. Raises DatabaseUnreachable.

    `serves_nobody`: questions may take more of the server than on one that people wait for.
    """
    begin = (_BEGIN_ALONE if serves_nobody else _BEGIN).encode()
    connection = _begun_again(dsn, begin, budget) or connect(dsn)
    watchdog = Watchdog(connection, budget.left_seconds() + GRACE_SECONDS)
    try:
        if connection.info.transaction_status == TransactionStatus.IDLE:
            with named_errors():
                connection.execute(begin)
        yield Snapshot(connection, budget)
    finally:
        _give_back(dsn, connection)  # still watched: a server that has gone silent must not keep us
        watchdog.end()


def _begun_again(dsn: Dsn, begin: bytes, budget: Budget) -> psycopg.Connection[TupleRow] | None:
    """A kept connection in a new transaction, or None: it may have been cut while nobody looked."""
    kept = _kept.get()
    connection = kept.pop(dsn.reveal(), None) if kept else None
    if connection is None:
        return None
    watchdog = Watchdog(connection, budget.left_seconds() + GRACE_SECONDS)
    try:
        connection.execute(begin)
    except psycopg.OperationalError:
        connection.close()
        return None
    finally:
        watchdog.end()
    return connection


def _give_back(dsn: Dsn, connection: psycopg.Connection[TupleRow]) -> None:
    kept = _kept.get()
    if kept is not None and dsn.reveal() not in kept and not connection.closed:
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
            kept[dsn.reveal()] = connection
            return
    connection.close()


def connect(dsn: Dsn) -> psycopg.Connection[TupleRow]:
    try:
        return psycopg.connect(
            dsn.reveal(),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name=APPLICATION_NAME,
        )
    except psycopg.Error as error:
        # The driver's text can quote the connection string, so it is neither shown nor chained.
        raise DatabaseUnreachable(
            f"No connection to {dsn.place()} ({type(error).__name__}). Nothing was changed. "
            "Look whether the endpoint is running and can be reached from here, then try again."
        ) from None


@contextmanager
def named_errors() -> Iterator[None]:
    """Driver errors as ours. Their texts are dropped: PostgreSQL quotes values of rows in some of them."""
    try:
        yield
    except psycopg.errors.QueryCanceled:
        raise OutOfTime from None
    except psycopg.errors.LockNotAvailable:
        raise NotReadable("another session keeps it locked") from None
    except psycopg.errors.InsufficientPrivilege:
        raise NotReadable("the role may not read it") from None
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(
            f"The connection was lost while reading ({type(error).__name__}). Nothing was changed; try again."
        ) from None
    except psycopg.Error as error:
        raise NotReadable(
            f"PostgreSQL refused the question (SQLSTATE {error.sqlstate})", sqlstate=error.sqlstate
        ) from None


def _last_result(cursor: psycopg.Cursor[Row]) -> list[Row]:
    while cursor.nextset():
        pass
    return cursor.fetchall()


def joined(parts: Sequence[sql.Composable], by: str) -> sql.Composed:
    return sql.SQL(by).join(parts)
