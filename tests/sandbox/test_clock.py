"""The sandbox's clock runs with the real one, can be moved ahead, and PostgreSQL's history stays reachable by it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from neon_sandbox.entities import ClockMove
from neon_sandbox.testing import RunningSandbox, running_sandbox, temporary_state_dir
from tests.sandbox.api import Api
from tests.sandbox.real import real_project

DAY = 86_400.0


def shown(moment: datetime) -> str:
    return moment.isoformat()


def test_it_moves_ahead_by_its_route_and_never_back(sandbox: RunningSandbox, api: Api):
    root = sandbox.root_url
    before = datetime.now(UTC)
    told = api.http.post(f"{root}/_sandbox/clock", json={"seconds": DAY}).json()["now"]
    assert datetime.fromisoformat(told) >= before + timedelta(days=1)
    refused = api.http.post(f"{root}/_sandbox/clock", json={"seconds": -1})
    assert refused.status_code == 400
    assert datetime.fromisoformat(api.http.get(f"{root}/_sandbox/clock").json()["now"]) >= datetime.fromisoformat(told)


def test_it_survives_a_restart():
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox:
            moved = sandbox.move_clock(DAY)
        with running_sandbox(state_dir=directory / "state") as sandbox:
            assert sandbox.now() >= moved


@pytest.mark.parametrize(
    ("ahead_of_first", "real_ahead"),
    [(-1.0, -1.0), (0.0, 0.0), (DAY / 2, 0.0), (DAY + 5, 5.0)],
    ids=["before", "at", "skipped", "after"],
)
def test_a_moment_stands_for_a_real_one(sandbox: RunningSandbox, ahead_of_first: float, real_ahead: float):
    clock = sandbox.sandbox.plane.clock
    sandbox.move_clock(DAY)
    first = sandbox.sandbox.plane.store.find(ClockMove)[0].real_at
    assert clock.real(first + timedelta(seconds=ahead_of_first)) == first + timedelta(seconds=real_ahead)


def test_rows_of_each_day_are_found_at_moments_of_that_day():
    with running_sandbox("postgres", plan="scale") as sandbox, real_project(sandbox) as project:
        days = []
        for day in range(3):
            project.insert(day)
            days.append(sandbox.move_clock(3600.0) - timedelta(seconds=1800))
        for day, moment in enumerate(days):
            branch = project.branch(f"day-{day}", parent_timestamp=shown(moment))
            assert project.ids(branch) == list(range(day + 1))


def test_asking_for_a_moment_inside_a_transaction_and_outside_of_it_never_blocks(sandbox: RunningSandbox):
    plane = sandbox.sandbox.plane

    def ask() -> None:
        for _ in range(3000):
            plane.moment()

    def ask_in_transactions() -> None:
        for _ in range(3000):
            with plane.store.transaction():
                plane.moment()

    threads = [threading.Thread(target=act, daemon=True) for act in (ask, ask_in_transactions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in threads)
