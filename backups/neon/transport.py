"""The one place that speaks HTTP, and the only importer of httpx.

A call ends when its deadline says so, whatever the other side does: see `sockets`. A change always opens a
connection of its own: on a kept connection that the other side has just closed it could not be told whether
the request was read.

`send` returns failures as values. No exception of httpx leaves this file, because its traceback holds the
request's headers, and with them the key.
"""

from __future__ import annotations

import ipaddress
import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpcore
import httpx

from backups.neon.deadline import Deadline, Deadlines
from backups.neon.retry import CallKind, Outcome
from backups.neon.secret import Secret
from backups.neon.sockets import DeadlineBackend, current_deadline

BaseTransport = httpx.BaseTransport

# They log whole addresses and header fields that the other side sent. What may be logged is logged by `calls`.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

USER_AGENT = "carecircle-ops/1.0 (+backups.neon)"
MAX_ANSWER_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    kind: CallKind
    method: str
    path: str
    request_id: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """No complete answer. `status` is known when only the body failed."""

    outcome: Outcome
    what: str
    status: int | None = None


class HttpTransport:
    """Safe to share between threads, not across a fork."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: Secret,
        deadlines: Deadlines,
        inner: httpx.BaseTransport | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._base_url = checked_base_url(base_url)
        self._api_key = api_key
        self._deadlines = deadlines
        self._max_answer_bytes = max_answer_bytes
        self._client = httpx.Client(
            transport=inner or _DeadlineTransport(),
            trust_env=False,
            follow_redirects=False,
        )

    def __repr__(self) -> str:
        return f"<HttpTransport {getattr(self, '_base_url', None)}>"

    def close(self) -> None:
        self._client.close()

    def send(self, request: Request, deadline: Deadline) -> Answer | Failure:
        """Make one attempt. Returns within the deadline, whatever the other side does, and nothing of the request
        is sent after it has returned."""
        token = current_deadline.set(deadline)
        try:
            return self._exchange(request, deadline)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Failure(Outcome.NOT_SENT, _named(error, "no connection"))
        except httpx.HTTPError as error:
            return Failure(Outcome.LOST, _named(error, "the exchange broke off"))
        finally:
            current_deadline.reset(token)

    def _exchange(self, request: Request, deadline: Deadline) -> Answer | Failure:
        if deadline.is_over:
            return Failure(Outcome.NOT_SENT, "no time was left to send it")
        response = self._client.send(self._prepared(request, deadline), stream=True)
        try:
            return self._read(response, deadline)
        finally:
            response.close()

    def _prepared(self, request: Request, deadline: Deadline) -> httpx.Request:
        headers = {
            "Authorization": f"Bearer {self._api_key.reveal()}",
            "Accept": "application/json",
            # A compressed answer could be small on the wire and huge in memory.
            "Accept-Encoding": "identity",
            "User-Agent": USER_AGENT,
            "X-Request-ID": request.request_id,
        }
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if request.kind is not CallKind.READ:
            headers["Connection"] = "close"
        left = deadline.remaining_seconds()
        timeout = httpx.Timeout(
            min(self._deadlines.read_seconds, left),
            connect=min(self._deadlines.connect_seconds, left),
        )
        return self._client.build_request(
            request.method,
            self._base_url + request.path,
            params=dict(request.params) or None,
            content=request.body,
            headers=headers,
            timeout=timeout,
        )

    def _read(self, response: httpx.Response, deadline: Deadline) -> Answer | Failure:
        status = response.status_code
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return Failure(Outcome.UNUSABLE, "the answer is compressed", status)
        body = bytearray()
        try:
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                body += chunk
                if len(body) > self._max_answer_bytes:
                    what = f"more than {self._max_answer_bytes} bytes"
                    return Failure(Outcome.TOO_LARGE, what, status)
                if deadline.is_over:
                    return Failure(Outcome.LOST, "the answer took too long", status)
        except httpx.HTTPError as error:
            return Failure(Outcome.LOST, _named(error, "the answer broke off"), status)
        return Answer(status, dict(response.headers), bytes(body))


def checked_base_url(base_url: str) -> str:
    """The address without a trailing slash. Plain http only to this machine itself, so that no
    setting can send the key over a network in the clear."""
    parts = urlsplit(base_url)
    if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
        raise ValueError("Neon's address is scheme, host and path only")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("Neon's address needs https; http is for 127.0.0.1, ::1 and localhost only")
    return base_url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _named(error: Exception, fallback: str) -> str:
    """The kind of failure only: the text of such an error can quote what was sent."""
    return f"{fallback} ({type(error).__name__})"


class _DeadlineTransport(httpx.BaseTransport):
    """httpx over a connection pool whose sockets obey the deadline of the call in progress."""

    def __init__(self) -> None:
        context = _tls()
        backend = DeadlineBackend()
        self._kept = httpcore.ConnectionPool(ssl_context=context, network_backend=backend, keepalive_expiry=5.0)
        self._fresh = httpcore.ConnectionPool(ssl_context=context, network_backend=backend, max_keepalive_connections=0)

    def close(self) -> None:
        self._kept.close()
        self._fresh.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        pool = self._fresh if request.headers.get("connection") == "close" else self._kept
        with _as_httpx_errors():
            response = pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response.stream))


@cache
def _tls() -> ssl.SSLContext:
    """Verifies certificate and name. Put together by hand, because the standard library's default context
    writes session keys to the file that SSLKEYLOGFILE names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=certifi.where())
    return context


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx_errors():
            yield from self._stream

    def close(self) -> None:
        self._stream.close()


_HTTPX_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.NetworkError, httpx.ReadError),
    (httpcore.ProtocolError, httpx.RemoteProtocolError),
)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        for ours, theirs in _HTTPX_ERRORS:
            if isinstance(error, ours):
                raise theirs(str(error)) from None
        raise
