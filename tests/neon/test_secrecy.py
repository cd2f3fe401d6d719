"""The key and every password stay out of logs, representations, errors and tracebacks."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.neon import errors
from backups.neon.client import NeonClient
from backups.neon.secret import Secret, clean_text
from tests.neon.conftest import KEY, MAIN, PROJECT, Fake
from tests.neon.scripted_server import Peer, Script, after_request, answers, http, scripted_server


def hang(peer: Peer) -> None:
    peer.hang()


def go(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 2")


def echo(status: int) -> Script:
    """A server that sends the caller's own header back to it."""
    said = {"message": f"bad header Authorization: Bearer {KEY}", "code": KEY, "request_id": KEY}
    return answers(http(status, said, x_neon_ret_request_id=KEY))


SCRIPTS: list[Script] = [
    after_request(hang),
    after_request(go),
    answers(b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n"),
    answers(http(200, KEY, content_type=KEY)),
    answers(http(307, "", location=f"http://127.0.0.1/{KEY}")),
    *[echo(status) for status in (400, 401, 403, 404, 422, 423, 429, 500, 503)],
]


def everything_told(error: BaseException) -> str:
    """What a log, a debug page or an error tracker could show: also the variables of each of our frames."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    while told.stack and told.stack[0].filename == __file__:
        del told.stack[0]
    assert told.stack
    return "".join(told.format()) + repr(error) + str(error) + repr(error.__dict__) + repr(error.args)


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_failure_shows_the_key(
    connect: Callable[..., NeonClient], caplog: pytest.LogCaptureFixture, script: Script
) -> None:
    caplog.set_level(logging.DEBUG)
    records: list[Any] = []
    with scripted_server(script) as server:
        client = connect(server.url, total_seconds=0.2, on_call=records.append)
        for call in (client.auth, lambda: client.branches.set_as_default(PROJECT, MAIN)):
            with pytest.raises(errors.NeonError) as caught:
                call()
            assert KEY not in everything_told(caught.value)
            assert caught.value.__context__ is None
    assert records
    assert KEY not in repr(records) + repr(client) + repr(vars(client)) + caplog.text
    assert KEY not in "".join(repr(record.__dict__) for record in caplog.records)


def test_a_success_shows_neither_key_nor_password(
    connect: Callable[..., NeonClient], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    uri = "postgresql://app:canary@ep-a.local/carecircle"
    with scripted_server(answers(http(200, {"uri": uri}))) as server:
        found = connect(server.url).connection_uri(PROJECT, branch_id=MAIN, database_name="carecircle", role_name="app")
    assert found.reveal() == uri
    assert "canary" not in caplog.text + repr(found)
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "key", ["", " ", "napi canary", "napi_canary\n", "napi_canary\r\nX: y", "napi_canary…", "\x00canary"]
)
def test_a_key_that_no_header_can_hold_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        NeonClient(Secret(key))
    assert "canary" not in everything_told(caught.value)


def test_neons_words_are_cleaned_before_anyone_sees_them(fake: Fake, neon: NeonClient) -> None:
    said = f"could not open postgresql://app:canary@host/db with {KEY}\n\x1b[31mforged line\u2028next " + "x" * 5000
    fake.says({"message": said, "code": ""}, status=422)
    with pytest.raises(errors.NeonRefused) as caught:
        neon.auth()
    text = str(caught.value)
    assert "postgresql://[hidden]@host/db with [hidden] [31mforged line next" in text
    assert len(caught.value.detail) <= 300
    assert text.isprintable()


@dataclass
class Holder:
    secret: Secret


def test_a_secret_shows_itself_only_on_request() -> None:
    secret = Secret("canary")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % secret, repr(Holder(secret))]  # noqa: UP031
    assert "canary" not in "".join(shown) + repr(asdict(Holder(secret))) + repr([secret])
    assert secret.reveal() == "canary"
    assert secret == Secret("canary") != Secret("other")
    assert secret != "canary"
    assert len({secret, Secret("canary")}) == 1
    assert copy.deepcopy(secret) is copy.copy(secret) is secret
    assert bool(secret)
    assert not Secret("")


def test_a_secret_never_becomes_the_argument_of_a_task() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(Holder(Secret("canary")), protocol)


@given(st.text(), st.text(), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8))
def test_cleaning_removes_a_secret_wherever_it_stands(before: str, after: str, key: str) -> None:
    assert key not in clean_text(f"{before}|{key}|{after}", secrets=(Secret(key),), limit=10_000).replace(
        "[hidden]", ""
    )


@given(st.text())
def test_cleaned_text_is_one_short_line(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) <= 300
    assert len(cleaned.splitlines()) <= 1
