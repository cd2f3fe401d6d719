"""One client's connection: TLS, who it is, where it wants to go, and then every byte in both directions."""

from __future__ import annotations

import secrets
import selectors
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from neon_sandbox.cluster import LOOPBACK
from neon_sandbox.entities import Role
from neon_sandbox.front import protocol, scram
from neon_sandbox.front.computes import Computes, Destination
from neon_sandbox.front.protocol import Refused, Start

LOG_IN_SECONDS = 30.0
GOODBYE_SECONDS = 1.0
CONNECT_SECONDS = "10"
EXCHANGE_SECONDS = 5.0
_CHUNK_BYTES = 64 * 1024
_CONNECTION_WORDS = frozenset({"application_name", "client_encoding", "replication"})
_SERVER_SAYS = (
    *("server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone"),
    *("integer_datetimes", "standard_conforming_strings", "is_superuser", "session_authorization"),
    *("application_name", "in_hot_standby", "default_transaction_read_only", "scram_iterations", "search_path"),
)
_WITHOUT_NAME = Refused(
    "Endpoint ID is not specified. The name of the endpoint comes with TLS: use sslmode=require and a host name.",
    "08P01",
)


@dataclass(frozen=True)
class Tls:
    context: ssl.SSLContext
    channel: bytes


class Cancels:
    """Keys that clients were given to cancel with, and whose statement each one cancels."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[int, int], pq.abc.PGcancel] = {}

    def add(self, cancel: pq.abc.PGcancel) -> tuple[int, int]:
        key = (secrets.randbits(31), secrets.randbits(31))
        self._by_key[key] = cancel
        return key

    def remove(self, key: tuple[int, int]) -> None:
        self._by_key.pop(key, None)

    def cancel(self, key: tuple[int, int]) -> None:
        if found := self._by_key.get(key):
            with suppress(Exception):  # it may have ended meanwhile, and nobody waits for an answer
                found.cancel()


class Session:
    def __init__(self, raw: socket.socket, tls: Tls, computes: Computes, cancels: Cancels) -> None:
        self._connection = raw
        self._tls = tls
        self._computes = computes
        self._cancels = cancels
        self._host = ""

    def serve(self) -> None:
        """Until one side closes. Raises ClientGone or OSError when the client is lost before it has logged in."""
        self._connection.settimeout(LOG_IN_SECONDS)
        start = self._read_start()
        if start is None:
            return
        try:
            role, confirmed = self._log_in(start)
            destination = self._computes.destination(self._host, start.parameters)
        except Refused as refused:
            self._connection.sendall(protocol.fatal(refused))
            return
        try:
            self._relay_to(destination, role, start, confirmed)
        finally:
            if destination.in_the_past:
                self._computes.past.left(destination.in_the_past)

    def close(self) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _say_goodbye(self) -> None:
        """Whoever cancels waits for the end, and takes one without a word for an attack on TLS."""
        if isinstance(self._connection, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                self._connection.settimeout(GOODBYE_SECONDS)
                self._connection.unwrap()

    def _read_start(self) -> Start | None:
        """The log-in that is asked for; None when the connection served another purpose."""
        while True:
            start = protocol.read_start(self._connection)
            if start.code == protocol.CANCEL_REQUEST:
                self._cancels.cancel(start.cancel_key)
                self._say_goodbye()
                return None
            if start.code == protocol.VERSION_3:
                return start
            if start.code != protocol.SSL_REQUEST or isinstance(self._connection, ssl.SSLSocket):
                self._connection.sendall(b"N")
                continue
            self._connection.sendall(b"S")
            self._connection = self._tls.context.wrap_socket(self._connection, server_side=True)
            self._host = getattr(self._connection, "wanted_host", "") or ""

    def _log_in(self, start: Start) -> tuple[Role, str]:
        """Who it is, and the last word of the exchange, which is said when the way is free. Raises Refused."""
        if not self._host:
            raise _WITHOUT_NAME
        name = start.parameters.get("user", "")
        role = self._computes.role(self._host, name)
        self._connection.sendall(protocol.ask_for_sasl(scram.PLUS, scram.PLAIN))
        mechanism, first = protocol.read_sasl_start(protocol.read_message(self._connection))
        password = role.password if role else secrets.token_hex()
        exchange = scram.Scram(password, mechanism, self._tls.channel)
        try:
            self._connection.sendall(protocol.go_on_with_sasl(exchange.challenge(first)))
            final = protocol.read_message(self._connection).decode(errors="replace")
            confirmed = exchange.confirmation(final)
        except scram.ScramFailed:
            role = None
        if role is None:
            raise Refused(f"password authentication failed for user '{name}'", "28P01")
        return role, confirmed

    def _relay_to(self, destination: Destination, role: Role, start: Start, confirmed: str) -> None:
        try:
            server = _connected(_connection_words(destination, role, start.parameters))
        except Refused as refused:
            self._connection.sendall(protocol.fatal(refused))
            return
        with closing(server):
            key = self._cancels.add(server.pgconn.get_cancel())
            try:
                said = protocol.end_sasl(confirmed) + protocol.greeting(_parameters_of(server.pgconn), key)
                self._connection.sendall(said)
                with socket.socket(fileno=socket.dup(server.fileno())) as backend:
                    relay(self._connection, backend)
            finally:
                self._cancels.remove(key)


def relay(client: socket.socket, server: socket.socket) -> None:
    """Passes bytes on until one side has closed."""
    client.settimeout(None)
    server.settimeout(None)
    ways = {client: server, server: client}
    with selectors.DefaultSelector() as selector:
        for end in ways:
            selector.register(end, selectors.EVENT_READ, end)
        while True:
            waiting = isinstance(client, ssl.SSLSocket) and client.pending()
            for source in [client] if waiting else [key.data for key, _ in selector.select()]:
                chunk = source.recv(_CHUNK_BYTES)
                if not chunk:
                    return
                ways[source].sendall(chunk)


def _connected(words: Mapping[str, str]) -> psycopg.Connection:
    """Waits a moment for a compute that is being exchanged. Raises Refused with what the server said."""
    deadline = time.monotonic() + EXCHANGE_SECONDS
    while True:
        try:
            return psycopg.connect(make_conninfo(**words))
        except psycopg.OperationalError as error:
            _, fatal, message = str(error).strip().rpartition("FATAL:  ")
            if fatal or time.monotonic() > deadline:
                raise Refused(message, "08006") from None
            time.sleep(0.02)


def _parameters_of(server: pq.abc.PGconn) -> Mapping[str, str]:
    found = {name: server.parameter_status(name.encode()) for name in _SERVER_SAYS}
    return {name: value.decode() for name, value in found.items() if value is not None}


def _connection_words(destination: Destination, role: Role, parameters: Mapping[str, str]) -> dict[str, str]:
    words = {name: value for name, value in parameters.items() if name in _CONNECTION_WORDS}
    return words | {
        "host": LOOPBACK,
        "hostaddr": LOOPBACK,
        "port": str(destination.port),
        "user": role.name,
        "password": role.password,
        "dbname": parameters.get("database") or role.name,
        "connect_timeout": CONNECT_SECONDS,
        "sslmode": "disable",
        "gssencmode": "disable",
        "channel_binding": "disable",
        "options": _options(destination, parameters),
    }


def _options(destination: Destination, parameters: Mapping[str, str]) -> str:
    """What the client wants to be set. Words that only the proxy understands are taken out."""
    known = _CONNECTION_WORDS | {"user", "database", "options"}
    given = parameters.get("options", "").split(" ")
    parts = [part for part in given if part and not part.startswith(("neon_", "endpoint=", "project="))]
    for name, value in parameters.items():
        if name not in known and not name.startswith("_pq_."):
            parts += ["-c", f"{name}={value}".replace("\\", "\\\\").replace(" ", "\\ ")]
    if destination.in_the_past:
        parts += ["-c", "default_transaction_read_only=on"]
    return " ".join(parts)
