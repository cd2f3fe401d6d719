"""Where a call goes, what it carries, and what it does not take from its surroundings."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import httpcore
import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from backups.neon.deadline import Deadline
from backups.neon.secret import Secret
from backups.neon.sockets import DeadlineBackend, current_deadline
from tests.neon.conftest import KEY, MAIN, PROJECT
from tests.neon.over_sockets import AUTH, BRIEF_SECONDS, CHANGED, Connect, ends_soon, restore
from tests.neon.scripted_server import Peer, answers, http, scripted_server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(connect: Connect, status: int) -> None:
    with scripted_server(answers(http(200, AUTH))) as elsewhere:
        away = http(status, AUTH, location=elsewhere.url + "/auth")
        with scripted_server(answers(away)) as server:
            client = connect(server.url)
            with pytest.raises(errors.AnswerUnusable, match="redirect"):
                client.auth()
            with pytest.raises(errors.OutcomeUnknown):
                restore(client)
        assert elsewhere.connections == 0


def test_nothing_is_taken_from_the_environment(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    with scripted_server(answers(http(200, AUTH))) as proxy, scripted_server(answers(http(200, AUTH))) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", str(netrc))
        connect(server.url).auth()
        assert proxy.connections == 0
        assert server.requests[0].header("authorization") == f"Bearer {KEY}"


def test_what_is_sent_along(connect: Connect) -> None:
    with scripted_server(answers(http(200, CHANGED))) as server:
        change = restore(connect(server.url))
    seen = server.requests[0]
    assert seen.header("authorization") == f"Bearer {KEY}"
    assert seen.header("x-request-id") == change.request_id  # type: ignore[attr-defined]
    assert (seen.header("user-agent") or "").startswith("carecircle-ops/")
    assert seen.header("content-type") == "application/json"
    assert seen.header("cookie") is None


def test_a_request_id_stored_beforehand_is_the_one_sent(connect: Connect) -> None:
    mine = "0f5b2a52-6b1f-4f0e-9d3c-4d2f8d6a1c11"
    with scripted_server(answers(http(200, CHANGED))) as server:
        change = connect(server.url).branches.set_as_default(PROJECT, MAIN, request_id=mine)
        with pytest.raises(ValueError, match="UUID"):
            connect(server.url).branches.set_as_default(PROJECT, MAIN, request_id="x\r\nEvil: 1")
    assert [seen.header("x-request-id") for seen in server.requests] == [mine]
    assert change.request_id == mine


def test_reads_keep_their_connection_and_changes_open_their_own(connect: Connect) -> None:
    with scripted_server(answers(http(200, AUTH | CHANGED))) as server:
        client = connect(server.url)
        client.auth()
        client.auth()
        assert server.connections == 1
        restore(client)
        assert server.connections == 2
        restore(client)
        client.auth()
    assert server.connections == 3
    assert server.requests[2].header("connection") == "close"


def test_a_kept_connection_that_was_closed_meanwhile_costs_nothing(connect: Connect) -> None:
    def answer_once(peer: Peer) -> None:
        peer.request()
        peer.send(http(200, AUTH))

    with scripted_server(answer_once) as server:
        client = connect(server.url)
        assert [client.auth().account_id for _ in range(3)] == ["acc"] * 3


def test_a_name_look_up_that_hangs_is_left_behind_and_sends_nothing_later(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, released = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def slow(*args: Any, **named: Any) -> Any:
        if args[0] != "localhost":
            return real(*args, **named)
        release.wait(10)
        try:
            return real("127.0.0.1", *args[1:], **named)
        finally:
            released.set()

    with scripted_server(answers(http(200, CHANGED))) as server:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with ends_soon(), pytest.raises(errors.NeonUnavailable):
            restore(connect(server.url.replace("127.0.0.1", "localhost"), total_seconds=BRIEF_SECONDS))
        release.set()
        assert released.wait(5)
        assert server.connections == 0


def test_a_name_without_address_is_not_sent_anything(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(errors.NeonUnavailable, match="no connection"):
        restore(connect("https://console.neon.invalid/api/v2"))


def test_the_next_address_is_tried_when_one_refuses(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_server(answers(http(200, AUTH))) as server:
        found = [(2, 1, 6, "", (address, server.port)) for address in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: found)
        assert connect(server.url.replace("127.0.0.1", "localhost")).auth().account_id == "acc"


def test_silent_addresses_share_the_time_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []

    def black_hole(self: Any, host: str, port: int, timeout: float | None = None, *rest: Any) -> Any:
        given.append(timeout)
        raise httpcore.ConnectTimeout

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", black_hole)
    found = [(2, 1, 6, "", (f"192.0.2.{n}", 443)) for n in (1, 2, 3)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: found)
    token = current_deadline.set(Deadline(ends_at=112.0, clock=lambda: 100.0))
    try:
        with pytest.raises(httpcore.ConnectTimeout):
            DeadlineBackend().connect_tcp("console.neon.tech", 443, timeout=60.0)
    finally:
        current_deadline.reset(token)
    assert given == [4.0, 6.0, 12.0]


@pytest.mark.parametrize(
    "url",
    [
        "http://console.neon.tech/api/v2",
        "http://127.0.0.1.example.com/api/v2",
        "http://localhost.example.com",
        "http://10.0.0.1/api/v2",
        "http://0.0.0.0:80",
        "https://somebody:secret@console.neon.tech/api/v2",
        "https://console.neon.tech/api/v2?x=1",
        "https://console.neon.tech/api/v2#x",
        "ftp://127.0.0.1/",
        "console.neon.tech",
        "",
    ],
)
def test_addresses_that_would_send_the_key_in_the_clear_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="Neon's address"):
        NeonClient(Secret(KEY), url)


@pytest.mark.parametrize("url", ["https://console.neon.tech/api/v2/", "http://[::1]:8080/api/v2", "http://localhost"])
def test_addresses_that_are_accepted(url: str) -> None:
    NeonClient(Secret(KEY), url).close()
