"""What every other check of a live restore stands on: where the reference ends, and when the server began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The first check of a live plan; its figures are the anchors.
CODE = "anchors"


@dataclass(frozen=True, slots=True)
class Anchors:
    """Read from the reference once, before anything is compared."""

    boundary_xid: int
    rows: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Anchors:
        return cls(**data)
