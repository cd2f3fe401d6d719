"""Samples that anybody can draw again: members in the order of SHA-256(seed, ":", id), the first ones taken."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable

from backups.domain.period import Period
from backups.selectors.audit.populations import Item, Population, members_of

MAX_SAMPLE = 200
MAX_SEED = 64


def drawn(population: Population, period: Period, *, seed: str, size: int, with_sandbox: bool = False) -> list[Item]:
    """`size` members of the population, always the same for the same seed. One query, streamed."""
    return first_by_hash(members_of(population, period, with_sandbox=with_sandbox), seed=seed, size=size)


def first_by_hash(items: Iterable[Item], *, seed: str, size: int) -> list[Item]:
    """The rule itself. It depends on the ids only, not on the order in which they come; it holds `size` in memory."""
    return heapq.nsmallest(size, items, key=lambda item: hash_of(seed, item.id))


def hash_of(seed: str, member_id: str) -> str:
    """What `printf '%s' "SEED:ID" | sha256sum` prints."""
    return hashlib.sha256(f"{seed}:{member_id}".encode()).hexdigest()
