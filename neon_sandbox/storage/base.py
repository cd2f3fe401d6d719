"""What the control plane asks of a storage. A node is one branch's data; a port serves one node at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from neon_sandbox.entities import Database, Role


@dataclass(frozen=True)
class Point:
    """A moment of a node's history; the head when both are None."""

    timestamp: datetime | None = None
    lsn: int | None = None

    @property
    def is_head(self) -> bool:
        return self.timestamp is None and self.lsn is None


@dataclass(frozen=True)
class Fork:
    """Where a new node left its source."""

    timestamp: datetime | None
    lsn: int | None


class Storage(Protocol):
    """Every method may be called again with the same arguments after an interruption."""

    @property
    def pg_version(self) -> int:
        """The major version of PostgreSQL that projects say they have."""

    def open(self) -> None:
        """Clears away what a killed predecessor left half-made."""

    def close(self) -> None:
        """Stops every compute."""

    def new_port(self) -> int: ...

    def create_first(self, node_id: str, roles: Sequence[Role], databases: Sequence[Database]) -> datetime:
        """An empty node with these roles and databases; returns the earliest moment that can be restored."""

    def check(self, node_id: str, point: Point) -> None:
        """Raises ApiProblem 400 when the point lies outside what the node's history can give."""

    def fork(self, source_id: str, node_id: str, point: Point, port: int | None) -> Fork:
        """A new node as the source was at the point, left running when a port is given."""

    def snapshot(self, source_id: str, node_id: str, point: Point) -> Fork:
        """A node that is never served and outlives the source and its history: what a snapshot holds."""

    def size_bytes(self, node_id: str) -> int:
        """The logical size: all databases together, as far as it is known without starting anything."""

    def history_bytes(self, node_id: str, since: datetime) -> int:
        """The WAL that is kept of this node from `since` on."""

    def schema(self, node_id: str, database_name: str, point: Point) -> str:
        """The database's schema at that point, as `pg_dump --schema-only` writes it."""

    def prepare_to_release(self, node_id: str) -> None:
        """Does beforehand what would make the release slow."""

    def serve(self, node_id: str, port: int) -> None: ...

    def release(self, node_id: str) -> None:
        """Stops serving; sessions are cut. What was committed until then is the node's head."""

    def set_passwords(self, node_id: str, roles: Sequence[Role]) -> None: ...

    def create_role(self, node_id: str, role: Role) -> None: ...

    def drop_role(self, node_id: str, role: Role) -> None:
        """What it owned passes to the owners of the databases; its sessions are cut."""

    def create_database(self, node_id: str, database: Database) -> None: ...

    def change_database(self, node_id: str, name_before: str, database: Database) -> None:
        """Gives it the name and the owner that it is remembered with."""

    def drop_database(self, node_id: str, database: Database) -> None: ...

    def cut_sessions(self, node_id: str) -> None:
        """Ends what clients have open."""

    def empty_tables(self, node_id: str, databases: Sequence[Database]) -> int:
        """Leaves the structure without the rows; returns the LSN behind which there are none."""

    def unneeded(self, needed: Mapping[str, datetime]) -> list[str]:
        """Nodes that can go. `needed` are those in use, each with the oldest moment to be reached from it. Quick."""

    def discard(self, node_ids: Sequence[str]) -> None: ...

    def maintain(self, needed: Mapping[str, datetime]) -> None:
        """Called every second or so from a thread of its own; `needed` as above. What is older may be dropped."""
