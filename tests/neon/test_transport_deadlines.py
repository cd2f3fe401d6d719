"""Whatever the other side says or does not say, a call ends in time, once, and tells what is known."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path
from typing import Any

import pytest

from backups.neon import errors
from backups.neon.retry import RetryPolicy
from backups.neon.sockets import current_deadline
from tests.neon.conftest import KEY, MAIN, PROJECT
from tests.neon.over_sockets import AUTH, CHANGED, Connect, ends_soon, restore
from tests.neon.scripted_server import Peer, after_request, answers, http, scripted_server


def drip_in_body(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    peer.drip(b" " * 5000)


def drip_in_chunks(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.drip(b"1\r\n \r\n" * 1000)


def drip_in_head(peer: Peer) -> None:
    peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 5000)


def interim_answers_for_ever(peer: Peer) -> None:
    while not peer.server.over.wait(0.02):
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")


def silence(peer: Peer) -> None:
    peer.hang()


NEVER_ENDING = [drip_in_body, drip_in_chunks, drip_in_head, interim_answers_for_ever, silence]


@pytest.mark.parametrize("act", NEVER_ENDING)
def test_a_change_that_gets_no_end_of_an_answer_has_an_unknown_outcome(connect: Connect, act: Any) -> None:
    with scripted_server(after_request(act)) as server, ends_soon():
        with pytest.raises(errors.OutcomeUnknown) as caught:
            restore(connect(server.url))
        assert server.lines == [f"POST /api/v2/projects/{PROJECT}/branches/{MAIN}/restore"]
        assert not caught.value.safe_to_repeat


@pytest.mark.parametrize("act", NEVER_ENDING)
def test_a_read_that_gets_no_end_of_an_answer_ends_within_its_total(connect: Connect, act: Any) -> None:
    with scripted_server(after_request(act)) as server, ends_soon(), pytest.raises(errors.NeonUnavailable):
        connect(server.url).auth()


def test_a_read_time_out_leaves_time_for_another_attempt(connect: Connect) -> None:
    with scripted_server(after_request(silence), answers(http(200, AUTH))) as server, ends_soon():
        auth = connect(server.url, total_seconds=2.5, read_seconds=0.1).auth()
    assert auth.auth_method == "api_key_org"
    assert server.connections == 2


def test_a_peer_that_never_greets_in_tls_was_sent_nothing(connect: Connect) -> None:
    with scripted_server(silence) as server, ends_soon(), pytest.raises(errors.NeonUnavailable) as caught:
        restore(connect(server.url.replace("http:", "https:")))
    assert "no connection" in caught.value.detail


def test_nobody_listening_is_not_an_unknown_outcome(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(errors.NeonUnavailable):
            restore(connect(f"http://127.0.0.1:{unused.getsockname()[1]}/api/v2"))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    ],
)
def test_an_answer_cut_off_or_garbled(connect: Connect, said: bytes) -> None:
    def say_and_go(peer: Peer) -> None:
        peer.send(said)

    with scripted_server(after_request(say_and_go)) as server:
        with pytest.raises(errors.OutcomeUnknown):
            restore(connect(server.url))
        assert len(server.requests) == 1
    with scripted_server(after_request(say_and_go), answers(http(200, AUTH))) as server:
        assert connect(server.url).auth().account_id == "acc"


def test_an_answer_that_ends_the_sending_side_early_is_read(connect: Connect) -> None:
    def answer_and_half_close(peer: Peer) -> None:
        peer.send(b"HTTP/1.0 200 OK\r\n\r\n" + b'{"account_id": "acc"}')
        peer.conn.shutdown(socket.SHUT_WR)
        peer.hang()

    with scripted_server(after_request(answer_and_half_close)) as server:
        assert connect(server.url).auth().account_id == "acc"


@pytest.mark.parametrize("status", [200, 403, 404, 500, 502, 503, 524])
def test_html_is_nobodys_verdict_on_a_change(connect: Connect, status: int) -> None:
    page = http(status, "<html>Ray ID</html>", content_type="text/html; charset=UTF-8")
    with scripted_server(answers(page)) as server:
        with pytest.raises(errors.OutcomeUnknown) as caught:
            restore(connect(server.url))
        assert len(server.requests) == 1
    assert "text/html" in str(caught.value)
    assert "Ray" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 404])
def test_html_is_no_fact_for_a_read(connect: Connect, status: int) -> None:
    page = http(status, "<html>", content_type="text/html")
    with scripted_server(answers(page)) as server, pytest.raises(errors.AnswerUnusable):
        connect(server.url).branches.get(PROJECT, MAIN)


def announced(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n")
    flood(peer)


def unannounced(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    flood(peer)


def flood(peer: Peer) -> None:
    while not peer.server.over.is_set():
        peer.send(b" " * 65536)


@pytest.mark.parametrize("act", [announced, unannounced])
def test_a_huge_answer_is_not_read_to_its_end(connect: Connect, act: Any) -> None:
    with scripted_server(after_request(act)) as server, ends_soon():
        client = connect(server.url, total_seconds=2.5, max_answer_bytes=200_000)
        with pytest.raises(errors.AnswerTooLarge):
            client.auth()
        with pytest.raises(errors.OutcomeUnknown):
            restore(client)


def test_an_endless_head_is_cut(connect: Connect) -> None:
    def endless(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n")
        while not peer.server.over.is_set():
            peer.send(b"X-More: " + b"x" * 1000 + b"\r\n")

    with scripted_server(after_request(endless)) as server, ends_soon(), pytest.raises(errors.NeonUnavailable):
        connect(server.url, retry_policy=RetryPolicy(read_attempts=1), total_seconds=2.5).auth()


def test_a_compressed_answer_is_not_unpacked(connect: Connect) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    with scripted_server(answers(http(200, bomb, content_encoding="gzip"))) as server:
        with pytest.raises(errors.AnswerUnusable, match="compressed"):
            connect(server.url, total_seconds=2.5).auth()
        assert server.requests[0].header("accept-encoding") == "identity"


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
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        connect(server.url).auth()
        assert proxy.connections == 0
        assert server.requests[0].header("authorization") == f"Bearer {KEY}"
    assert not (tmp_path / "keys").exists()


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
        client = connect(server.url, total_seconds=2.5)
        client.auth()
        client.auth()
        assert server.connections == 1
        restore(client)
        restore(client)
        client.auth()
    assert server.connections == 3
    assert server.requests[2].header("connection") == "close"


def test_a_kept_connection_that_was_closed_meanwhile_costs_nothing(connect: Connect) -> None:
    def answer_once(peer: Peer) -> None:
        peer.request()
        peer.send(http(200, AUTH))

    with scripted_server(answer_once) as server:
        client = connect(server.url, total_seconds=2.5)
        assert [client.auth().account_id for _ in range(3)] == ["acc"] * 3


def test_a_deadline_of_one_call_does_not_outlive_it(connect: Connect) -> None:
    with scripted_server(after_request(silence), answers(http(200, AUTH))) as server:
        client = connect(server.url, total_seconds=0.2)
        with pytest.raises(errors.NeonUnavailable):
            client.auth()
        assert client.auth().account_id == "acc"
    assert current_deadline.get() is None


def test_a_limited_view_ends_sooner(connect: Connect) -> None:
    with scripted_server(after_request(drip_in_body)) as server, ends_soon():
        client = connect(server.url, total_seconds=60).limited_to(0.3)
        with pytest.raises(errors.OutcomeUnknown):
            restore(client)


def test_no_time_left_sends_nothing(connect: Connect) -> None:
    with scripted_server(answers(http(200, CHANGED))) as server:
        with pytest.raises(errors.NeonUnavailable):
            restore(connect(server.url).limited_to(0.0))
        assert server.connections == 0
