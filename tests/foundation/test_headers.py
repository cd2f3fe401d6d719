"""What every answer tells the browser, and how long a login lasts."""

from __future__ import annotations

import time

import pytest
from django.test import Client
from django.urls import reverse

from carecircle_ops.sessions import BACKGROUND_HEADER
from tests.factories import People


@pytest.mark.parametrize("path", ["/healthz", "/no-such-page", "/static/backups/favicon.svg"])
@pytest.mark.django_db
def test_every_answer_carries_the_strict_policy(client, path):
    answer = client.get(path)
    b"".join(answer)  # to its end, or the file that it streams stays open
    headers = answer.headers

    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["X-Request-ID"]


@pytest.mark.django_db
def test_no_page_is_kept_in_a_cache(client):
    assert client.get("/no-such-page").headers["Cache-Control"] == "no-store, private"


def test_the_request_id_of_the_proxy_is_kept(client):
    assert client.get("/healthz", headers={"X-Request-ID": "from-the-proxy"}).headers["X-Request-ID"] == (
        "from-the-proxy"
    )


def test_a_form_without_its_token_says_that_nothing_was_changed():
    answer = Client(enforce_csrf_checks=True).post(reverse("admin:login"), {"username": "alice"})

    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()


@pytest.fixture
def clock(monkeypatch):
    """Moves the time that logins are measured by."""
    start = time.time()
    moved = {"by": 0.0}
    monkeypatch.setattr("carecircle_ops.sessions.time.time", lambda: start + moved["by"])
    return moved


@pytest.fixture
def alice(client, people: People):
    client.force_login(people.alice.user)
    return client


def logged_in(client: Client, **headers: str) -> bool:
    client.get("/no-such-page", headers=headers)
    return "_auth_user_id" in client.session


@pytest.mark.django_db
def test_an_unknown_page_says_so_with_a_reference(alice):
    answer = alice.get("/no-such-page")

    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()
    assert answer.headers["X-Request-ID"] in answer.content.decode()


@pytest.mark.django_db
def test_a_login_ends_after_a_time_without_a_visit(alice, clock):
    clock["by"] = 15 * 60 + 1

    assert not logged_in(alice)


@pytest.mark.django_db
def test_visits_keep_a_login(alice, clock):
    for minutes in range(10, 61, 10):
        clock["by"] = minutes * 60
        assert logged_in(alice)


@pytest.mark.django_db
def test_a_page_that_refreshes_itself_does_not(alice, clock):
    for minutes in (5, 10, 14):
        clock["by"] = minutes * 60
        assert logged_in(alice, **{BACKGROUND_HEADER: "1"})

    clock["by"] = 16 * 60
    assert not logged_in(alice)


@pytest.mark.django_db
def test_the_busiest_login_ends_after_twelve_hours(alice, clock):
    for minutes in range(10, 12 * 60, 10):
        clock["by"] = minutes * 60
        assert logged_in(alice)

    clock["by"] = 12 * 3600 + 1
    assert not logged_in(alice)


@pytest.mark.django_db
def test_a_session_without_clocks_is_closed(alice):
    session = alice.session
    del session["login_started_at"]
    session.save()

    assert not logged_in(alice)
