"""Servers on this machine that take messages, or behave badly on purpose."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Post:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`act` decides how it answers; whatever hangs is let go when the test ends."""

    act: Callable[[Any, Receiver], None]
    address: str = ""
    port: int = 0
    posts: list[Post] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    connected: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def drip(self, write: Callable[[bytes], Any], piece: bytes = b"x") -> None:
        """A byte every 20 ms, for ever."""
        while not self.over.wait(0.02):
            write(piece)


def answer(status: int, body: bytes = b"ok", **headers: str) -> Callable[[Any, Receiver], None]:
    def act(handler: Any, receiver: Receiver) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


def hang(handler: Any, receiver: Receiver) -> None:
    receiver.over.wait(30)


def drip_head(handler: Any, receiver: Receiver) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    receiver.drip(handler.wfile.write)


def drip_body(handler: Any, receiver: Receiver) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    receiver.drip(handler.wfile.write)


@contextmanager
def http_receiver(
    act: Callable[[Any, Receiver], None] | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    receiver = Receiver(act or answer(200))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posts.append(Post(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            receiver.connected.set()
            receiver.act(self, receiver)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with _served(server, receiver):
        receiver.address = f"{'https' if tls else 'http'}://127.0.0.1:{receiver.port}/services/SECRET-CANARY-IN-PATH"
        yield receiver


def take_mail(handler: Any, receiver: Receiver) -> None:
    """Enough of SMTP to take a mail."""
    handler.wfile.write(b"220 ready\r\n")
    lines: list[str] = []
    while line := handler.rfile.readline():
        word = line.split(b" ")[0].strip().upper()
        if word == b"DATA":
            handler.wfile.write(b"354 go on\r\n")
            while (text := handler.rfile.readline()) != b".\r\n":
                lines.append(text.decode())
            receiver.mails.append("".join(lines))
        elif word == b"QUIT":
            handler.wfile.write(b"221 bye\r\n")
            return
        handler.wfile.write(b"250 fine\r\n")


def refuse_recipient(handler: Any, receiver: Receiver) -> None:
    handler.wfile.write(b"220 ready\r\n")
    while line := handler.rfile.readline():
        refused = line.upper().startswith(b"RCPT")
        handler.wfile.write(b"550 no SECRET-CANARY here\r\n" if refused else b"250 fine\r\n")


def leave_without_farewell(handler: Any, receiver: Receiver) -> None:
    """Takes the mail and hangs when asked to close."""
    handler.wfile.write(b"220 ready\r\n")
    while line := handler.rfile.readline():
        word = line.split(b" ")[0].strip().upper()
        if word == b"QUIT":
            receiver.over.wait(30)
            return
        if word == b"DATA":
            handler.wfile.write(b"354 go on\r\n")
            while handler.rfile.readline() != b".\r\n":
                pass
            receiver.mails.append("taken")
        handler.wfile.write(b"250 fine\r\n")


def leave_without_answer(handler: Any, receiver: Receiver) -> None:
    """Takes the mail and goes away before saying so."""
    handler.wfile.write(b"220 ready\r\n")
    while line := handler.rfile.readline():
        if line.split(b" ")[0].strip().upper() == b"DATA":
            handler.wfile.write(b"354 go on\r\n")
            lines = []
            while (text := handler.rfile.readline()) != b".\r\n":
                lines.append(text.decode())
            receiver.mails.append("".join(lines))
            return
        handler.wfile.write(b"250 fine\r\n")


def drip_greeting(handler: Any, receiver: Receiver) -> None:
    receiver.drip(handler.wfile.write, b"220-slow\r\n")


@contextmanager
def smtp_receiver(act: Callable[[Any, Receiver], None] = take_mail) -> Iterator[Receiver]:
    receiver = Receiver(act)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            receiver.connected.set()
            receiver.act(self, receiver)

    with _served(_Threading(("127.0.0.1", 0), Handler), receiver):
        yield receiver


class _Threading(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def _served(server: socketserver.TCPServer, receiver: Receiver) -> Iterator[None]:
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the other side goes away on purpose
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
