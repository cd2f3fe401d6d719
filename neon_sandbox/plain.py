"""One plain PostgreSQL server with its data in a state directory: the portal's own database."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from neon_sandbox.binaries import Tools, prepare
from neon_sandbox.cluster import Cluster, free_port
from neon_sandbox.ownership import owned


class PlainPostgres:
    """A running server. Password and port are kept in the state directory, so the URL survives a restart."""

    def __init__(self, cluster: Cluster, password: str) -> None:
        self.cluster = cluster
        self.password = password

    def url(self, database: str) -> str:
        return self.cluster.dsn(database, password=self.password)

    def ensure_database(self, database: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone()
            if found is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))


@contextmanager
def running_plain_postgres(
    state_dir: Path, *, port: int = 0, databases: tuple[str, ...] = (), settings: Mapping[str, str] | None = None
) -> Iterator[PlainPostgres]:
    """Starts the server and stops it at the end, also when this process is killed. Port 0: chosen once, then kept."""
    tools = prepare(state_dir)
    clusters_dir = tools.make_dir(tools.home / "plain")
    with owned(state_dir.resolve(), clusters_dir):
        server = _server(tools, clusters_dir, port)
        server.cluster.start(settings)
        try:
            for database in databases:
                server.ensure_database(database)
            yield server
        finally:
            server.cluster.stop()


def _server(tools: Tools, clusters_dir: Path, port: int) -> PlainPostgres:
    chosen = port or int(_kept(clusters_dir / "port", lambda: str(free_port())))
    password = _kept(clusters_dir / "password", lambda: secrets.token_urlsafe(24))
    cluster = Cluster(clusters_dir / "data", chosen, tools)
    if not cluster.exists():
        _make(cluster, password)
    return PlainPostgres(cluster, password)


def _make(cluster: Cluster, password: str) -> None:
    # Made under another name first: a kill during initdb must not leave something that looks complete.
    final = cluster.data_dir
    cluster.data_dir = final.with_name("data.new")
    cluster.tools.run(["rm", "-rf", str(cluster.data_dir)])
    cluster.initdb(password=password)
    cluster.data_dir = cluster.data_dir.rename(final)


def _kept(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(make())
    return path.read_text()
