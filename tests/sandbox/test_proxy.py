"""The one port behind which all endpoints lie: TLS, host names, computes that wake, and the past."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from cryptography import x509

from neon_sandbox.entities import Endpoint
from neon_sandbox.front import certificate, past
from tests.sandbox.real import RealProject, quiet_moment

BYTES = 3_000_000


@pytest.fixture(autouse=True)
def _names_lead_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine that does not know names below localhost is told."""
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")


def endpoint_of(project: RealProject, branch_id: str | None = None) -> Endpoint:
    found = project.sandbox.sandbox.plane.endpoint_of(branch_id or project.main)
    assert found
    return found


def address(project: RealProject, *, label: str | None = None, options: str = "", ssl_words: str | None = None) -> str:
    """As Neon's command line prints it."""
    plane, endpoint = project.sandbox.sandbox.plane, endpoint_of(project)
    role = plane.roles(project.main)[0]
    words = "sslmode=require&channel_binding=require" if ssl_words is None else ssl_words
    travel = f"&options={quote(options)}" if options else ""
    host = f"{label or endpoint.id}.localhost:{plane.proxy_port}"
    return f"postgresql://{role.name}:{role.password}@{host}/carecircle?{words}{travel}"


def connect(url: str, **words: Any) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, **words)


def ids(connection: psycopg.Connection) -> list[int]:
    return [row[0] for row in connection.execute("select id from entry order by id")]


def refusal(url: str, **words: Any) -> str:
    with pytest.raises(psycopg.OperationalError) as refused:
        connect(url, **words)
    return str(refused.value)


@pytest.mark.parametrize("words", [None, "sslmode=require&channel_binding=disable", "sslmode=prefer"])
def test_a_client_arrives_and_bytes_go_both_ways(shared: RealProject, words: str | None) -> None:
    with connect(address(shared, ssl_words=words), application_name="a client's name") as connection:
        assert connection.pgconn.ssl_in_use
        connection.execute("insert into entry values (1, %s)", ["x" * BYTES])
        said = connection.execute("select said, current_setting('application_name') from entry").fetchone()
        assert said == ("x" * BYTES, "a client's name")
        assert connection.info.parameter_status("server_version")
    assert shared.ids() == [1]


def test_what_the_client_wants_to_be_set_is_set(shared: RealProject) -> None:
    wanted = "-c work_mem=8MB -c DateStyle=SQL,\\ DMY"
    with connect(address(shared), options=wanted) as connection:
        shown = connection.execute("select current_setting('work_mem'), current_setting('DateStyle')").fetchone()
    assert shown == ("8MB", "SQL, DMY")


def test_a_pooled_name_leads_to_the_same_place(shared: RealProject) -> None:
    with connect(address(shared, label=f"{endpoint_of(shared).id}-pooler")) as connection:
        assert ids(connection) == []


def test_who_does_not_know_the_password_learns_nothing(shared: RealProject) -> None:
    wrong = refusal(address(shared), password="wrong")
    assert "password authentication failed for user" in wrong
    unknown_role = refusal(address(shared), user="nobody")
    unknown_place = refusal(address(shared, label="ep-no-place-12345678"))
    assert "password authentication failed for user 'nobody'" in unknown_role
    assert "password authentication failed" in unknown_place


def test_a_password_of_another_branch_does_not_fit(project: RealProject) -> None:
    project.api.call("PATCH", f"/branches/{project.main}", {"branch": {"protected": True}}).raise_for_status()
    child = project.branch("child")  # below a protected branch, passwords are others
    assert "authentication failed" in refusal(address(project, label=endpoint_of(project, child).id))


def test_without_tls_nobody_can_be_led_anywhere(shared: RealProject) -> None:
    assert "use sslmode=require" in refusal(address(shared, ssl_words="sslmode=disable"))


def test_what_the_server_says_is_passed_on(shared: RealProject) -> None:
    assert 'database "missing" does not exist' in refusal(address(shared), dbname="missing")


