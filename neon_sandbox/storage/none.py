"""Control plane only: no data, no processes. Its LSNs grow with the clock, so that points can still be judged."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from neon_sandbox import times
from neon_sandbox.clock import Clock
from neon_sandbox.entities import Database, Role
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Fork, Point

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_BYTES_PER_SECOND = 1000
# About what an empty database of PostgreSQL takes.
_SIZE_BYTES = 30 << 20


class NoStorage:
    pg_version = 18

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_port = 55432
        self._lock = threading.Lock()

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def new_port(self) -> int:
        with self._lock:
            self._next_port += 1
            return self._next_port

    def create_first(self, node_id: str, roles: Sequence[Role], databases: Sequence[Database]) -> datetime:
        # As if the project were old: only the history window limits what can be restored.
        return self._clock.now() - timedelta(days=30)

    def check(self, node_id: str, point: Point) -> None:
        if point.lsn is not None and not 0 < point.lsn <= lsn_at(self._clock.now()):
            raise ApiProblem(400, f"LSN {times.shown_lsn(point.lsn)} is beyond the head of the branch")

    def fork(self, source_id: str, node_id: str, point: Point, port: int | None) -> Fork:
        if point.lsn is not None:
            return Fork(timestamp=None, lsn=point.lsn)
        moment = point.timestamp or self._clock.now()
        return Fork(timestamp=moment, lsn=lsn_at(moment))

    def snapshot(self, source_id: str, node_id: str, point: Point) -> Fork:
        return self.fork(source_id, node_id, point, None)

    def size_bytes(self, node_id: str) -> int:
        return _SIZE_BYTES

    def history_bytes(self, node_id: str, since: datetime) -> int:
        return 0

    def schema(self, node_id: str, database_name: str, point: Point) -> str:
        return ""

    def prepare_to_release(self, node_id: str) -> None:
        pass

    def serve(self, node_id: str, port: int) -> None:
        pass

    def release(self, node_id: str) -> None:
        pass

    def set_passwords(self, node_id: str, roles: Sequence[Role]) -> None:
        pass

    def create_role(self, node_id: str, role: Role) -> None:
        pass

    def drop_role(self, node_id: str, role: Role) -> None:
        pass

    def create_database(self, node_id: str, database: Database) -> None:
        pass

    def change_database(self, node_id: str, name_before: str, database: Database) -> None:
        pass

    def drop_database(self, node_id: str, database: Database) -> None:
        pass

    def cut_sessions(self, node_id: str) -> None:
        pass

    def empty_tables(self, node_id: str, databases: Sequence[Database]) -> int:
        return lsn_at(self._clock.now())

    def unneeded(self, needed: Mapping[str, datetime]) -> list[str]:
        return []

    def discard(self, node_ids: Sequence[str]) -> None:
        pass

    def maintain(self, needed: Mapping[str, datetime]) -> None:
        pass


def lsn_at(moment: datetime) -> int:
    return 0x1000000 + (moment - _EPOCH) // timedelta(microseconds=1) * _BYTES_PER_SECOND // 1_000_000
