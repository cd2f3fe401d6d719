"""A case file on paper: black on white in dark mode too, and nothing on it that only a screen needs."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from backups.models import Project
from tests.browser.test_pages import LAPTOP, log_in
from tests.factories import People
from tests.support.browser import OpenPage
from tests.support.portal import LivePortal
from tests.support.scenes import Scenes

pytestmark = [pytest.mark.browser]

_SEEN = "e => e.checkVisibility()"
#: What reaches beyond the paper, or is hidden by what it lies in.
_CUT_OFF = """[...document.querySelectorAll('.case *')].filter(e => e.checkVisibility() && !e.closest('.hidden') && (
    e.getBoundingClientRect().right > innerWidth + 1 ||
    (e.scrollWidth > e.clientWidth + 1 && ['hidden', 'auto', 'scroll'].includes(getComputedStyle(e).overflowX))
)).map(e => e.outerHTML.slice(0, 90))"""


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
    expect(page.get_by_text("for dana, which is on record")).to_be_visible()
    # A4 without its margins, at 96 dots an inch.
    page.set_viewport_size({"width": 718, "height": 1000})
    assert page.evaluate(_CUT_OFF) == []
    assert page.locator(".note").count() == 0
    Project.objects.update(is_sandbox=True)
    page.reload()
    expect(page.get_by_text("Sandbox: no evidence.")).to_be_visible()
    assert page.pdf(format="A4").startswith(b"%PDF-")
