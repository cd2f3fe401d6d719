"""A small health database, and two copies of it: one stands for the source, the other for the drill's copy."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from backups.domain.execution import CheckOutcome
from backups.verification import Dsn
from backups.verification.drill import (
    CheckPack,
    CheckVerdict,
    DrillTarget,
    PlannedCheck,
    kept_connections,
    plan_checks,
    run_check,
)
from neon_sandbox.plain import PlainPostgres

TEMPLATE = "drill_template"
KEY = b"a secret of the portal, for tests"
#: All rows of the template say that they are older than this.
POINT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
_READ_FIRST = "copy_read"
_AFTER_READING = {"point_time", "newest_row", "row_counts", "fingerprint"}

SCHEMA = """
    CREATE TABLE django_migrations (id int GENERATED ALWAYS AS IDENTITY, app text, name text, applied timestamptz);
    INSERT INTO django_migrations (app, name, applied)
        SELECT 'care', '000' || i, timestamptz '2026-01-01Z' + i * interval '1 day' FROM generate_series(1, 4) i;
    CREATE TABLE families (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
    INSERT INTO families (name) SELECT 'family ' || i FROM generate_series(1, 20) i;
    CREATE TABLE doses (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        family_id int NOT NULL REFERENCES families (id), amount numeric NOT NULL CHECK (amount > 0), note text,
        facts json, place point, created_at timestamptz NOT NULL);
    INSERT INTO doses (family_id, amount, note, facts, place, created_at)
        SELECT 1 + i % 20, i % 7 + 1, 'n' || i, json_build_object('i', i), point(i, i),
               timestamptz '2026-03-01 10:00Z' + i * interval '10 s' FROM generate_series(1, 500) i;
    CREATE INDEX doses_by_family ON doses (family_id, created_at DESC);
    CREATE INDEX doses_by_note ON doses (lower(note)) WHERE amount > 2;
    CREATE TABLE tags (name text);
    INSERT INTO tags SELECT 'tag ' || i % 3 FROM generate_series(1, 30) i;
    CREATE TABLE visits (id int, at date NOT NULL, words tsvector, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO visits
        SELECT i, date '2026-01-01' + i, to_tsvector('simple', 'word' || i) FROM generate_series(1, 50) i;
    CREATE INDEX visits_by_words ON visits_2026 USING gin (words);
    CREATE SCHEMA "Ward 7";
    CREATE TABLE "Ward 7"."100% of {beds}; --" ("a%s" int PRIMARY KEY, "_row" text);
    INSERT INTO "Ward 7"."100% of {beds}; --" SELECT i, 'bed' FROM generate_series(1, 10) i;
    CREATE EXTENSION pg_trgm;
    CREATE VIEW given AS SELECT id, amount FROM doses;
    CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE AGGREGATE total (numeric) (SFUNC = numeric_add, STYPE = numeric);
    CREATE TRIGGER stamped BEFORE UPDATE ON doses FOR EACH ROW EXECUTE FUNCTION stamp();
    ALTER TABLE django_migrations ENABLE ROW LEVEL SECURITY;
    CREATE POLICY applied_ones ON django_migrations USING (id > 0);
"""


@dataclass
class Sides:
    """The source and the copy of one test. `run` runs one check to its end, after what it needs to have learned."""

    server: PlainPostgres
    source: str
    copy: str
    pack: CheckPack = field(default_factory=CheckPack)
    changes: dict[str, Any] = field(default_factory=dict)

    def on_copy(self, *statements: str) -> list[tuple[Any, ...]]:
        return execute(self.server.url(self.copy), *statements)

    def at_source(self, *statements: str) -> list[tuple[Any, ...]]:
        return execute(self.server.url(self.source), *statements)

    def target(self) -> DrillTarget:
        values: dict[str, Any] = {
            "database": "carecircle",
            "copy": Dsn(self.server.url(self.copy)),
            "source": Dsn(self.server.url(self.source)),
            "point_at": POINT,
            "pack": self.pack,
            "hash_key": KEY,
            "statistics_settle_seconds": 0,
        }
        return DrillTarget(**values | self.changes)

    def run(self, code: str, subject: str = "") -> CheckVerdict:
        target = self.target()
        if code in _AFTER_READING:
            read = to_the_end(PlannedCheck(_READ_FIRST, "", target.database, "", True), target)
            target = target.learn(_READ_FIRST, read.figures)
        return to_the_end(PlannedCheck(code, "", target.database, subject, True), target)

    def run_all(self) -> dict[tuple[str, str], CheckVerdict]:
        target = self.target()
        found = {}
        with kept_connections():
            for planned in plan_checks(target):
                verdict = to_the_end(planned, target)
                found[planned.code, planned.subject] = verdict
                target = target.learn(planned.code, verdict.figures)
        return found


def to_the_end(planned: PlannedCheck, target: DrillTarget, *, budget_seconds: float = 20) -> CheckVerdict:
    cursor = None
    while True:
        verdict = run_check(planned, target, budget_seconds=budget_seconds, cursor=cursor)
        if verdict.has_ended:
            return verdict
        cursor = verdict.cursor
        time.sleep(verdict.retry_after_seconds)


def not_passed(found: dict[tuple[str, str], CheckVerdict]) -> dict[tuple[str, str], str]:
    return {key: verdict.sentence for key, verdict in found.items() if verdict.outcome is not CheckOutcome.PASSED}


def execute(dsn: str, *statements: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as client:
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            cursor = client.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
        return rows


_NUMBERS = itertools.count(1)


@contextmanager
def database(server: PlainPostgres, template: str = TEMPLATE) -> Iterator[str]:
    name = f"drill_{next(_NUMBERS)}"
    identifiers = [sql.Identifier(name), sql.Identifier(template)]
    with psycopg.connect(server.url("postgres"), autocommit=True) as administrator:
        administrator.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*identifiers))
        yield name
        administrator.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifiers[0]))
