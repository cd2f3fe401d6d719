"""What each change sends, and what is refused before it is sent."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import httpx
import pytest

from backups.neon.branches import NewEndpoint
from backups.neon.client import NeonClient
from tests.neon.answers import COPY, ENDPOINT, OP, POINT, body, changed, restore
from tests.neon.conftest import MAIN, PROJECT, START, Fake


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
