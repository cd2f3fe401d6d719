"""Which cases of a test are tried each time, and which by `make soak` alone."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import pytest


def rest_by_soak(cases: Mapping[str, Any], always: Container[str]) -> list[Any]:
    """Parameters of all cases, by their names; those not in `always` take long and differ little from one that is."""
    return [
        pytest.param(case, id=name, marks=() if name in always else pytest.mark.soak) for name, case in cases.items()
    ]
