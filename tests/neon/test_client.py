"""What each method asks of Neon and makes of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from backups.neon import errors
from backups.neon.branches import NewEndpoint
from backups.neon.calls import CallRecord
from backups.neon.client import NeonClient
from backups.neon.secret import Secret
from tests.neon.conftest import KEY, MAIN, PROJECT, START, Fake

OP = "11111111-2222-4333-8444-555555555555"
COPY = "br-copy-leaf-22222222"
ENDPOINT = "ep-fair-moon-33333333"
POINT = datetime(2026, 11, 22, 9, 30, 15, 250_000, tzinfo=UTC)


def branch(id: str = MAIN, name: str = "main", **fields: Any) -> dict[str, Any]:
    return {"id": id, "name": name} | fields


def changed(**fields: Any) -> dict[str, Any]:
    return {"branch": branch(), "operations": [{"id": OP, "status": "running"}]} | fields


def body(fake: Fake) -> Any:
    return json.loads(fake.requests[-1].content)


def params(fake: Fake, turn: int = -1) -> dict[str, str]:
    return dict(fake.requests[turn].url.params)


def restore(client: NeonClient, **point: Any) -> Any:
    return client.branches.restore(
        PROJECT, target_branch_id=MAIN, source_branch_id=COPY, preserve_under_name="before", **point
    )


# Reading


def test_auth(fake: Fake, neon: NeonClient) -> None:
    fake.says({"account_id": "acc", "auth_method": "api_key_org"})
    assert neon.auth().auth_method == "api_key_org"
    assert fake.asked == ["GET /auth"]


def test_a_project(fake: Fake, neon: NeonClient) -> None:
    fake.says({"project": {"id": PROJECT, "history_retention_seconds": 604800}})
    assert neon.projects.get(PROJECT).history_retention_seconds == 604800
    assert fake.asked == [f"GET /projects/{PROJECT}"]


def test_projects_over_pages_with_those_that_could_not_be_read(fake: Fake, neon: NeonClient) -> None:
    fake.says({"projects": [{"id": "a"}], "pagination": {"cursor": "a"}, "unavailable_project_ids": ["z"]})
    fake.says({"projects": [{"id": "b"}], "pagination": {"cursor": "b"}})
    fake.says({"projects": [], "unavailable_project_ids": ["y"]})
    found = neon.projects.list(org_id="org-x")
    assert [p.id for p in found.projects] == ["a", "b"]
    assert found.unavailable_ids == ("z", "y")
    assert [params(fake, turn).get("cursor") for turn in range(3)] == [None, "a", "b"]
    assert {params(fake, turn)["org_id"] for turn in range(3)} == {"org-x"}


def test_branches_over_pages_end_at_the_empty_one(fake: Fake, neon: NeonClient) -> None:
    annotations = {COPY: {"value": {"carecircle": "request-7"}}}
    fake.says({"branches": [branch()], "annotations": {}, "pagination": {"next": "one"}})
    fake.says({"branches": [branch(COPY, "copy")], "annotations": annotations, "pagination": {"next": "two"}})
    fake.says({"branches": [], "annotations": {}, "pagination": {"next": "three"}})
    main, copy = neon.branches.list(PROJECT)
    assert (main.id, main.annotation) == (MAIN, None)
    assert copy.annotation == {"carecircle": "request-7"}
    assert params(fake) == {"sort_by": "created_at", "sort_order": "asc", "limit": "400", "cursor": "two"}


def test_a_list_without_cursor_ends_there(fake: Fake, neon: NeonClient) -> None:
    fake.says({"branches": [branch()]})
    assert len(neon.branches.list(PROJECT)) == 1


def test_a_branch_that_shifts_between_pages_is_there_once_as_last_seen(fake: Fake, neon: NeonClient) -> None:
    fake.says({"branches": [branch()], "pagination": {"next": "one"}})
    fake.says({"branches": [branch(name="renamed")], "pagination": {}})
    assert [b.name for b in neon.branches.list(PROJECT)] == ["renamed"]


@pytest.mark.parametrize("pages", [["one", "one"], ["one", "two", "one"]])
def test_paging_in_a_circle_is_an_error_not_a_short_list(fake: Fake, neon: NeonClient, pages: list[str]) -> None:
    for cursor in pages:
        fake.says({"branches": [branch()], "pagination": {"next": cursor}})
    with pytest.raises(errors.AnswerUnusable, match="paging"):
        neon.branches.find_by_name(PROJECT, "before")


@pytest.mark.parametrize(
    "broken", [{}, {"branches": None}, {"branches": [branch(), None]}, {"branches": [{"id": "x"}]}]
)
def test_a_list_that_cannot_be_read_is_not_an_empty_list(fake: Fake, neon: NeonClient, broken: Any) -> None:
    fake.says(broken)
    with pytest.raises(errors.AnswerUnusable):
        neon.branches.find_by_name(PROJECT, "before")


def test_a_name_is_found_only_as_a_whole(fake: Fake, neon: NeonClient) -> None:
    listed = {"branches": [branch(name="before-2"), branch(COPY, "before")]}
    fake.says(listed)
    fake.says(listed)
    found = neon.branches.find_by_name(PROJECT, "before")
    assert found is not None
    assert found.id == COPY
    assert neon.branches.find_by_name(PROJECT, "befor") is None


def test_one_branch_with_its_annotation(fake: Fake, neon: NeonClient) -> None:
    fake.says({"branch": branch(), "annotation": {"value": {"carecircle": "drill-1", "odd": 5}}})
    assert neon.branches.get(PROJECT, MAIN).annotation == {"carecircle": "drill-1"}


def test_endpoints(fake: Fake, neon: NeonClient) -> None:
    one = {"id": ENDPOINT, "branch_id": MAIN, "type": "read_write", "host": "h"}
    fake.says({"endpoints": [one]})
    fake.says({"endpoints": [one]})
    fake.says({"endpoint": one})
    assert neon.endpoints.list(PROJECT)[0].is_read_write
    assert neon.endpoints.list_for_branch(PROJECT, MAIN)[0].id == ENDPOINT
    assert neon.endpoints.get(PROJECT, ENDPOINT).branch_id == MAIN
    assert fake.asked == [
        f"GET /projects/{PROJECT}/endpoints",
        f"GET /projects/{PROJECT}/branches/{MAIN}/endpoints",
        f"GET /projects/{PROJECT}/endpoints/{ENDPOINT}",
    ]


def test_databases_roles_and_secrets(fake: Fake, neon: NeonClient) -> None:
    fake.says({"databases": [{"id": 1, "name": "carecircle", "owner_name": "app"}]})
    fake.says({"roles": [{"name": "app", "password": "canary"}]})
    fake.says({"password": "canary"})
    fake.says({"uri": "postgresql://app:canary@host/carecircle"})
    assert neon.databases.list(PROJECT, MAIN)[0].name == "carecircle"
    assert "canary" not in repr(neon.roles.list(PROJECT, MAIN))
    password = neon.roles.reveal_password(PROJECT, MAIN, "app/../x y")
    uri = neon.connection_uri(PROJECT, branch_id=MAIN, database_name="carecircle", role_name="app")
    assert (password.reveal(), uri.reveal()) == ("canary", "postgresql://app:canary@host/carecircle")
    assert fake.requests[2].url.raw_path.endswith(b"/roles/app%2F..%2Fx%20y/reveal_password")
    assert params(fake) == {
        "branch_id": MAIN,
        "database_name": "carecircle",
        "role_name": "app",
        "pooled": "false",
    }


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_role_that_would_leave_the_path(neon: NeonClient, name: str) -> None:
    with pytest.raises(ValueError, match="role"):
        neon.roles.reveal_password(PROJECT, MAIN, name)


def test_an_id_that_would_leave_the_path(neon: NeonClient) -> None:
    with pytest.raises(ValueError, match="Neon id"):
        neon.branches.delete(PROJECT, "../../projects/other")


# Changing


def test_create_at_a_moment(fake: Fake, neon: NeonClient) -> None:
    fake.says(changed(endpoints=[{"id": ENDPOINT}], connection_uris=[{"connection_uri": "x"}]), status=201)
    change = neon.branches.create(
        PROJECT,
        name="look-1",
        parent_id=MAIN,
        parent_timestamp=POINT.astimezone(timezone(timedelta(hours=2))),
        endpoint=NewEndpoint(autoscaling_limit_min_cu=0.25, autoscaling_limit_max_cu=0.25),
        expires_at=POINT + timedelta(hours=2),
        annotation={"carecircle": "look-1"},
    )
    assert body(fake) == {
        "branch": {
            "name": "look-1",
            "parent_id": MAIN,
            "parent_timestamp": "2026-11-22T09:30:15.250Z",
            "expires_at": "2026-11-22T11:30:16Z",
        },
        "endpoints": [{"type": "read_write", "autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 0.25}],
        "annotation_value": {"carecircle": "look-1"},
    }
    assert change.operation_ids == (OP,)
    assert change.endpoints[0].id == ENDPOINT
    assert change.request_id == fake.requests[0].headers["x-request-id"]


def test_create_at_an_lsn_and_at_the_head_without_compute(fake: Fake, neon: NeonClient) -> None:
    fake.says(changed(), status=201)
    fake.says(changed(), status=201)
    neon.branches.create(PROJECT, name="a", parent_id=MAIN, parent_lsn="0/1E19478")
    assert body(fake) == {"branch": {"name": "a", "parent_id": MAIN, "parent_lsn": "0/1E19478"}, "endpoints": []}
    neon.branches.create(PROJECT, name="b", parent_id=MAIN)
    assert body(fake) == {"branch": {"name": "b", "parent_id": MAIN}, "endpoints": []}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"name": "new"}, {"name": "new"}),
        ({"protected": False}, {"protected": False}),
        ({"expires_at": START}, {"expires_at": "2026-11-22T10:00:00Z"}),
        ({"never_expires": True}, {"expires_at": None}),
    ],
)
def test_update(fake: Fake, neon: NeonClient, given: dict[str, Any], sent: dict[str, Any]) -> None:
    fake.says(changed())
    neon.branches.update(PROJECT, MAIN, **given)
    assert fake.asked == [f"PATCH /projects/{PROJECT}/branches/{MAIN}"]
    assert body(fake) == {"branch": sent}


@pytest.mark.parametrize("given", [{}, {"never_expires": True, "expires_at": START}, {"name": ""}])
def test_an_update_that_makes_no_sense(neon: NeonClient, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"change|expires|characters"):
        neon.branches.update(PROJECT, MAIN, **given)


def test_delete_and_delete_again(fake: Fake, neon: NeonClient) -> None:
    fake.says(changed())
    fake.will(httpx.Response(204))
    assert neon.branches.delete(PROJECT, MAIN).operation_ids == (OP,)
    again = neon.branches.delete(PROJECT, MAIN)
    assert (again.branch, again.operations) == (None, ())
    assert fake.asked == [f"DELETE /projects/{PROJECT}/branches/{MAIN}"] * 2


def test_set_as_default_start_and_suspend_send_no_body(fake: Fake, neon: NeonClient) -> None:
    endpoint = {"endpoint": {"id": ENDPOINT}, "operations": [{"id": OP}]}
    fake.says(changed())
    fake.says(endpoint)
    fake.says(endpoint)
    neon.branches.set_as_default(PROJECT, MAIN)
    assert neon.endpoints.start(PROJECT, ENDPOINT).operation_ids == (OP,)
    assert neon.endpoints.suspend(PROJECT, ENDPOINT).endpoint.id == ENDPOINT
    assert fake.asked == [
        f"POST /projects/{PROJECT}/branches/{MAIN}/set_as_default",
        f"POST /projects/{PROJECT}/endpoints/{ENDPOINT}/start",
        f"POST /projects/{PROJECT}/endpoints/{ENDPOINT}/suspend",
    ]
    assert {request.content for request in fake.requests} == {b""}


def test_create_endpoint(fake: Fake, neon: NeonClient) -> None:
    fake.says({"endpoint": {"id": ENDPOINT}, "operations": []}, status=201)
    neon.endpoints.create(PROJECT, branch_id=MAIN, endpoint=NewEndpoint(suspend_timeout_seconds=60))
    assert body(fake) == {"endpoint": {"branch_id": MAIN, "type": "read_write", "suspend_timeout_seconds": 60}}


@pytest.mark.parametrize(
    ("point", "sent"),
    [
        ({"source_timestamp": POINT}, {"source_timestamp": "2026-11-22T09:30:15.250Z"}),
        ({"source_lsn": "A/B"}, {"source_lsn": "A/B"}),
        ({}, {}),
    ],
)
def test_restore_names_target_in_the_path_and_source_in_the_body(
    fake: Fake, neon: NeonClient, point: dict[str, Any], sent: dict[str, str]
) -> None:
    fake.says(changed())
    restore(neon, **point)
    assert fake.asked == [f"POST /projects/{PROJECT}/branches/{MAIN}/restore"]
    assert body(fake) == {"source_branch_id": COPY, "preserve_under_name": "before"} | sent


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"source_timestamp": POINT, "source_lsn": "0/1"}, "not both"),
        ({"source_branch_id": MAIN}, "itself"),
        ({"preserve_under_name": ""}, "characters"),
        ({"source_timestamp": POINT.replace(tzinfo=None)}, "zone"),
        ({"source_timestamp": POINT.replace(microsecond=1)}, "milliseconds"),
        ({"source_lsn": "head"}, "LSN"),
        ({"target_branch_id": "main branch"}, "Neon id"),
    ],
)
def test_a_restore_that_makes_no_sense_is_not_sent(neon: NeonClient, arguments: dict[str, Any], reason: str) -> None:
    good = {"target_branch_id": MAIN, "source_branch_id": COPY, "preserve_under_name": "before"}
    with pytest.raises(ValueError, match=reason):
        neon.branches.restore(PROJECT, **(good | arguments))


# What goes wrong


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.NeonRefused),
        (401, errors.NeonKeyRejected),
        (403, errors.NeonForbidden),
        (404, errors.NeonNotFound),
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


CHANGES: list[tuple[Callable[[NeonClient], Any], bool]] = [
    (lambda c: restore(c), False),
    (lambda c: c.branches.create(PROJECT, name="a", parent_id=MAIN), False),
    (lambda c: c.endpoints.create(PROJECT, branch_id=MAIN), False),
    (lambda c: c.branches.delete(PROJECT, MAIN), True),
    (lambda c: c.branches.update(PROJECT, MAIN, name="a"), True),
    (lambda c: c.branches.set_as_default(PROJECT, MAIN), True),
    (lambda c: c.endpoints.start(PROJECT, ENDPOINT), True),
    (lambda c: c.endpoints.suspend(PROJECT, ENDPOINT), True),
]


@pytest.mark.parametrize(("change", "repeatable"), CHANGES)
def test_which_changes_may_be_repeated_after_a_lost_answer(
    fake: Fake, neon: NeonClient, change: Callable[[NeonClient], Any], repeatable: bool
) -> None:
    fake.will(httpx.ReadTimeout("lost"))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        change(neon)
    assert caught.value.safe_to_repeat is repeatable
    assert len(fake.requests) == 1


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


# Reads try again


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


# The observer


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
