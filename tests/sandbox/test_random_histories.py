"""Random histories: whatever was done, each branch holds exactly the rows that a model in memory says."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from neon_sandbox.testing import temporary_state_dir
from tests.sandbox.histories.player import Player
from tests.sandbox.histories.worlds import ControlWorld, RealWorld

CONTROL_HISTORIES, CONTROL_STEPS = 75, 20
REAL_HISTORIES, REAL_STEPS = 4, 12
GROUP = 25
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))


@pytest.fixture
def state() -> Iterator[Path]:
    with temporary_state_dir() as directory:
        yield directory


@pytest.mark.parametrize("first", range(0, CONTROL_HISTORIES, GROUP))
def test_the_control_plane_alone(state: Path, first: int) -> None:
    world = ControlWorld(state)
    try:
        for seed in range(first, first + GROUP):
            Player(world, seed, kill_share=0.1).play(CONTROL_STEPS)
    finally:
        world.close()
    assert world.kills > GROUP / 2, "there were kills, or they prove nothing"


@pytest.mark.acceptance
def test_over_postgresql(state: Path) -> None:
    world = RealWorld(state)
    try:
        for seed in range(1000, 1000 + REAL_HISTORIES):
            Player(world, seed, kill_share=0.08).play(REAL_STEPS)
    finally:
        world.close()
    assert world.kills >= 2


@pytest.mark.soak
def test_over_postgresql_for_a_long_time(state: Path) -> None:
    """SOAK_SECONDS of them (default: ten minutes), other ones each time; a difference names its seed."""
    world, until, seed = RealWorld(state), time.monotonic() + SOAK_SECONDS, int(time.time()) * 1000
    try:
        while time.monotonic() < until:
            Player(world, seed, kill_share=0.05).play(40)
            seed += 1
    finally:
        world.close()
