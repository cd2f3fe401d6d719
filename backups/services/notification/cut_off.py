"""Ends a conversation over a socket at a fixed moment, whatever the other side does.

The time-outs of sockets begin anew with every byte, so a server that drips one byte a second would hold its channel
for hours. Here a timer shuts the connection down; whoever reads or writes on it wakes at once.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import Any

_Addresses = list[Any]


class TookTooLong(OSError):
    """The time for the whole conversation is over."""


class CutOff:
    """A context: every socket that `connect` opened inside it is dead after `seconds`, also behind TLS."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds
        self._handles: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> CutOff:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    @property
    def happened(self) -> bool:
        return time.monotonic() >= self._ends_at

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the first of the host's addresses that answers in its share of the time. Raises OSError."""
        addresses = _look_up(host, port, self._left_seconds())
        problem: OSError = OSError("the name has no address")
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(self._left_seconds() / (len(addresses) - tried))
                opened.connect(address)
                self._watch(opened)
                opened.settimeout(self._left_seconds())
            except OSError as error:
                opened.close()
                problem = error
            else:
                return opened
        raise problem

    def _watch(self, opened: socket.socket) -> None:
        # TLS takes the socket object over; a second handle on the same connection stays ours.
        with self._lock:
            self._handles.append(opened.dup())

    def _cut(self) -> None:
        with self._lock:
            for handle in self._handles:
                with suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def _left_seconds(self) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TookTooLong("the time is over")
        return left


def _look_up(host: str, port: int, seconds: float) -> _Addresses:
    """Looking up a name can't be interrupted, so it has a thread of its own, which sends nothing."""
    found: queue.SimpleQueue[_Addresses | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            found.put(OSError(type(error).__name__))

    threading.Thread(target=look_up, name="message-name-look-up", daemon=True).start()
    try:
        addresses = found.get(timeout=seconds)
    except queue.Empty:
        raise TookTooLong("the name look-up took too long") from None
    if isinstance(addresses, OSError):
        raise addresses
    return addresses
