"""The auditor's way through the log, in a real browser: list, filter, kept filter, one event and its proof."""

from __future__ import annotations

import pytest
from django.db import transaction
from playwright.sync_api import expect

from backups.domain.ledger import Target
from backups.services.ledger import record_event
from tests.browser.test_pages import log_in
from tests.factories import People
from tests.support.browser import LAPTOP, PHONE, OpenPage
from tests.support.portal import LivePortal

pytestmark = [pytest.mark.browser]


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_an_auditor_finds_an_event_and_keeps_the_way_to_it(
    live_portal: LivePortal, open_page: OpenPage, people: People, viewport: dict[str, int]
):
    with transaction.atomic():
        record_event(type="request.commented", actor=people.bob.actor, target=Target("restore_request", "R-0007"))
    page = open_page(viewport=viewport)
    log_in(page, live_portal, people.dana)
    page.goto(f"{live_portal.url}/backups/ledgerevent/")
    page.get_by_label("Its id").fill("R-0007")
    page.get_by_label("Person").select_option("bob")
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_text("Narrowed to:")).to_be_visible()
    expect(page.get_by_role("link", name="A comment was written")).to_have_count(1)
    page.get_by_label("Keep this filter as").fill("Bob on R-0007")
    page.get_by_role("button", name="Keep it").click()
    page.goto(f"{live_portal.url}/backups/ledgerevent/")
    page.get_by_role("link", name="Bob on R-0007").click()
    page.get_by_role("link", name="A comment was written").click()
    expect(page.get_by_role("heading", name="Its proof")).to_be_visible()
    expect(page.get_by_text("Not sealed yet")).to_be_visible()
    expect(page.get_by_role("link", name="Download the exact bytes")).to_be_visible()
