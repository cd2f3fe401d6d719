"""What the worker sees of an application: real sessions on the branch, a real health address, and nothing made up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import psycopg
import pytest

from backups.domain.afterwards import PointCode, PointState
from backups.models import Checklist, ChecklistPoint, ProtectedBranch
from backups.selectors.clock import database_now
from backups.services.afterwards.health_address import ask_health
from backups.services.afterwards.observing import look_at_application, see_application
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.factories import People

pytestmark = pytest.mark.django_db


@contextmanager
def application(url: str, name: str, sessions: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(sessions):
            stack.enter_context(psycopg.connect(url, autocommit=True, application_name=name))
        yield


@contextmanager
def health_page(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/healthz"
    finally:
        server.shutdown()
        server.server_close()


def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(page: BaseHTTPRequestHandler) -> None:
        page.send_response(code)
        page.send_header("Location", "http://127.0.0.1:1/")
        page.end_headers()

    return answer


def drip(page: BaseHTTPRequestHandler) -> None:
    """A byte now and then, which no time-out of a socket would end."""
    try:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100:
            page.wfile.write(bytes([byte]))
            time.sleep(0.02)
    except OSError:
        pass


@pytest.mark.parametrize("code", [200, 204, 302, 503])
def test_a_health_address_is_its_status(code: int) -> None:
    with health_page(status(code)) as url:
        assert ask_health(url, within_seconds=2) == code


def test_one_that_drips_or_is_not_there_is_no_answer_in_time() -> None:
    with health_page(drip) as url:
        began = time.monotonic()
        assert ask_health(url, within_seconds=0.2) is None
        assert time.monotonic() - began < 1.5
    assert ask_health("http://127.0.0.1:1/", within_seconds=1) is None
    assert ask_health("file:///etc/passwd", within_seconds=1) is None


def test_sessions_are_counted_by_application_without_ours(branch: ProtectedBranch, quiet_database_url: str) -> None:
    with application(quiet_database_url, "api", 3), application(quiet_database_url, "jobs", 1):
        seen = see_application(branch)
    sessions = dict(seen.application.sessions or {})
    assert (sessions["api"], sessions["jobs"], seen.application.health_asked) == (3, 1, False)
    assert not [name for name in sessions if name.startswith("carecircle-ops")]


def test_a_neon_that_does_not_answer_is_unknown_and_not_none(sandbox: RunningSandbox, branch: ProtectedBranch) -> None:
    sandbox.faults.add("status", status=500, times=None)
    assert see_application(branch).application.sessions is None


def checklist(branch: ProtectedBranch, **fields: Any) -> Checklist:
    people = People()
    request = factories.pending(people.alice, branch)
    made = Checklist.objects.create(request=request, branch=branch, opened_at=database_now(), **fields)
    ChecklistPoint.objects.create(checklist=made, code=PointCode.APPLICATION, position=0)
    return made


def test_a_look_settles_the_point_when_everybody_is_back(branch: ProtectedBranch, quiet_database_url: str) -> None:
    made = checklist(branch, sessions_before={"api": 4})
    with application(quiet_database_url, "api", 1):
        look_at_application(checklist_id=made.pk)
    assert made.points.get().state == PointState.OPEN
    with health_page(status(200)) as url, application(quiet_database_url, "api", 2):
        ProtectedBranch.objects.filter(pk=branch.pk).update(health_url=url)
        look_at_application(checklist_id=made.pk)
    made.refresh_from_db()
    point = made.points.get()
    assert (point.state, point.known_by) == (PointState.DONE, "portal")
    assert "answers 200" in point.sentence
    assert (made.seen or {})["sessions"]["api"] == 2


def test_nothing_is_looked_at_while_production_is_restored(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People
) -> None:
    made = checklist(branch, sessions_before={"api": 1})
    factories.approve(factories.pending(people.alice, branch), people.bob, people.carol)
    before = len(sandbox.calls())
    look_at_application(checklist_id=made.pk)
    assert len(sandbox.calls()) == before
