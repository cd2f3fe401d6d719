"""A case file on paper: black on white in dark mode too, and nothing on it that only a screen needs."""

from __future__ import annotations

import pytest

from tests.browser.test_pages import LAPTOP, log_in
from tests.factories import People
from tests.support.browser import OpenPage
from tests.support.portal import LivePortal
from tests.support.scenes import Scenes

pytestmark = [pytest.mark.browser]

_SEEN = "e => e.checkVisibility()"


def test_what_is_printed(live_portal: LivePortal, open_page: OpenPage, people: People) -> None:
    request = Scenes(people).completed()
    page = open_page(viewport=LAPTOP, color_scheme="dark")
    log_in(page, live_portal, people.dana)
    page.goto(f"{live_portal.url}/audit/cases/restores/{request.pk}/")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in (".top", ".foot", ".tabs"):
        assert not page.locator(hidden).first.evaluate(_SEEN), hidden
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".case td").first.evaluate("e => getComputedStyle(e).color") == "rgb(0, 0, 0)"
    assert page.locator(".case tr").first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
