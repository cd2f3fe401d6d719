"""A synthetic database with a history, made once; each test gets branches of its own by real recovery."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from backups.verification import connection
from demo import seed
from neon_sandbox.binaries import Tools, prepare
from neon_sandbox.ownership import owned
from neon_sandbox.testing import temporary_state_dir
from tests.verification.story import Story
from tests.verification.timeline import Timeline, make_template

SCALE = 0.05

# Tables that the demo does not have: no key, no time of writing, a key of two columns, a time without a zone,
# partitions, and names that would break careless SQL.
ODD_TABLES = """
    CREATE TABLE measurements (recipient int, value int);
    INSERT INTO measurements SELECT i, i % 40 FROM generate_series(1, 300) i;
    CREATE TABLE care_team (family_id bigint, user_id bigint, role text, PRIMARY KEY (family_id, user_id));
    INSERT INTO care_team SELECT i % 20, i, 'helper' FROM generate_series(1, 200) i;
    CREATE TABLE legacy_notes (code text PRIMARY KEY, body text, created_at timestamp NOT NULL DEFAULT localtimestamp);
    INSERT INTO legacy_notes SELECT 'n' || i, 'note', timestamp '2026-01-01' FROM generate_series(1, 50) i;
    CREATE TABLE visits (id bigint, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO visits SELECT i, date '2025-06-01' + i, 'note' FROM generate_series(1, 400) i;
    CREATE SCHEMA "Ward 7";
    CREATE TABLE "Ward 7"."100% of {beds}; --" (
        "a%s" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "_row" text CHECK ("_row" <> '{}%'),
        "created_at" timestamptz);
    INSERT INTO "Ward 7"."100% of {beds}; --" ("_row", "created_at")
        SELECT 'bed', timestamptz '2026-01-01Z' FROM generate_series(1, 30);
    CREATE EXTENSION pg_surgery;
"""


@pytest.fixture(scope="session")
def tools() -> Iterator[Tools]:
    with temporary_state_dir() as directory:
        found = prepare(directory / "state")
        # A warden stops the servers if this process is killed.
        with owned(directory, found.home):
            yield found


@pytest.fixture(scope="session")
def template(tools: Tools) -> Path:
    def fill(dsn: str) -> None:
        seed.load(dsn, scale=SCALE)
        execute(dsn, ODD_TABLES)

    return make_template(tools, tools.home / "made", fill)


@pytest.fixture(scope="session")
def made() -> Iterator[list[Timeline]]:
    timelines: list[Timeline] = []
    yield timelines
    for timeline in timelines:
        timeline.stop()


@pytest.fixture(autouse=True)
def branches_end_with_the_test(made: list[Timeline]) -> Iterator[None]:
    yield
    for timeline in made:
        for node in [node for node in timeline.nodes if not node.is_kept]:
            timeline.discard(node)


@pytest.fixture(scope="session")
def new_timeline(tools: Tools, template: Path, made: list[Timeline]) -> Callable[..., Timeline]:
    numbers = itertools.count(1)

    def make(start: Path = template, **settings: str) -> Timeline:
        timeline = Timeline(tools, start, tools.home / f"timeline{next(numbers)}", **settings)
        made.append(timeline)
        return timeline

    return make


@pytest.fixture(scope="session")
def story(new_timeline: Callable[..., Timeline]) -> Story:
    """A history with an earlier, the wanted and a later point, shared by tests that only read it."""
    return Story(new_timeline())


@pytest.fixture
def questions_cost_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets run by a clock that only questions advance, so that interruptions fall where a test wants them."""
    seconds = [0.0]
    real = connection.Snapshot.rows

    def rows(self: connection.Snapshot, query: connection.Query) -> list[connection.Row]:
        answer = real(self, query)
        seconds[0] += 1
        return answer

    monkeypatch.setattr(connection.Snapshot, "rows", rows)
    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=lambda: seconds[0]))


def execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as client:
        client.execute(statement)
