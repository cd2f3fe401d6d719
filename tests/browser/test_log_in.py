"""The way in, with and without script, on a phone and on a laptop."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.factories import People
from tests.support.browser import LAPTOP, PHONE, OpenPage, log_in
from tests.support.portal import LivePortal

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_a_wrong_password_then_the_right_one(
    live_portal: LivePortal, people: People, open_page: OpenPage, viewport, javascript
):
    page = open_page(viewport=viewport, javascript=javascript)

    log_in(page, live_portal.url, people.alice.user.username, password="wrong")
    expect(page.get_by_role("alert")).to_be_visible()

    log_in(page, live_portal.url, people.alice.user.username)
    expect(page).not_to_have_url(re.compile("/login/"))
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
