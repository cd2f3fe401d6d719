"""Where Neon's published description is wrong or older than the service.

Each correction says what is so, how it is known, and gives a value that the description as published judges wrongly;
when the description learns of it, the value is judged rightly without the correction, a test fails, and the entry goes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.openapi.description import Schema


@dataclass(frozen=True)
class Correction:
    """At `place` below components/schemas the description gets `value`. `example` is a whole value of that schema."""

    what: str
    source: str
    place: tuple[str, ...]
    value: Any
    example: Any
    accepted: bool = True

    @property
    def schema(self) -> str:
        return self.place[0]


CORRECTIONS: Sequence[Correction] = ()


def corrected(published: Schema, corrections: Sequence[Correction] = CORRECTIONS) -> Schema:
    """A copy of the description with these corrections."""
    made = copy.deepcopy(published)
    for correction in corrections:
        place: Any = made["components"]["schemas"]
        for part in correction.place[:-1]:
            place = place[part]
        place[correction.place[-1]] = correction.value
    return made
