"""The portal as an installation runs it: static files collected, served by gunicorn."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from neon_sandbox.cluster import free_port
from tests.support.database import OwnDatabase
from tests.support.worker import wait_until

pytestmark = pytest.mark.acceptance


@pytest.fixture
def site(own_database: OwnDatabase, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": own_database.url,
        "SITE_URL": url,
        "STATIC_ROOT": str(tmp_path / "static"),
    }
    run: dict[str, Any] = {"cwd": settings.BASE_DIR, "env": environment}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], check=True, capture_output=True, **run
    )
    gunicorn = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--no-control-socket"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *gunicorn, "carecircle_ops.wsgi"], stdout=log, stderr=log, **run
        )
    try:
        wait_until(lambda: _answers(url), "the site answers")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def fetch(url: str, **headers: str) -> HTTPResponse:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=10)  # noqa: S310
    except urllib.error.HTTPError as error:
        return error  # type: ignore[return-value]
    return response


def _answers(url: str) -> bool:
    try:
        return fetch(f"{url}/healthz").status == 200
    except urllib.error.URLError:
        return False


def test_pages_and_their_files_are_served(site):
    with fetch(site) as page:
        html = page.read().decode()
        assert page.status == 200
        assert 'name="csrfmiddlewaretoken"' in html

    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', html)
    assert files
    for path in files:
        with fetch(site + path, **{"Accept-Encoding": "gzip"}) as file:
            assert file.status == 200
            assert "immutable" in file.headers["Cache-Control"], path
            assert file.headers["Content-Security-Policy"]

    with fetch(f"{site}/favicon.ico") as icon:
        assert icon.headers["Content-Type"] == "image/svg+xml"


def test_another_host_name_is_refused_with_a_page_that_says_nothing_of_its_inside(site):
    with fetch(f"{site}/healthz", Host="evil.example.org") as page:
        html = page.read().decode()

    assert page.status == 400
    assert "This request could not be read" in html
    assert page.headers["X-Request-ID"] in html
    assert not re.search("evil|django|traceback", html, re.IGNORECASE)
