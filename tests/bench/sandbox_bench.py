"""How quickly the sandbox branches and restores, each beside what PostgreSQL itself needs for a start here and now."""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import psycopg

from neon_sandbox.testing import RunningSandbox, running_sandbox, temporary_state_dir
from tests.sandbox.api import Api
from tests.sandbox.real import quiet_moment

ROUNDS = 9
SETTLE_SECONDS = 1.5
ROWS_OF_64_MB = 58_000

Figure = dict[str, Any]


def figures(rounds: int = ROUNDS) -> list[Figure]:
    """On disk, where the demo keeps its state as well."""
    with temporary_state_dir(on_disk=True) as directory, running_sandbox("postgres", directory / "state") as sandbox:
        sandbox.settings(plan="scale")
        api = Api(sandbox)
        with api.http:
            return [_branching(sandbox, api, rounds), _cutting(sandbox, api, rounds)]


def _branching(sandbox: RunningSandbox, api: Api, rounds: int) -> Figure:
    _execute(sandbox.dsn(), "create table small as select generate_series(1, 1000) as id")
    moment = quiet_moment()
    _execute(sandbox.dsn(), "delete from small where id > 500")
    branches, plain_starts = [], []
    for number in range(rounds):
        time.sleep(SETTLE_SECONDS)
        branches.append(_seconds(lambda n=number: _branch(api, f"bench-{n}", moment)))  # type: ignore[misc]
        plain_starts.append(_seconds(lambda: _restart(sandbox)))
        api.done(api.call("DELETE", f"/branches/{api.named(f'bench-{number}')['id']}"))
    return _figure(
        "sandbox: branch of a small database at a timestamp, POST to first query (median)",
        branches,
        plain_starts,
        "stop, start and first query of the same PostgreSQL",
        goal_seconds=0.3,
    )


def _cutting(sandbox: RunningSandbox, api: Api, rounds: int) -> Figure:
    _execute(
        sandbox.dsn(),
        "create table large as select i as id, repeat('x', 1000) as said from generate_series(1, %s::int) i",
        ROWS_OF_64_MB,
    )
    cuts, restarts = [], []
    for number in range(rounds):
        time.sleep(SETTLE_SECONDS)
        moment = quiet_moment()
        _execute(sandbox.dsn(), "delete from large where id / 50 = %s", number)
        with _longest_gap(sandbox.dsn()) as gap:
            body = {"source_branch_id": sandbox.branch_id, "source_timestamp": moment}
            api.done(api.restore(sandbox.branch_id, **body, preserve_under_name=f"old-{number}"))
        cuts.append(gap())
        with _longest_gap(sandbox.dsn()) as gap:
            _restart(sandbox)
        restarts.append(gap())
    return _figure(
        "sandbox: restore in place of a 64 MB database, longest time without an answered query (median)",
        cuts,
        restarts,
        "the same gap when the same PostgreSQL is only stopped and started",
        goal_seconds=0.2,
    )


def _branch(api: Api, name: str, moment: str) -> None:
    made = api.make_branch(name, endpoint=True, parent_timestamp=moment)
    with psycopg.connect(made["connection_uris"][0]["connection_uri"]) as connection:
        row = connection.execute("select count(*) from small").fetchone()
    if row != (1000,):
        raise AssertionError(f"the branch holds {row} rows, not 1000")


def _restart(sandbox: RunningSandbox) -> None:
    plane = sandbox.sandbox.plane
    endpoint = plane.endpoint_of(sandbox.branch_id)
    if endpoint is None:
        raise AssertionError("main has no endpoint")
    plane.storage.release(endpoint.node_id)
    plane.storage.serve(endpoint.node_id, endpoint.port)
    _execute(sandbox.dsn(), "select 1")


@contextmanager
def _longest_gap(dsn: str) -> Iterator[Callable[[], float]]:
    """Asks without a pause from another thread, reconnecting at once; afterwards tells the longest silence."""
    answered = [time.monotonic()]
    stop = threading.Event()
    thread = threading.Thread(target=_ask, args=[dsn, answered, stop])
    thread.start()
    while len(answered) < 20:
        time.sleep(0.005)
    del answered[:10]  # before the first connection was made
    try:
        yield lambda: max(later - earlier for earlier, later in pairwise(answered))
    finally:
        enough = len(answered) + 20
        while len(answered) < enough:
            time.sleep(0.005)
        stop.set()
        thread.join()


def _ask(dsn: str, answered: list[float], stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as connection:
            while not stop.wait(0.002):
                connection.execute("select 1")
                answered.append(time.monotonic())


def _execute(dsn: str, statement: str, *values: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement, values)


def _seconds(act: Callable[[], None]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def _figure(name: str, values: list[float], compared: list[float], against: str, *, goal_seconds: float) -> Figure:
    value, other = statistics.median(values), statistics.median(compared)
    return {
        "bench": name,
        "value": round(value, 4),
        "unit": "s",
        "against": f"{against}: {other:.4f} s",
        "ratio": round(value / other, 2),
        "goal": goal_seconds,
        "met": value < goal_seconds,
    }


def main() -> int:
    found = figures()
    for figure in found:
        sys.stdout.write(json.dumps(figure) + "\n")
    return 0 if all(figure["met"] for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
