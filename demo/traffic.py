"""Live traffic: a client that keeps writing, survives being cut, and remembers what it was promised.

python -m demo.traffic --dsn postgresql://... [--rate 50] [--journal FILE]   until SIGTERM or SIGINT
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

RECONNECT_PAUSE_SECONDS = 0.005
CONNECT_TIMEOUT_SECONDS = 2

_INSERT_LOG = """
    WITH made AS (
        INSERT INTO medication_logs (medication_id, given_by_id, scheduled_for, given_at, status)
        SELECT id, 1 + %(pick)s %% 20, now(), now(), 'given'
        FROM medications WHERE id = 1 + %(pick)s %% (SELECT max(id) FROM medications)
        RETURNING id, medication_id, created_at
    ), told AS (
        INSERT INTO notifications (user_id, medication_log_id, kind)
        SELECT 1 + %(pick)s %% 20, id, 'dose_given' FROM made
    )
    SELECT id, created_at FROM made"""
_INSERT_APPOINTMENT = """
    INSERT INTO appointments (care_recipient_id, title, starts_at)
    SELECT 1 + %(pick)s %% 20, 'Visit by traffic', now() + interval '1 day' RETURNING id, created_at"""
_UPDATE_LOG = """
    UPDATE medication_logs SET status = 'given', updated_at = now()
    WHERE id = (SELECT 1 + %(pick)s %% max(id) FROM medication_logs) RETURNING id, updated_at"""
_UPDATE_MEDICATION = """
    UPDATE medications SET times_a_day = 1 + (times_a_day %% 4), updated_at = now()
    WHERE id = 1 + %(pick)s %% 200 RETURNING id, updated_at"""
_DELETE_OLD_NOTIFICATION = """
    DELETE FROM notifications WHERE id = (SELECT 1 + %(pick)s %% max(id) FROM notifications) RETURNING id, now()"""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A row whose commit was confirmed to the client. `row_at` is the server's time that the row carries."""

    action: str
    table: str
    id: int
    row_at: str
    acknowledged_at: str


@dataclass(frozen=True, slots=True)
class Outage:
    """From the last answer before a cut to the first one after it."""

    began_at: str
    ended_at: str
    seconds: float


@dataclass
class Record:
    """What one client saw. `in_doubt`: the connection was cut before the answer, so they may or may not be there."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    in_doubt: int = 0


class Traffic:
    """One client in a thread. `rate_per_second` None writes as fast as the server answers."""

    #: (share, action, table, statement); shares add up to 1.
    MIX = (
        (0.45, "insert", "medication_logs", _INSERT_LOG),
        (0.15, "insert", "appointments", _INSERT_APPOINTMENT),
        (0.20, "update", "medication_logs", _UPDATE_LOG),
        (0.15, "update", "medications", _UPDATE_MEDICATION),
        (0.05, "delete", "notifications", _DELETE_OLD_NOTIFICATION),
    )

    def __init__(
        self,
        dsn: str,
        *,
        rate_per_second: float | None = 50.0,
        seed: int = 1,
        on_acknowledged: Callable[[Acknowledged], None] | None = None,
    ) -> None:
        self.record = Record()
        self._dsn = dsn
        self._pause_seconds = 1 / rate_per_second if rate_per_second else 0.0
        self._random = random.Random(seed)
        self._on_acknowledged = on_acknowledged
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"traffic-{seed}", daemon=True)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def wait_for(self, more_rows: int, *, timeout_seconds: float = 30) -> None:
        """Returns after this many further confirmed rows. Raises TimeoutError."""
        with self._progress:
            goal = len(self.record.acknowledged) + more_rows
            if not self._progress.wait_for(lambda: len(self.record.acknowledged) >= goal, timeout_seconds):
                raise TimeoutError(f"{more_rows} further rows were not confirmed within {timeout_seconds} s")

    def _run(self) -> None:
        cut_at: dt.datetime | None = None
        while not self._stopping.is_set():
            try:
                with psycopg.connect(
                    self._dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, application_name="carecircle"
                ) as connection:
                    self._write_until_cut(connection, cut_at)
            except psycopg.OperationalError:
                cut_at = cut_at or self._last_answer_at()
                self._stopping.wait(RECONNECT_PAUSE_SECONDS)

    def _write_until_cut(self, connection: psycopg.Connection, cut_at: dt.datetime | None) -> None:
        while not self._stopping.is_set():
            self._write_once(connection)
            if cut_at is not None:
                self._note_outage(cut_at)
                cut_at = None
            if self._pause_seconds:
                self._stopping.wait(self._pause_seconds)

    def _write_once(self, connection: psycopg.Connection) -> None:
        _, action, table, statement = self._random.choices(self.MIX, weights=[m[0] for m in self.MIX])[0]
        try:
            row = connection.execute(statement, {"pick": self._random.randrange(1 << 30)}).fetchone()
        except psycopg.OperationalError:
            self.record.in_doubt += 1
            raise
        except psycopg.IntegrityError:
            return  # what it refers to is gone; a real client would show an error and go on
        if row is not None:
            self._acknowledge(Acknowledged(action, table, row[0], row[1].isoformat(), _now().isoformat()))

    def _acknowledge(self, done: Acknowledged) -> None:
        with self._progress:
            self.record.acknowledged.append(done)
            self._progress.notify_all()
        if self._on_acknowledged is not None:
            self._on_acknowledged(done)

    def _last_answer_at(self) -> dt.datetime:
        done = self.record.acknowledged
        return dt.datetime.fromisoformat(done[-1].acknowledged_at) if done else _now()

    def _note_outage(self, began_at: dt.datetime) -> None:
        ended_at = _now()
        seconds = (ended_at - began_at).total_seconds()
        self.record.outages.append(Outage(began_at.isoformat(), ended_at.isoformat(), seconds))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--rate", type=float, default=50.0, help="writes a second; 0 = as fast as possible")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journal", type=Path, help="one JSON line per confirmed write")
    chosen = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    journal = chosen.journal.open("a", buffering=1) if chosen.journal else None

    def note(done: Acknowledged) -> None:
        if journal is not None:
            journal.write(json.dumps(asdict(done)) + "\n")

    with Traffic(chosen.dsn, rate_per_second=chosen.rate or None, seed=chosen.seed, on_acknowledged=note) as traffic:
        while not stop.wait(1.0):
            pass
    print(json.dumps(summary(traffic.record)))


def summary(record: Record) -> dict[str, Any]:
    return {
        "acknowledged": len(record.acknowledged),
        "in_doubt": record.in_doubt,
        "outages": [asdict(outage) for outage in record.outages],
    }


if __name__ == "__main__":
    main()
