"""A decision without a mouse: one always sees where one is, and nothing is out of order or covered."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Arrive
from tests.factories import PASSWORD, People
from tests.support.browser import LAPTOP, PHONE
from tests.support.portal import LivePortal
from tests.support.scenes import Scenes

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]

MOST_STOPS = 120

Stop = dict[str, Any]


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_a_vote_by_keyboard(arrive: Arrive, live_portal: LivePortal, people: People, viewport):
    request = Scenes(people).pending()
    bob = arrive("bob", viewport=viewport)
    page = bob.page
    bob.go("/login/")
    walk_to(page, "id_username")
    page.keyboard.type("bob")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Needs you")).to_be_visible()

    bob.go(f"/restores/{request.pk}/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the page")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")
    walk_to(page, "Approve…")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name=f"Approve {request.reference}?")).to_be_visible()
    walk_to(page, "chip-loss")
    page.keyboard.press("Space")
    walk_to(page, "id_reason")
    page.keyboard.type("The right point.")
    walk_to(page, f"Approve {request.reference}")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your approval is recorded.")).to_be_visible()


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("address", ["/", "/restores/new/", "/restores/{pending}/", "/looks/new/"])
def test_every_stop_is_seen(arrive: Arrive, people: People, viewport, address: str):
    pending = Scenes(people).pending()
    alice = arrive("alice", viewport=viewport)
    alice.log_in()
    alice.go(address.format(pending=pending.pk))
    assert len(stops(alice.page)) > 5


def walk_to(page: Page, wanted: str) -> None:
    """Presses Tab until the element with this id, or with these words, has the focus."""
    for _ in range(MOST_STOPS):
        stop = press_tab(page)
        assert stop is not None, f"the page ends before {wanted}"
        if wanted in (stop["id"], stop["words"]):
            return
    raise AssertionError(f"{wanted} is not among the first {MOST_STOPS} stops")


def stops(page: Page) -> list[Stop]:
    """Every place where Tab stops, up to the end of the page, none before its predecessor. A date has several."""
    found: list[Stop] = []
    while stop := press_tab(page):
        assert not found or stop["place"] >= found[-1]["place"], f"{found[-1]} comes before {stop}"
        found.append(stop)
        assert len(found) < MOST_STOPS
    return found


def press_tab(page: Page) -> Stop | None:
    page.keyboard.press("Tab")
    stop: Stop | None = page.evaluate(_STOP)
    if stop is not None:
        assert stop["outlined"], f"the focus is not to be seen: {stop}"
        assert stop["on_top"], f"the focus is hidden or covered: {stop}"
    return stop


_STOP = """() => {
    const focused = document.activeElement;
    if (!focused || focused === document.body || focused === document.documentElement) return null;
    const box = focused.getClientRects()[0], style = getComputedStyle(focused);
    const middle = (low, high, end) => (Math.max(low, 0) + Math.min(high, end)) / 2;
    const x = middle(box.left, box.right, innerWidth), y = middle(box.top, box.bottom, innerHeight);
    const shown = document.elementFromPoint(x, y);
    return {
        id: focused.id,
        words: focused.textContent.trim().slice(0, 60),
        place: [...document.querySelectorAll("*")].indexOf(focused),
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        on_top: Boolean(shown) && focused.contains(shown),
        at: [x, y].map(Math.round),
        below: shown ? shown.outerHTML.slice(0, 80) : null,
    };
}"""
