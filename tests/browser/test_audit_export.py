"""Dana takes a part of the record away: asks, watches the file grow, downloads it; with script and without."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import expect

from backups.models import LedgerEvent
from backups.selectors import export as export_selector
from backups.services.export import write
from tests.browser.test_pages import log_in
from tests.factories import People
from tests.support.browser import OpenPage
from tests.support.exports import csv_rows
from tests.support.portal import LivePortal
from tests.support.sealing import comment

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("exports_in")]


@contextmanager
def worker_that_waits_after_its_first_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A page is two events. The second is written once the test lets it go on."""
    go_on, pages = threading.Event(), list[str]()

    def wait(name: str) -> None:
        pages.append(name)
        if len(pages) == 2:
            assert go_on.wait(60)

    def work() -> None:
        write.write_due_exports()
        connection.close()

    monkeypatch.setattr(export_selector, "CHUNK", 2)
    monkeypatch.setattr(write, "crash_point", wait)
    worker = threading.Thread(target=work, name="export worker")
    worker.start()
    try:
        yield go_on
    finally:
        go_on.set()
        worker.join()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_dana_makes_an_export_sees_how_far_it_is_and_downloads_it(
    live_portal: LivePortal,
    open_page: OpenPage,
    people: People,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    javascript: bool,
):
    for _ in range(5):
        comment()
    page = open_page(javascript=javascript, accept_downloads=True)
    log_in(page, live_portal, people.dana)
    page.goto(f"{live_portal.url}/audit/exports/")
    page.get_by_role("link", name="Export events").click()
    page.get_by_label("CSV: a line for each event").check()
    page.get_by_label("About").fill("R-0007")
    page.get_by_role("button", name="Make the file").click()
    expect(page.get_by_text("Waiting for the worker").first).to_be_visible()

    with worker_that_waits_after_its_first_page(monkeypatch) as go_on:
        expect(page.get_by_role("progressbar", name="2 of 5 events are written")).to_have_attribute("value", "40")
        go_on.set()
        expect(page.get_by_role("link", name="Download")).to_be_visible()

    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    taken = tmp_path / "taken.csv"
    downloading.value.save_as(taken)
    assert downloading.value.suggested_filename.startswith("ledger-X-")
    assert {row["target"] for row in csv_rows(taken)} == {"R-0007"}
    assert len(csv_rows(taken)) == 5
    assert LedgerEvent.objects.filter(type="ledger.downloaded", actor_ref=f"user:{people.dana.user.pk}").count() == 1
