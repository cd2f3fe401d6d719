"""What the benches of the sandbox share: times, gaps, and a figure beside its counterpart."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import psycopg

from neon_sandbox.testing import RunningSandbox

Figure = dict[str, Any]


def figure(
    name: str, values: Sequence[float], compared: Sequence[float], against: str, *, goal: float, unit: str = "s"
) -> Figure:
    """Medians; the goal is an upper limit, except for what is counted `a second`, where it is a lower one."""
    value, other = statistics.median(values), statistics.median(compared)
    return {
        "bench": f"sandbox: {name} (median)" if len(values) > 1 else f"sandbox: {name}",
        "value": round(value, 4),
        "unit": unit,
        "against": f"{against}: {other:.4f} {unit}",
        "ratio": round(value / other, 2),
        "goal": goal,
        "met": value >= goal if unit.endswith("/s") else value <= goal,
    }


def seconds(act: Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def at_once(acts: Sequence[Callable[[], object]]) -> float:
    """Seconds until the last of them is done."""
    with ThreadPoolExecutor(max_workers=len(acts)) as pool:
        return seconds(lambda: [running.result() for running in [pool.submit(act) for act in acts]])


def execute(dsn: str, statement: str, *values: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement, values)


def restart(sandbox: RunningSandbox, branch_id: str) -> None:
    """Stop, start and first query: what PostgreSQL itself needs for changing hands."""
    plane = sandbox.sandbox.plane
    endpoint = plane.endpoint_of(branch_id)
    if endpoint is None:
        raise AssertionError(f"{branch_id} has no endpoint")
    plane.storage.release(endpoint.node_id)
    plane.storage.serve(endpoint.node_id, endpoint.port)
    execute(sandbox.dsn(branch_id), "select 1")


@contextmanager
def longest_gap(dsn: str) -> Iterator[Callable[[], float]]:
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
