from __future__ import annotations

from collections.abc import Iterator

import pytest

from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.sandbox.api import Api


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
