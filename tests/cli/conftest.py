"""Neon's own command line, as it comes from npm, run against the sandbox over real PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.sandbox.real import RealProject, real_project
from tests.support.node import INSTALLED, node

PROGRAMS = {"neon": "neon/dist/cli.js", "neonctl": "neonctl/bin/cli.js"}
SECONDS = 60
# Commits and the moment between them must differ by more than the millisecond that the command line can say.
QUIET_SECONDS = 0.004


@dataclass(frozen=True)
class Cli:
    """One release of the command line, without a configuration, in an empty directory. `project_id` None: not named."""

    program: Path
    sandbox: RunningSandbox
    project_id: str | None
    home: Path

    def run(self, *arguments: str) -> Any:
        """What it answered: JSON, or None when it said nothing. Fails unless it ends with success."""
        return json.loads(self.text("--output", "json", *arguments) or "null")

    def text(self, *arguments: str) -> str:
        done = self._start(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *arguments: str) -> str:
        """What it says about a refusal."""
        done = self._start(*arguments)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def _start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        named = self.project_id is None or arguments[0] == "projects" or "projects" in arguments[2:3]
        place = () if named else ("--project-id", str(self.project_id))
        return subprocess.run(
            [node(), str(self.program), *arguments, *place, "--no-analytics", "--no-color"],
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "CI": "1",
                "NO_PROXY": "127.0.0.1",
                "NEON_API_HOST": self.sandbox.url,
                "NEON_API_KEY": self.sandbox.api_key,
                "NODE_COMPILE_CACHE": str(INSTALLED / "compiled"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )


@pytest.fixture(scope="session")
def cli_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox("postgres", plan="scale") as running:
        yield running


# The last release under the old name asks the same of the API; each start costs a second of the processor.
@pytest.fixture(params=["neon", pytest.param("neonctl", marks=pytest.mark.soak)])
def program(request: pytest.FixtureRequest, pinned_packages: Path) -> Path:
    return pinned_packages / PROGRAMS[request.param]


@pytest.fixture
def project(program: Path, cli_sandbox: RunningSandbox) -> Iterator[RealProject]:
    """A project of the test's own; the root branch `main` has the rows 1 and 2."""
    with real_project(cli_sandbox) as made:
        made.insert(1, 2)
        yield made


@pytest.fixture
def cli(program: Path, project: RealProject, tmp_path: Path) -> Iterator[Cli]:
    yield Cli(program, project.sandbox, project.api.project_id, tmp_path)
    assert list(tmp_path.iterdir()) == [], "the command line keeps something in its home"


def settle(project: RealProject) -> None:
    """Waits for the operations that a command started: the command line itself does not."""
    for operation in project.api.get("/operations")["operations"]:
        if operation["status"] != "finished":
            assert project.api.wait_for(operation["id"])["status"] == "finished"


def moment() -> str:
    """A time between the last commit and the next, as precise as the command line takes it."""
    time.sleep(QUIET_SECONDS)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    time.sleep(QUIET_SECONDS)
    return now


def rows_at(address: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of `entry` behind an address that the command line printed. The one setting that it needs is where
    names below `localhost` lead, which not every machine knows."""
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    with psycopg.connect(address) as connection:
        return [row[0] for row in connection.execute("select id from entry order by id")]


def columns(table: str) -> list[list[str]]:
    """The lines of a printed table, each split into its cells."""
    return [re.split(r"\s{2,}", line.strip(" │")) for line in table.splitlines() if line.strip()]
