"""HTTP/1.1 on loopback for the WSGI callable, able to close a connection without an answer."""

from __future__ import annotations

import io
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from neon_sandbox.app import LARGEST_BODY_BYTES, App, ConnectionDropped
from neon_sandbox.cluster import LOOPBACK
from neon_sandbox.errors import SandboxError


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY_BYTES or self.headers.get("Transfer-Encoding"):
            self.send_error(413)
            self.close_connection = True
            return
        try:
            chunks = self.server.app(self._environ(self.rfile.read(int(length))), self._start_response)
            self._send(chunks)
        except (ConnectionDropped, ConnectionError):
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = serve

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _environ(self, body: bytes) -> dict[str, Any]:
        url = urlsplit(self.path)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(url.path),
            "QUERY_STRING": url.query,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "wsgi.input": io.BytesIO(body),
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return environ

    def _start_response(self, status: str, headers: list[tuple[str, str]]) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)

    def _send(self, chunks: Iterable[bytes]) -> None:
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(chunk)
            self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, app: App, port: int) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.app = app
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=[0.05], name="http", daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stops listening and closes the connections that clients keep open."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client may have gone in the middle of an answer
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(app: App, port: int) -> Iterator[Server]:
    """Listens on 127.0.0.1 until the end of the block. Port 0: any. Raises SandboxError when the port is taken."""
    try:
        server = Server(app, port)
    except OSError as error:
        raise SandboxError(f"Port {port} of 127.0.0.1 can not be used: {error.strerror}") from error
    server.start()
    try:
        yield server
    finally:
        server.stop()
