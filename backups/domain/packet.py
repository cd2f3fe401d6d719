"""The facts that people vote on, and the digest that a vote names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BoundFacts:
    """What makes the digest; any change voids the votes. All text, sorted, so that equal facts have equal bytes."""

    request: str
    revision: int
    project_id: str
    branch_id: str
    branch_name: str
    source_branch_id: str
    kind: str
    point_kind: str
    point: str
    preserve_name: str
    databases: tuple[str, ...]
    children: tuple[str, ...]
    environment: str
    policy_version: int
    votes_needed: int

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        data = asdict(self)
        return data | {"databases": sorted(self.databases), "children": sorted(self.children)}

    def digest(self) -> str:
        """`sha256:` and the hex digest of the canonical bytes (RFC 8785: these facts hold no floats)."""
        return "sha256:" + hashlib.sha256(canonical_text(self.to_json()).encode()).hexdigest()


def canonical_text(data: Mapping[str, Any]) -> str:
    """Sorted keys, no spaces, UTF-8: equal to RFC 8785 for text, integers, lists and ASCII keys."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


#: Facts that name the packet itself, not the world: a new revision alone is no drift.
_OWN_NAMES = frozenset({"request", "revision", "votes_needed"})


def drifted(agreed: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names of the bound facts that differ between what was agreed and what is so now."""
    names = (set(agreed) | set(now)) - _OWN_NAMES
    return sorted(name for name in names if agreed.get(name) != now.get(name))
