"""Sockets on which no single call can outlive its deadline.

httpcore gives every connect, read and write a time-out of its own, so an answer that drips one byte a
second, in its header or in its body, lives for ever. Here each of these gets no more time than the call in
progress has left. That needs no second thread, and it also ends TLS handshakes. Only the look-up of a name
can't be interrupted; it runs in a thread of its own, which never gets to send anything.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import httpcore

from backups.neon.deadline import Deadline

current_deadline: ContextVar[Deadline | None] = ContextVar("neon_call_deadline", default=None)


def _allowed(timeout: float | None, error: type[Exception]) -> float | None:
    """The shorter of httpx's own time-out and what the call has left."""
    deadline = current_deadline.get()
    if deadline is None:
        return timeout
    left = deadline.remaining_seconds()
    if left <= 0.0:
        raise error("the call's deadline is over")
    return left if timeout is None else min(timeout, left)


class DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _allowed(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _allowed(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        allowed = _allowed(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, allowed))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _resolve(host, port, _allowed(timeout, httpcore.ConnectTimeout))
        failure: Exception = httpcore.ConnectError("the name has no address")
        for tried, address in enumerate(addresses):
            # A black hole among several addresses must leave time for the next one.
            allowed = _allowed(timeout, httpcore.ConnectTimeout)
            share = None if allowed is None else allowed / (len(addresses) - tried)
            try:
                return DeadlineStream(self._sockets.connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def _resolve(host: str, port: int, seconds: float | None) -> tuple[str, ...]:
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass
    found: queue.SimpleQueue[tuple[str, ...] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put(tuple(dict.fromkeys(str(row[4][0]) for row in rows)))
        except OSError as error:
            found.put(error)

    threading.Thread(target=look_up, name="neon-name-look-up", daemon=True).start()
    try:
        addresses = found.get(timeout=seconds)
    except queue.Empty:
        raise httpcore.ConnectTimeout("the name look-up took too long") from None
    if isinstance(addresses, OSError):
        raise httpcore.ConnectError(str(addresses))
    return addresses
