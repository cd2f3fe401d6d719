"""Whatever the other side says or does not say, a call ends in time, once, and tells what is known."""

from __future__ import annotations

import gzip
import socket
from typing import Any

import pytest

from backups.neon import errors
from backups.neon.retry import RetryPolicy
from backups.neon.sockets import current_deadline
from tests.neon.conftest import MAIN, PROJECT
from tests.neon.over_sockets import AUTH, BRIEF_SECONDS, CHANGED, Connect, ends_soon, restore
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
            restore(connect(server.url, total_seconds=BRIEF_SECONDS))
        assert server.lines == [f"POST /api/v2/projects/{PROJECT}/branches/{MAIN}/restore"]
        assert not caught.value.safe_to_repeat


@pytest.mark.parametrize("act", NEVER_ENDING)
def test_a_read_that_gets_no_end_of_an_answer_ends_within_its_total(connect: Connect, act: Any) -> None:
    with scripted_server(after_request(act)) as server, ends_soon(), pytest.raises(errors.NeonUnavailable):
        connect(server.url, total_seconds=BRIEF_SECONDS).auth()


def test_a_read_time_out_leaves_time_for_another_attempt(connect: Connect) -> None:
    with scripted_server(after_request(silence), answers(http(200, AUTH))) as server, ends_soon():
        auth = connect(server.url, read_seconds=0.1).auth()
    assert auth.auth_method == "api_key_org"
    assert server.connections == 2


def test_a_peer_that_never_greets_in_tls_was_sent_nothing(connect: Connect) -> None:
    with scripted_server(silence) as server, ends_soon(), pytest.raises(errors.NeonUnavailable) as caught:
        restore(connect(server.url.replace("http:", "https:"), total_seconds=BRIEF_SECONDS))
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
        client = connect(server.url, max_answer_bytes=200_000)
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
        connect(server.url, retry_policy=RetryPolicy(read_attempts=1)).auth()


def test_a_compressed_answer_is_not_unpacked(connect: Connect) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    with scripted_server(answers(http(200, bomb, content_encoding="gzip"))) as server:
        with pytest.raises(errors.AnswerUnusable, match="compressed"):
            connect(server.url).auth()
        assert server.requests[0].header("accept-encoding") == "identity"


def test_a_deadline_of_one_call_does_not_outlive_it(connect: Connect) -> None:
    with scripted_server(after_request(silence), answers(http(200, AUTH))) as server:
        client = connect(server.url, read_seconds=0.1, retry_policy=RetryPolicy(read_attempts=1))
        with pytest.raises(errors.NeonUnavailable):
            client.auth()
        assert client.auth().account_id == "acc"
    assert current_deadline.get() is None


def test_a_limited_view_ends_sooner(connect: Connect) -> None:
    with scripted_server(after_request(drip_in_body)) as server, ends_soon():
        client = connect(server.url, total_seconds=60).limited_to(BRIEF_SECONDS)
        with pytest.raises(errors.OutcomeUnknown):
            restore(client)


def test_no_time_left_sends_nothing(connect: Connect) -> None:
    with scripted_server(answers(http(200, CHANGED))) as server:
        with pytest.raises(errors.NeonUnavailable):
            restore(connect(server.url).limited_to(0.0))
        assert server.connections == 0
