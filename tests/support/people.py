"""Alice, Bob, Carol, Dana, Erin and Charlie for any test with a database."""

from __future__ import annotations

import pytest

from tests.factories import People


@pytest.fixture
def people() -> People:
    return People()
