"""What a project must hold, told independently of the sandbox: branches, their rows through time, snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

Rows = frozenset[int]


@dataclass(frozen=True)
class Version:
    """The rows from `since` on, until shortly before the next version's `since`. `lsn`: a head at which they held."""

    since: datetime
    rows: Rows
    begun: datetime
    lsn: str | None = None


@dataclass
class Compute:
    id: str
    dsn: str
    active: bool = True


@dataclass
class ModelBranch:
    id: str
    name: str
    versions: list[Version]
    history_from: datetime
    parent_id: str | None = None
    compute: Compute | None = None
    default: bool = False
    original_root: bool = False
    kept_for_history: bool = False
    restored_from: str | None = None
    replaces: str | None = None
    finalized: bool = False

    @property
    def rows(self) -> Rows:
        return self.versions[-1].rows

    @property
    def is_root(self) -> bool:
        return self.parent_id is None

    def stretches(self, now: datetime, oldest: datetime) -> Iterator[tuple[datetime, datetime, int]]:
        """Spans of time in which one version was the whole truth, as far as they can still be asked for."""
        for index, version in enumerate(self.versions):
            end = self.versions[index + 1].begun if index + 1 < len(self.versions) else now
            start = max(version.since, self.history_from, oldest)
            if start < end:
                yield start, end, index

    def up_to(self, index: int) -> list[Version]:
        return self.versions[: index + 1]


@dataclass(frozen=True)
class ModelSnapshot:
    id: str
    rows: Rows
    source_id: str


@dataclass(frozen=True)
class Chosen:
    """A point of a branch's history, how it is asked for, and the versions up to it."""

    index: int
    timestamp: datetime | None = None
    lsn: str | None = None

    def named(self, prefix: str) -> dict[str, str]:
        if self.timestamp is not None:
            return {f"{prefix}timestamp": self.timestamp.isoformat()}
        return {f"{prefix}lsn": self.lsn} if self.lsn is not None else {}


@dataclass
class Model:
    window: timedelta
    branches: dict[str, ModelBranch] = field(default_factory=dict)
    snapshots: dict[str, ModelSnapshot] = field(default_factory=dict)

    def children(self, branch_id: str) -> list[ModelBranch]:
        return [branch for branch in self.branches.values() if branch.parent_id == branch_id]

    def moment(self, random: Random, branch: ModelBranch, now: datetime, edge: timedelta) -> Chosen | None:
        found = list(branch.stretches(now, now - self.window + edge))
        if not found:
            return None
        start, end, index = random.choice(found)
        return Chosen(index, timestamp=start + (end - start) * random.random())

    def position(self, random: Random, branch: ModelBranch, now: datetime, edge: timedelta) -> Chosen | None:
        """An LSN of a version that is not older than what can be asked for by time."""
        oldest = max(branch.history_from, now - self.window + edge)
        found = [
            index
            for index, version in enumerate(branch.versions)
            if version.lsn is not None and version.since >= oldest
        ]
        if not found:
            return None
        index = random.choice(found)
        return Chosen(index, lsn=branch.versions[index].lsn)

    def may_be_deleted(self, branch: ModelBranch) -> bool:
        protected = branch.default or branch.original_root or branch.kept_for_history
        return not protected and not self.children(branch.id)

    def may_be_reset(self, branch: ModelBranch) -> bool:
        if branch.is_root or branch.parent_id not in self.branches:
            return False
        parent = self.branches[branch.parent_id]
        replaced = any(other.finalized and other.replaces == parent.id for other in self.branches.values())
        return parent.restored_from is None and not replaced

    def name_when_replaced(self, branch: ModelBranch) -> str:
        """`(old)`, with a number when there is one already."""
        taken, name, number = {each.name for each in self.branches.values()}, f"{branch.name} (old)", 1
        while name in taken:
            number += 1
            name = f"{branch.name} (old) {number}"
        return name

    def preserve(self, branch: ModelBranch, preserved_id: str, name: str, *, kept_for_history: bool) -> ModelBranch:
        preserved = replace(
            branch,
            id=preserved_id,
            name=name,
            versions=list(branch.versions),
            compute=None,
            default=False,
            original_root=False,
            kept_for_history=kept_for_history,
        )
        for child in self.children(branch.id):
            child.parent_id = preserved_id
        self.branches[preserved_id] = preserved
        if not branch.is_root:
            branch.parent_id = preserved_id
        return preserved
