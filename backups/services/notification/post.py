"""Posts one body to a fixed address: no redirect, no proxy from the environment, over within a fixed time."""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

import certifi

from backups.services.notification.cut_off import CutOff
from backups.services.notification.errors import NotDelivered

MAX_ANSWER_BYTES = 4096
_USER_AGENT = "carecircle-ops/1.0"
_TOO_MANY_REQUESTS, _UNAVAILABLE = 429, 503


@dataclass(frozen=True, slots=True)
class Answer:
    """The beginning of what a 2xx answer said."""

    status: int
    body: bytes


def post(
    *,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    within_seconds: float,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Answer:
    """Raises NotDelivered for everything but an answer 2xx within the time. Reads `max_bytes` of it at most."""
    address = _checked(url)
    with CutOff(within_seconds) as cut_off:
        try:
            answer = _exchange(address, body, headers, cut_off, max_bytes)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The text of such an error can quote the address, and with it the secret.
            raise _lost(error, cut_off) from None
        if cut_off.happened:
            raise _lost(TimeoutError(), cut_off)
    return answer


def _exchange(address: SplitResult, body: bytes, headers: Mapping[str, str], cut_off: CutOff, max_bytes: int) -> Answer:
    connection = _connection(address, cut_off)
    try:
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request(
            "POST", path, body=body, headers={"User-Agent": _USER_AGENT, "Connection": "close", **headers}
        )
        with connection.getresponse() as response:
            _accepted(response)
            return Answer(response.status, response.read(max_bytes))
    finally:
        connection.close()


def _connection(address: SplitResult, cut_off: CutOff) -> http.client.HTTPConnection:
    host = address.hostname or ""
    connection: Any
    if address.scheme == "https":
        connection = http.client.HTTPSConnection(host, address.port, context=_tls())
    else:
        connection = http.client.HTTPConnection(host, address.port)

    def open_socket(place: tuple[str, int], *_: object) -> socket.socket:
        return cut_off.connect(*place)

    connection._create_connection = open_socket
    return connection  # type: ignore[no-any-return]


def _accepted(response: http.client.HTTPResponse) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NotDelivered("redirected", f"It answered {status}: redirects are not followed.", status=status)
    wait_seconds = _retry_after(response) if status in {_TOO_MANY_REQUESTS, _UNAVAILABLE} else None
    raise NotDelivered("refused", f"It answered {status}.", status=status, wait_seconds=wait_seconds)


def _retry_after(response: http.client.HTTPResponse) -> float | None:
    """Seconds from now. The header holds them, or a moment as HTTP writes it."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 6:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


def _lost(error: Exception, cut_off: CutOff) -> NotDelivered:
    if cut_off.happened or isinstance(error, TimeoutError):
        return NotDelivered("timed_out", f"There was no whole answer within {cut_off.seconds:g} s.")
    if isinstance(error, ssl.SSLError):
        return NotDelivered("tls_failed", "The encrypted connection could not be made: check its certificate.")
    if isinstance(error, ConnectionRefusedError | socket.gaierror):
        return NotDelivered("unreachable", f"There is no connection ({type(error).__name__}).")
    return NotDelivered("broke_off", f"The exchange broke off ({type(error).__name__}).")


def _checked(url: str) -> SplitResult:
    """Plain http only to this machine, so that no setting sends a message over a network in the clear."""
    try:
        address = urlsplit(url)
        usable = bool(address.hostname) and not address.username and (address.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise NotDelivered("bad_address", "Its address is not a web address; nothing was sent.")
    if address.scheme != "https" and not (address.scheme == "http" and _is_loopback(address.hostname or "")):
        raise NotDelivered("bad_address", "Its address must begin with https://; nothing was sent.")
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@cache
def _tls() -> ssl.SSLContext:
    """Verifies certificate and name. Put together by hand: the default context writes its keys where SSLKEYLOGFILE
    says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=certifi.where())
    return context
