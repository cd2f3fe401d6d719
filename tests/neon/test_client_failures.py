"""Which error a call ends in, what is tried again, and what the observer is told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from backups.neon import errors
from backups.neon.calls import CallRecord
from backups.neon.client import NeonClient
from backups.neon.secret import Secret
from tests.neon.answers import OP, branch, changed, restore
from tests.neon.conftest import KEY, MAIN, PROJECT, Fake


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.NeonRefused),
        (401, errors.NeonKeyRejected),
        (403, errors.NeonForbidden),
        (404, errors.NeonNotFound),
        (406, errors.NeonOutOfWindow),
        (409, errors.NeonRefused),
        (412, errors.NeonRefused),
        (422, errors.NeonRefused),
        (423, errors.NeonBusy),
        (429, errors.NeonRateLimited),
        (503, errors.NeonUnavailable),
        (500, errors.OutcomeUnknown),
        (408, errors.OutcomeUnknown),
        (504, errors.OutcomeUnknown),
    ],
)
def test_a_change_is_sent_once_whatever_the_answer(
    fake: Fake, neon: NeonClient, status: int, error: type[errors.NeonError]
) -> None:
    fake.says({"code": "SOME_CODE", "message": "said Neon"}, status=status, x_neon_ret_request_id="theirs")
    with pytest.raises(error) as caught:
        restore(neon)
    told = caught.value
    assert type(told) is error
    assert (told.status, told.method, told.code, told.detail) == (status, "POST", "SOME_CODE", "said Neon")
    assert told.path == f"/projects/{PROJECT}/branches/{MAIN}/restore"
    assert told.request_id == fake.requests[0].headers["x-request-id"]
    assert told.neon_request_id == "theirs"
    assert fake.time.slept == []


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.ConnectError("x"), errors.NeonUnavailable),
        (httpx.ConnectTimeout("x"), errors.NeonUnavailable),
        (httpx.PoolTimeout("x"), errors.NeonUnavailable),
        (httpx.ReadTimeout("x"), errors.OutcomeUnknown),
        (httpx.WriteTimeout("x"), errors.OutcomeUnknown),
        (httpx.ReadError("x"), errors.OutcomeUnknown),
        (httpx.WriteError("x"), errors.OutcomeUnknown),
        (httpx.RemoteProtocolError("x"), errors.OutcomeUnknown),
    ],
)
def test_without_an_answer_it_matters_whether_it_was_sent(
    fake: Fake, neon: NeonClient, failure: Exception, error: type[errors.NeonError]
) -> None:
    fake.will(failure)
    with pytest.raises(error) as caught:
        restore(neon)
    assert type(caught.value) is error
    assert caught.value.status is None


@pytest.mark.parametrize(
    "answer", [{}, {"branch": branch()}, {"operations": []}, {"branch": {"id": MAIN}, "operations": []},
               {"branch": branch(), "operations": [{}]}, {"branch": branch(), "operations": None}, []]
)  # fmt: skip
def test_a_success_that_cannot_be_followed_up_is_unknown(fake: Fake, neon: NeonClient, answer: Any) -> None:
    fake.says(answer)
    with pytest.raises(errors.OutcomeUnknown):
        restore(neon)
    assert fake.records[0].outcome == "look_up"


def test_an_unexpected_204_is_unknown_except_for_a_delete(fake: Fake, neon: NeonClient) -> None:
    fake.will(httpx.Response(204))
    with pytest.raises(errors.OutcomeUnknown):
        restore(neon)
    fake.says({})
    with pytest.raises(errors.OutcomeUnknown):
        neon.branches.delete(PROJECT, MAIN)


def test_without_time_left_nothing_is_handed_to_any_transport(fake: Fake, neon: NeonClient) -> None:
    with pytest.raises(errors.NeonUnavailable):
        restore(neon.limited_to(0.0))
    assert fake.requests == []


def test_what_neon_asks_for_is_passed_on(fake: Fake, neon: NeonClient) -> None:
    fake.says({"message": "slow down"}, status=429, retry_after="17")
    with pytest.raises(errors.NeonRateLimited) as asked:
        restore(neon)
    assert (asked.value.retry_after_seconds, asked.value.asked_by_neon) == (17.0, True)
    fake.says({"message": "busy"}, status=423)
    with pytest.raises(errors.NeonBusy) as own:
        restore(neon)
    assert (own.value.retry_after_seconds, own.value.asked_by_neon) == (1.0, False)
    fake.says({"message": "busy"}, status=503, retry_after="Sun, 22 Nov 2026 10:00:40 GMT")
    with pytest.raises(errors.NeonUnavailable) as date:
        restore(neon)
    assert date.value.retry_after_seconds == 40.0


def test_a_refusal_can_be_told_apart(fake: Fake, neon: NeonClient) -> None:
    fake.says({"code": "ROOT_BRANCHES_LIMIT_EXCEEDED", "message": "too many"}, status=422)
    fake.says({"code": "", "message": "branch not ready yet"}, status=422)
    with pytest.raises(errors.NeonRefused) as limit:
        restore(neon)
    with pytest.raises(errors.NeonRefused) as early:
        restore(neon)
    assert (limit.value.limit_reached, limit.value.not_ready_yet) == (True, False)
    assert (early.value.limit_reached, early.value.not_ready_yet) == (False, True)


def test_every_error_says_what_happened_what_not_and_what_next(fake: Fake, neon: NeonClient) -> None:
    fake.says({"code": "C", "message": "said Neon"}, status=422)
    with pytest.raises(errors.NeonRefused) as refused:
        restore(neon)
    assert str(refused.value) == (
        f"Neon refused the call, POST /projects/{PROJECT}/branches/{MAIN}/restore (HTTP 422): C: said Neon. "
        "Nothing was changed. Read the reason; the same call will be refused again. "
        f"[request {refused.value.request_id}]"
    )
    fake.will(httpx.ReadTimeout("lost"))
    with pytest.raises(errors.OutcomeUnknown, match=r"not known .* not sent a second time\. Look at the branch"):
        restore(neon)


def test_a_read_tries_again_and_succeeds(fake: Fake, neon: NeonClient) -> None:
    fake.will(httpx.ReadTimeout("lost"), httpx.Response(502, text="<html>"))
    fake.says({"account_id": "acc"})
    assert neon.auth().account_id == "acc"
    assert fake.time.slept == [0.125, 0.25]
    assert len({r.headers["x-request-id"] for r in fake.requests}) == 3


def test_a_read_gives_up_after_its_attempts(fake: Fake, neon: NeonClient) -> None:
    fake.will(*[httpx.ConnectError("down")] * 3)
    with pytest.raises(errors.NeonUnavailable) as caught:
        neon.auth()
    assert caught.value.retry_after_seconds > 0
    assert caught.value.request_id == fake.records[-1].request_id


def test_a_read_does_not_wait_beyond_its_deadline(fake: Fake, neon: NeonClient) -> None:
    fake.says({"message": "slow down"}, status=429, retry_after="60")
    with pytest.raises(errors.NeonRateLimited) as caught:
        neon.auth()
    assert caught.value.retry_after_seconds == 60.0
    assert fake.time.slept == []


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_read_that_is_refused_is_not_repeated(fake: Fake, neon: NeonClient, status: int) -> None:
    fake.says({"message": "no"}, status=status)
    with pytest.raises(errors.NeonError):
        neon.branches.get(PROJECT, MAIN)


def test_the_observer_is_told_about_each_attempt_and_no_values(fake: Fake, neon: NeonClient) -> None:
    fake.says({"message": "busy"}, status=423)
    fake.says({"uri": "postgresql://app:canary@host/carecircle"}, x_neon_ret_request_id="theirs")
    neon.connection_uri(PROJECT, branch_id=MAIN, database_name="carecircle", role_name="app")
    first, second = fake.records
    assert (first.status, first.outcome, second.status, second.outcome) == (423, "retry", 200, "done")
    assert second.path == f"/projects/{PROJECT}/connection_uri"
    assert (second.method, second.neon_request_id) == ("GET", "theirs")
    assert second.request_id == fake.requests[1].headers["x-request-id"]
    assert "canary" not in repr(fake.records)
    assert "carecircle" not in repr(fake.records)


def test_a_failing_observer_does_not_undo_a_success(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    def broken(record: CallRecord) -> None:
        raise RuntimeError("canary")

    fake.says(changed())
    transport = httpx.MockTransport(fake.handle)
    with NeonClient(Secret(KEY), transport=transport, on_call=broken) as client:
        assert restore(client).operation_ids == (OP,)
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text
