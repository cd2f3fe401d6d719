from __future__ import annotations

from collections.abc import Iterator

import pytest

from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.sandbox.api import Api
from tests.sandbox.real import RealProject, real_project


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    """Control plane only."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def api(sandbox: RunningSandbox) -> Iterator[Api]:
    client = Api(sandbox)
    with client.http:
        yield client


@pytest.fixture
def main(sandbox: RunningSandbox) -> str:
    return sandbox.branch_id


@pytest.fixture(scope="session")
def real_sandbox() -> Iterator[RunningSandbox]:
    """Over real PostgreSQL, one for the whole run."""
    with running_sandbox("postgres", plan="scale") as running:
        yield running


@pytest.fixture(scope="session")
def _shared_project(real_sandbox: RunningSandbox) -> Iterator[RealProject]:
    with real_project(real_sandbox) as made:
        yield made


@pytest.fixture
def shared(_shared_project: RealProject) -> RealProject:
    """A project that other tests use as well: main is empty, branches have names of their own, nothing is restored."""
    _shared_project.execute("delete from entry")
    return _shared_project


@pytest.fixture
def project(real_sandbox: RunningSandbox) -> Iterator[RealProject]:
    """A project of the test's own."""
    with real_project(real_sandbox) as made:
        yield made
