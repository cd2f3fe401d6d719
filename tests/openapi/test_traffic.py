"""What is wrong by Neon's description is found, wherever it crosses the wire."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from backups.neon.deadline import Deadline, Deadlines
from backups.neon.retry import CallKind
from backups.neon.secret import Secret
from backups.neon.transport import Answer, HttpTransport, Request
from neon_sandbox.api import shapes
from neon_sandbox.testing import running_sandbox
from neon_sandbox.traffic import LOG_VARIABLE, Exchange, exchange_from
from tests.openapi.checker import ORDERED_TO_BE_WRONG, Checker
from tests.openapi.corrections import CORRECTIONS, Asked, Correction, corrected
from tests.openapi.description import Description, Schema, read_description
from tests.openapi.plugin import NAME, Watch
from tests.sandbox.api import Api
from tests.sandbox.programs import Program
from tests.support.node import DESCRIPTION, PINNED

PROJECT = "/projects/calm-river-12345678"
BRANCHES = f"{PROJECT}/branches"
ROLE = {
    "branch_id": "br-a",
    "name": "app",
    "created_at": "2026-11-22T10:00:00Z",
    "updated_at": "2026-11-22T10:00:00Z",
}


@pytest.fixture(scope="session")
def published(pinned_packages) -> Schema:
    return read_description(pinned_packages / DESCRIPTION)


@pytest.fixture(scope="session")
def checker(published) -> Checker:
    return Checker(Description(corrected(published)))


@pytest.fixture
def watch(request, pinned_packages) -> Watch:
    """The watch over this very run."""
    found: Watch = request.config.pluginmanager.get_plugin(NAME)
    return found


def answered(body: object, status: int = 200, path: str = f"{BRANCHES}/br-a/roles", **more: Any) -> Exchange:
    text = body if isinstance(body, str) else json.dumps(body)
    return replace(Exchange("GET", path, status, content_type="application/json", body=text), **more)


def test_a_right_answer_passes(checker):
    assert checker.exchange(answered({"roles": [ROLE]})) == []
    assert checker.exchange(answered({"code": "", "message": "no"}, 404)) == []
    assert checker.exchange(Exchange("DELETE", f"{BRANCHES}/br-a", 204)) == []


@pytest.mark.parametrize(
    ("exchange", "finding"),
    [
        (answered({"roles": [{**ROLE, "nme": "app"}]}), "nme"),
        (answered({"roles": [{**ROLE, "name": None}]}), "roles.0.name"),
        (answered({"roles": [{**ROLE, "created_at": "yesterday"}]}), "roles.0.created_at"),
        (answered({"roles": []} | {"next": 1}), "next"),
        (answered({}), "roles"),
        (answered("[]"), "the whole"),
        (answered("<html>"), "not JSON"),
        (answered({"roles": []}, content_type="text/plain"), "content type"),
        (answered({"roles": []}, 202), "no answer 202"),
        (answered({"error": "no"}, 404), "message"),
        (answered({}, path=f"{PROJECT}/backups"), "no such call"),
        (Exchange("DELETE", f"{BRANCHES}/br-a", 204, body="{}"), "a body"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_answer_is_found(checker, exchange, finding):
    assert finding in "\n".join(checker.exchange(exchange))


@pytest.mark.parametrize("kind", ORDERED_TO_BE_WRONG)
def test_only_what_was_ordered_to_be_wrong_passes(checker, kind):
    assert checker.exchange(answered("<html>", 524, fault=kind)) == []
    assert checker.exchange(answered("<html>", 524, fault="status")) != []


@pytest.mark.parametrize(
    ("asked", "finding"),
    [
        (Asked("GET", f"{PROJECT}/backups"), "no such call"),
        (Asked("GET", "/projects/Calm_River/branches"), "project_id in the path"),
        (Asked("GET", BRANCHES, {"limit": "0"}), "query limit"),
        (Asked("GET", BRANCHES, {"order": "asc"}), "order is unknown"),
        (Asked("GET", f"{PROJECT}/connection_uri", {"role_name": "app"}), "database_name is missing"),
        (Asked("GET", BRANCHES, body="{}"), "takes none"),
        (Asked("POST", f"{BRANCHES}/br-a/restore", body='{"source": "br-a"}'), "source_branch_id"),
        (Asked("POST", f"{BRANCHES}/br-a/restore"), "the body is missing"),
        (Asked("POST", BRANCHES, body='{"branch": {"nmae": "copy"}}'), "nmae"),
        (Asked("POST", BRANCHES, body="name=copy"), "not JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_request_is_found(checker, asked, finding):
    assert finding in "\n".join(errors_of(checker, asked))


def test_what_the_portal_asks_is_judged_in_every_process(checker):
    wrong = answered({"code": "", "message": "no"}, 404, path=BRANCHES)
    ours = replace(wrong, query={"order": "asc"}, user_agent="carecircle-ops/1.0 (+backups.neon)")
    assert checker.exchange(ours) == [f"request GET {BRANCHES}: query parameter order is unknown"]
    assert checker.exchange(replace(ours, user_agent="curl/8")) == []


@pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda correction: correction.what)
def test_a_correction_is_needed_and_is_enough(checker, published, correction: Correction):
    others = [other for other in CORRECTIONS if other is not correction]
    without = Checker(Description(corrected(published, others)))
    assert bool(errors_of(checker, correction.example)) is correction.refuses
    assert bool(errors_of(without, correction.example)) is not correction.refuses


def errors_of(checker: Checker, example: Asked | Exchange) -> Sequence[str]:
    if isinstance(example, Exchange):
        return checker.exchange(example)
    return checker.request(example.method, example.path, example.query.items(), example.body)


def test_a_sandbox_in_this_process_is_watched(watch, monkeypatch):
    shape = shapes.role
    monkeypatch.setattr(shapes, "role", lambda *args, **options: {**shape(*args, **options), "colour": "red"})
    with running_sandbox() as sandbox, (api := Api(sandbox)).http:
        api.get(f"/branches/{sandbox.branch_id}/roles")
    assert "colour" in the_failure_of(watch)


def test_our_client_is_watched_whoever_answers(watch):
    sender = HttpTransport(
        base_url="http://127.0.0.1:1/api/v2",
        api_key=Secret("napi_x"),
        deadlines=Deadlines(),
        inner=httpx.MockTransport(lambda request: httpx.Response(200, json={"branches": []})),
    )
    asked = Request(CallKind.READ, "GET", "/projects/Calm_River/branches", request_id="1")
    assert isinstance(sender.send(asked, Deadline.after(10, time.monotonic)), Answer)
    assert "project_id in the path" in the_failure_of(watch)


def the_failure_of(watch: Watch) -> str:
    with pytest.raises(pytest.fail.Exception) as failure:
        watch.fail_if_wrong()
    watch.fail_if_wrong()  # what was said once is not said of the next test
    return str(failure.value)


def test_a_sandbox_of_its_own_process_writes_down_what_it_answers(tmp_path, monkeypatch, checker):
    log = tmp_path / "traffic.jsonl"
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    program = Program("serve", "--state", str(tmp_path / "state"), "--storage", "none")
    try:
        with program.http() as http:
            assert http.get("/branches", params={"limit": 5}).status_code == 200
            assert http.post("/branches", json={"branch": {"name": 7}}).status_code == 400
            assert http.get("/nothing").status_code == 404
            http.get(f"{program.ready['control_url']}/faults")
    finally:
        program.stop()

    found = [exchange_from(line) for line in log.read_text().splitlines()]
    assert [(exchange.method, exchange.status) for exchange in found] == [("GET", 200), ("POST", 400), ("GET", 404)]
    assert (found[0].query, json.loads(found[1].request_body)) == ({"limit": "5"}, {"branch": {"name": 7}})
    assert [error for exchange in found for error in checker.exchange(exchange)] == []
    assert all(program.ready["project_id"] in exchange.path for exchange in found)


def test_what_a_child_answered_wrongly_fails_the_run(tmp_path, watch):
    log = tmp_path / "traffic.jsonl"
    log.write_text(answered({"roles": [{}]}).as_line())
    own = Watch(watch.traffic, log)
    session: Any = argparse.Namespace(exitstatus=pytest.ExitCode.OK)
    own.pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.TESTS_FAILED
    assert "roles.0" in own.left_over[0]
    assert not log.exists()


def test_the_lock_names_no_registry():
    lock = json.loads((PINNED / "package-lock.json").read_text())
    wanted = json.loads((PINNED / "package.json").read_text())["dependencies"]
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
