"""A server on loopback that says, byte by byte, what a test tells it to say."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Peer"], None]


@dataclass
class Seen:
    """One request as it arrived."""

    head: str
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split("\r\n")[0].removesuffix(" HTTP/1.1")

    def header(self, name: str) -> str | None:
        for row in self.head.split("\r\n")[1:]:
            key, _, value = row.partition(":")
            if key.strip().lower() == name.lower():
                return value.strip()
        return None


@dataclass
class Peer:
    """The server's end of one connection."""

    conn: socket.socket
    server: ScriptedServer
    _buffer: bytes = field(default=b"")

    def request(self) -> Seen | None:
        """The next request, or None when the client has gone."""
        while b"\r\n\r\n" not in self._buffer:
            chunk = self.conn.recv(65536)
            if not chunk:
                return None
            self._buffer += chunk
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        seen = Seen(head.decode("latin-1"), b"")
        length = int(seen.header("content-length") or 0)
        while len(rest) < length:
            rest += self.conn.recv(65536)
        seen.body, self._buffer = rest[:length], rest[length:]
        self.server.requests.append(seen)
        return seen

    def send(self, data: bytes) -> None:
        self.conn.sendall(data)

    def drip(self, data: bytes, *, every_seconds: float = 0.02) -> None:
        """One byte at a time until the client has gone or the test is over."""
        for byte in data:
            if self.server.over.wait(every_seconds):
                return
            self.conn.sendall(bytes([byte]))

    def hang(self) -> None:
        """Silence until the client has gone or the test is over."""
        while not self.server.over.is_set():
            if not self.conn.recv(65536):
                return


@dataclass
class ScriptedServer:
    """Plays `scripts[n]` on the n-th connection and the last one on all that follow."""

    scripts: list[Script]
    listener: socket.socket
    tls: ssl.SSLContext | None = None
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)
    conns: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/api/v2"

    def stop(self) -> None:
        self.over.set()
        for end in (self.listener, *self.conns):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)

    @property
    def lines(self) -> list[str]:
        return [seen.line for seen in self.requests]

    def accept(self) -> None:
        while not self.over.is_set():
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            self.conns.append(conn)
            thread = threading.Thread(target=self._play, args=(script, conn), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _play(self, script: Script, conn: socket.socket) -> None:
        conn.settimeout(10)
        try:
            with conn:
                stream = self.tls.wrap_socket(conn, server_side=True) if self.tls else conn
                self.conns.append(stream)
                with stream:
                    script(Peer(stream, self))
        except OSError:
            pass  # the client cut the connection, which is what many of these tests want


@contextmanager
def scripted_server(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = ScriptedServer(list(scripts), listener, tls)
    acceptor = threading.Thread(target=server.accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.stop()
        acceptor.join(5)


def http(status: int, body: bytes | dict[str, Any] | str = b"", **headers: str) -> bytes:
    """The bytes of one complete answer."""
    if isinstance(body, dict):
        body, headers = json.dumps(body).encode(), {"content_type": "application/json"} | headers
    data = body.encode() if isinstance(body, str) else body
    rows = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}"]
    rows += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(rows).encode() + b"\r\n\r\n" + data


def answers(*data: bytes) -> Script:
    """Answers the requests of one connection in turn, repeating the last answer."""

    def play(peer: Peer) -> None:
        turn = 0
        while peer.request() is not None:
            peer.send(data[min(turn, len(data) - 1)])
            turn += 1

    return play


def after_request(act: Callable[[Peer], None]) -> Script:
    def play(peer: Peer) -> None:
        if peer.request() is not None:
            act(peer)

    return play
