"""Asks the health address of an application for its status, and for nothing else."""

from __future__ import annotations

import http.client
import ssl
from functools import cache
from urllib.parse import SplitResult, urlsplit

import certifi

from backups.services.notification.cut_off import CutOff

_MOST_URL_CHARACTERS = 200


def health_address_error(url: str) -> str:
    """What is wrong with an address; empty when it can be asked. It may hold no password: it is shown on pages."""
    if not url:
        return ""
    if _usable(url) is None:
        return "Give a web address without a password in it, such as https://api.example.org/healthz."
    return "" if len(url) <= _MOST_URL_CHARACTERS else f"Use at most {_MOST_URL_CHARACTERS} characters."


def ask_health(url: str, *, within_seconds: float) -> int | None:
    """The HTTP status of one GET; None when no answer came in that time. Redirects are not followed.

    The answer's body is not read: what an application says of its patients is none of the portal's business.
    """
    address = _usable(url)
    if address is None:
        return None
    try:
        with CutOff(within_seconds) as cut_off:
            return _status(address, cut_off)
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _usable(url: str) -> SplitResult | None:
    try:
        address = urlsplit(url)
        sound = bool(address.hostname) and not address.username and (address.port or 1) > 0
    except ValueError:
        return None
    return address if sound and address.scheme in {"http", "https"} and url.isprintable() else None


def _status(address: SplitResult, cut_off: CutOff) -> int:
    host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    opened = cut_off.connect(host, port)
    connection = http.client.HTTPConnection(host, port)
    connection.sock = _tls().wrap_socket(opened, server_hostname=host) if address.scheme == "https" else opened
    try:
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request("GET", path, headers={"User-Agent": "carecircle-ops/1.0", "Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=certifi.where())
    return context
