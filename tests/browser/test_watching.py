"""What watches the other tests: a page that breaks a rule is noticed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.support.browser import PHONE, watch
from tests.support.portal import LivePortal
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.browser]

_INLINE_SCRIPT = """
    document.body.append(Object.assign(document.createElement("script"), {textContent: "window.ran = true"}))"""
_SPOIL = """() => {
    const wide = document.createElement("img");
    wide.style.width = "500px";
    document.querySelector("main").append(wide);
}"""


def test_an_inline_script_is_refused_and_told(live_portal: LivePortal, browser: Browser):
    problems: list[str] = []
    page = browser.new_page()
    watch(page, problems)
    page.goto(f"{live_portal.url}/login/")

    with page.expect_console_message():
        page.evaluate(_INLINE_SCRIPT)

    assert page.evaluate("window.ran") is None
    assert "Content Security Policy" in problems[0]
    page.close()


def test_a_page_that_is_too_wide_and_a_picture_without_words_are_told(live_portal: LivePortal, browser: Browser):
    complaints: list[str] = []
    page = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    bob = Visitor(page, live_portal.url, person="bob", javascript=True, complaints=complaints)
    bob.go("/login/")
    bob.examine("clean")
    assert complaints == []

    page.evaluate(_SPOIL)
    bob.examine("spoilt")

    assert any("px wide in a window of 360 px" in complaint for complaint in complaints)
    assert any("image-alt" in complaint for complaint in complaints)
    page.close()
