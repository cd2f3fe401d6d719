"""The browser fixture and the log-in page, which every other browser test goes through."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from tests.support.browser import LAPTOP, PHONE, OpenPage
from tests.support.portal import LivePortal

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_somebody_logs_in_and_out(live_portal: LivePortal, open_page: OpenPage, viewport, javascript):
    User.objects.create_user("alice", password="a long password", is_staff=True)
    page = open_page(viewport=viewport, javascript=javascript)

    page.goto(live_portal.url)
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").click()

    assert page.get_by_text("Logged out").first.is_visible()