def test_nonsense_is_not_answered_and_breaks_nothing(shared: RealProject) -> None:
    port = shared.sandbox.sandbox.plane.proxy_port
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x08\x04\xd2\x16\x2fnot tls at all", b"\x00"):
        with socket.create_connection(("127.0.0.1", port)) as raw, suppress(OSError):
            raw.sendall(nonsense)
            raw.shutdown(socket.SHUT_WR)
            assert raw.recv(1000) in (b"", b"S")
    connect(address(shared)).close()


def test_a_statement_is_cancelled(shared: RealProject) -> None:
    with connect(address(shared)) as connection:
        connection.execute("set statement_timeout = '20s'")
        canceller = threading.Timer(0.1, connection.cancel_safe)
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled, match="user request"):
            connection.execute("select pg_sleep(30)")
        canceller.join()


def test_a_connection_wakes_a_compute(project: RealProject) -> None:
    project.insert(1)
    endpoint = endpoint_of(project)
    project.api.done(project.api.call("POST", f"/endpoints/{endpoint.id}/suspend"))
    with connect(address(project)) as connection:
        assert ids(connection) == [1]
    assert endpoint_of(project).current_state == "active"
    assert project.api.get("/operations")["operations"][0]["action"] == "start_compute"


def test_a_restore_cuts_the_connection_and_the_same_address_leads_to_the_restored_rows(project: RealProject) -> None:
    project.insert(1)
    then = quiet_moment()
    project.insert(2)
    with connect(address(project)) as connection:
        assert ids(connection) == [1, 2]
        project.restore(source_timestamp=then, preserve_under_name="old")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    with connect(address(project)) as connection:
        assert ids(connection) == [1]


@pytest.fixture
def history(project: RealProject) -> tuple[RealProject, str, str]:
    """A project, and a moment and a log position at which only row 1 was there."""
    project.insert(1)
    moment, position = quiet_moment(), project.head_lsn()
    project.execute("update entry set said = 'later'")
    project.insert(2)
    return project, moment, position


def test_the_past_is_shown_and_can_not_be_changed(history: tuple[RealProject, str, str]) -> None:
    project, moment, position = history
    for options in (f"neon_timestamp:{moment}", f"neon_lsn:{position}"):
        with connect(address(project, label=project.main, options=options)) as connection:
            assert connection.execute("select id, said from entry").fetchall() == [(1, "x")]
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute("delete from entry")
    assert project.ids() == [1, 2]
    assert [branch["name"] for branch in project.api.get("/branches")["branches"]] == ["main"]


def test_what_showed_the_past_goes_when_nobody_looks(
    history: tuple[RealProject, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, moment, _ = history
    plane = project.sandbox.sandbox.plane
    url = address(project, label=project.main, options=f"neon_timestamp:{moment}")
    monkeypatch.setattr(past, "IDLE_SECONDS", 0.0)
    before = set(plane.pinned_nodes)
    with connect(url) as first, connect(url) as second:
        (made,) = plane.pinned_nodes - before  # one compute for both
        first.close()
        project.sandbox.sandbox.tidy()
        assert ids(second) == [1]
    deadline = time.monotonic() + 10
    while made in plane.pinned_nodes:
        assert time.monotonic() < deadline
        project.sandbox.sandbox.tidy()
    with connect(url) as connection:
        assert ids(connection) == [1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("neon_timestamp:2020-01-01T00:00:00Z", "outside the history window"),
        ("neon_timestamp:yesterday", "RFC 3339"),
        ("neon_lsn:FFFFFFFF/0", "LSN"),
        ("", "at a point of its past"),
    ],
)
def test_a_past_that_there_is_not(shared: RealProject, options: str, words: str) -> None:
    assert words in refusal(address(shared, label=shared.main, options=options))


def test_the_certificate_is_a_right_one() -> None:
    made = certificate.new_certificate(datetime(2026, 11, 22, tzinfo=UTC))
    read = x509.load_pem_x509_certificate(made)
    read.verify_directly_issued_by(read)
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "*.localhost"]
    assert certificate.new_certificate(datetime(2026, 11, 22, tzinfo=UTC)) != made
