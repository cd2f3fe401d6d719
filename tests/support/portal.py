"""The portal behind a real socket, in threads of this process, on a database of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connections

from tests.support.database import OwnDatabase


@dataclass(frozen=True)
class LivePortal:
    url: str
    database: OwnDatabase


class _Server(ThreadingMixIn, WSGIServer):
    # A browser keeps sockets open that never carry a request; nobody waits for those.
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of an answer is no error."""


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class _Counted:
    """Knows how many requests are inside the application, and closes their database connections."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._inside = 0
        self._changed = threading.Condition()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        with self._counted():
            response = self._application(environ, start_response)
            try:
                yield from response
            finally:
                getattr(response, "close", lambda: None)()
                connections.close_all()

    def wait_until_empty(self, *, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._inside == 0, timeout_seconds)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def _add(self, difference: int) -> None:
        with self._changed:
            self._inside += difference
            self._changed.notify_all()


@contextmanager
def serving() -> Iterator[str]:
    """Serves the portal on a free port of 127.0.0.1; yields its address without a slash at the end."""
    application = _Counted(get_wsgi_application())
    server = make_server("127.0.0.1", 0, application, server_class=_Server, handler_class=_Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="live-portal")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        assert application.wait_until_empty(timeout_seconds=10), "a request never ended"


@pytest.fixture
def live_portal(own_database: OwnDatabase, settings: Any) -> Iterator[LivePortal]:
    with serving() as url:
        settings.SITE_URL = url
        settings.CSRF_TRUSTED_ORIGINS = [url]
        yield LivePortal(url=url, database=own_database)
