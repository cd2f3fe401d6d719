"""The two sandboxes that histories are played in: one in this process without data, one that is a program."""

from __future__ import annotations

import http.client
import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import psycopg

from neon_sandbox.app import App
from neon_sandbox.clock import Clock
from neon_sandbox.entities import Job
from neon_sandbox.keys import new_key
from neon_sandbox.sandbox import Sandbox
from neon_sandbox.server import serving
from neon_sandbox.store import Store
from neon_sandbox.worker import Interrupted
from tests.sandbox.histories.model import Rows
from tests.sandbox.histories.rows import RowsStorage
from tests.sandbox.programs import Program

SETTINGS = {"plan": "scale", "root_cap": 500, "snapshot_cap": 500, "rate_limits": False}


class World(Protocol):
    kills: int

    def call(self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None) -> Any:
        """The status and the answer; `path` as in Neon's API, or below /_sandbox."""

    def doom(self, random: Random) -> Callable[[], None]:
        """Prepares a kill in the middle of what is asked for next; the answer performs it and starts again."""

    def prepare(self, dsn: str) -> None:
        """Makes the table that rows are written to."""

    def add(self, dsn: str, row: int, rows: Rows) -> None:
        """`rows` are those before."""

    def remove(self, dsn: str, row: int, rows: Rows) -> None: ...

    def rows(self, dsn: str) -> Rows: ...

    def head_lsn(self, dsn: str) -> str: ...


class _Wire:
    """One connection kept open: a history makes hundreds of small calls."""

    def __init__(self, root_url: str, key: str) -> None:
        address = urlsplit(root_url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}"}

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: object, query: Mapping[str, str] | None) -> tuple[int, Any]:
        path = path if path.startswith("/_sandbox") else f"/api/v2{path}"
        target = f"{path}?{urlencode(query)}" if query else path
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, target, payload, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None


class MortalStore(Store):
    """Dies before a chosen commit of a worker: from then on nothing is remembered, as after a kill."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.dead = threading.Event()
        self._commits_left: int | None = None

    def die_before_commit(self, number: int) -> None:
        self._commits_left = number

    def die(self) -> None:
        with self._lock:
            self.dead.set()

    def _commit(self) -> None:
        if self._commits_left is not None and self._undo and threading.current_thread().name.startswith("worker-"):
            self._commits_left -= 1
            if self._commits_left < 0:
                self.dead.set()
        if self.dead.is_set() and self._undo:
            raise Interrupted
        super()._commit()


class ControlWorld:
    """The control plane over rows in memory. A kill is the end of its memory at some commit of a worker."""

    def __init__(self, directory: Path) -> None:
        self.kills = 0
        self._path = directory / "sandbox.sqlite3"
        self._directory = directory
        self._stack = ExitStack()
        self._key = new_key()
        self.storage: RowsStorage | None = None
        self._open()
        self._sandbox.add_key(self._key, label="histories")
        self._sandbox.change_settings(SETTINGS)

    def close(self) -> None:
        self._stack.close()
        self._sandbox.stop()

    def call(self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None) -> Any:
        return self._wire.call(method, path, body, query)

    def doom(self, random: Random) -> Callable[[], None]:
        self._store.die_before_commit(random.randrange(9))
        return self._kill

    def prepare(self, dsn: str) -> None:
        pass

    def add(self, dsn: str, row: int, rows: Rows) -> None:
        self._storage().write(_port(dsn), rows | {row})

    def remove(self, dsn: str, row: int, rows: Rows) -> None:
        self._storage().write(_port(dsn), rows - {row})

    def rows(self, dsn: str) -> Rows:
        return self._storage().read(_port(dsn))

    def head_lsn(self, dsn: str) -> str:
        return self._storage().head_lsn(_port(dsn))

    def _storage(self) -> RowsStorage:
        assert self.storage is not None
        return self.storage

    def _open(self) -> None:
        self._store = MortalStore(self._path)
        clock = Clock(self._store)
        if self.storage is None:
            self.storage = RowsStorage(clock)
        else:
            self.storage.taken_over_by(clock)
        self._sandbox = Sandbox(self._directory, self.storage, self._store, clock)
        self._sandbox.start()
        server = self._stack.enter_context(serving(App(self._sandbox), 0))
        self._wire = _Wire(f"http://127.0.0.1:{server.port}", self._key)
        self._stack.callback(self._wire.close)

    def _kill(self) -> None:
        """Waits until the work has come to the chosen commit, or is done if it takes fewer."""
        while not self._store.dead.is_set() and self._sandbox.plane.store.find(Job):
            time.sleep(0.0005)
        self._store.die()
        self.kills += 1
        self._stack.close()
        logging.disable(logging.CRITICAL)  # its threads complain while they come to their end
        try:
            self._sandbox.stop()
        finally:
            logging.disable(logging.NOTSET)
        self._open()


class RealWorld:
    """The sandbox as a program over real PostgreSQL. A kill is SIGKILL."""

    def __init__(self, directory: Path) -> None:
        self.kills = 0
        self._arguments = ("serve", "--state", str(directory / "state"), "--operation-seconds", "0")
        self._open()
        self.call("PATCH", "/_sandbox/settings", SETTINGS)

    def close(self) -> None:
        self._wire.close()
        self._program.stop()

    def call(self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None) -> Any:
        return self._wire.call(method, path, body, query)

    def doom(self, random: Random) -> Callable[[], None]:
        delay = random.random() * 0.3

        def kill() -> None:
            time.sleep(delay)  # so that the kill meets another step of the work each time
            self._program.process.send_signal(signal.SIGKILL)
            self._program.kill()
            self.kills += 1
            self._wire.close()
            self._open()

        return kill

    def prepare(self, dsn: str) -> None:
        self._execute(dsn, "create table entry (id int primary key)")

    def add(self, dsn: str, row: int, rows: Rows) -> None:
        self._execute(dsn, "insert into entry values (%s)", row)

    def remove(self, dsn: str, row: int, rows: Rows) -> None:
        self._execute(dsn, "delete from entry where id = %s", row)

    def rows(self, dsn: str) -> Rows:
        with psycopg.connect(dsn) as connection:
            return frozenset(row[0] for row in connection.execute("select id from entry"))

    def head_lsn(self, dsn: str) -> str:
        with psycopg.connect(dsn) as connection:
            row = connection.execute("select pg_current_wal_flush_lsn()").fetchone()
        assert row
        return str(row[0])

    def _execute(self, dsn: str, statement: str, *values: int) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement, values)

    def _open(self) -> None:
        self._program = Program(*self._arguments)
        key = Path(self._program.ready["api_key_file"]).read_text()
        self._wire = _Wire(self._program.ready["url"].removesuffix("/api/v2"), key)


def _port(dsn: str) -> int:
    return int(urlsplit(dsn).port or 0)


def now_of(world: World) -> datetime:
    status, body = world.call("GET", "/_sandbox/clock")
    assert status == 200
    return datetime.fromisoformat(body["now"])
