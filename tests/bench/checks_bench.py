"""What the checks of a drill cost: the fingerprint of a large table, and all checks of the demo database."""

from __future__ import annotations

import datetime as dt
import json
import statistics
import sys

import psycopg
from psycopg import sql

from backups.domain.execution import CheckOutcome
from backups.verification import Dsn
from backups.verification.catalog import read_tables
from backups.verification.connection import Budget, open_snapshot
from backups.verification.drill import DrillTarget, kept_connections, plan_checks
from backups.verification.fingerprint import Fingerprint, read_fingerprint, read_row_hash
from demo import seed
from neon_sandbox.plain import PlainPostgres
from neon_sandbox.testing import running_postgres, temporary_state_dir
from tests.bench.measuring import Figure, seconds
from tests.verification.drill.databases import database, to_the_end

ROWS = 5_000_000
ROUNDS = 5
LARGEST_RATIO = 1.5
CHECKS_GOAL_SECONDS = 2.5
_BARE = "SELECT count(*), bit_xor(hash_record_extended(t, 0)) FROM t"
_LARGE = f"""
    CREATE TABLE t AS
    SELECT i::bigint AS id, (i::bigint * 7919 % 100000)::int AS person, md5(i::text) AS note,
           timestamptz '2026-01-01Z' + i * interval '1 s' AS created_at, i % 3 = 0 AS given
    FROM generate_series(1, {ROWS}) AS i"""  # noqa: S608 - a number


def figures(rounds: int = ROUNDS) -> list[Figure]:
    """On disk, as the other benches."""
    with (
        temporary_state_dir(on_disk=True) as directory,
        running_postgres("large", "demo", state_dir=directory / "state") as server,
    ):
        return [_fingerprint(server, rounds), _all_checks(server, rounds)]


def _fingerprint(server: PlainPostgres, rounds: int) -> Figure:
    """In turn with the bare query, both with the server's own choice of plan."""
    url = server.url("large")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_LARGE)
        connection.execute("VACUUM (ANALYZE) t")
        connection.execute(_BARE)
        ours, bare = [], []
        for _ in range(rounds):
            bare.append(seconds(lambda: connection.execute(_BARE).fetchone()))
            ours.append(seconds(lambda: _read(url)))
    ratio = statistics.median(ours) / statistics.median(bare)
    return {
        "bench": f"checks: fingerprint of a table of {ROWS:,} rows (median)",
        "value": round(statistics.median(ours), 4),
        "unit": "s",
        "against": f"{_BARE}: {statistics.median(bare):.4f} s",
        "ratio": round(ratio, 2),
        "goal": LARGEST_RATIO,
        "met": ratio <= LARGEST_RATIO,
    }


def _read(url: str) -> Fingerprint:
    with open_snapshot(Dsn(url), Budget(60), serves_nobody=True) as snapshot:
        table = read_tables(snapshot)["public.t"]
        found = read_fingerprint(snapshot, table, read_row_hash(snapshot, table), seed=7)
    if found.rows != ROWS:
        raise AssertionError(f"{found.rows} rows were read")
    return found


def _all_checks(server: PlainPostgres, rounds: int) -> Figure:
    """Of two equal databases, one for the copy and one for its source: a drill without Neon's part."""
    seed.load(server.url("demo"))
    with database(server, "demo") as source, database(server, "demo") as copy:
        target = DrillTarget("demo", Dsn(server.url(copy)), Dsn(server.url(source)), point_at=dt.datetime.now(dt.UTC))
        ours = [seconds(lambda: _run_all(target)) for _ in range(rounds)]
        counting = [seconds(lambda: _count_all(server.url(copy), server.url(source))) for _ in range(rounds)]
    value, bare = statistics.median(ours), statistics.median(counting)
    return {
        "bench": "checks: all checks of the demo database, 100,000 rows on each side (median)",
        "value": round(value, 4),
        "unit": "s",
        "against": f"count(*) of every table on both sides: {bare:.4f} s",
        "ratio": round(value / bare, 2),
        "goal": CHECKS_GOAL_SECONDS,
        "met": value <= CHECKS_GOAL_SECONDS,
    }


def _run_all(target: DrillTarget) -> None:
    with kept_connections():
        for planned in plan_checks(target):
            verdict = to_the_end(planned, target)
            if verdict.outcome is not CheckOutcome.PASSED:
                raise AssertionError(f"{planned.title}: {verdict.sentence}")
            target = target.learn(planned.code, verdict.figures)


def _count_all(*urls: str) -> None:
    for url in urls:
        with open_snapshot(Dsn(url), Budget(60)) as snapshot:
            for table in read_tables(snapshot).values():
                snapshot.rows(sql.SQL("SELECT count(*) FROM {}").format(table.identifier))


def main() -> int:
    found = figures()
    for each in found:
        sys.stdout.write(json.dumps(each) + "\n")
    return 0 if all(each["met"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
