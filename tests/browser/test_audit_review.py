"""Dana reviews the log: on a phone without script, and on a laptop with the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from backups.domain.log_review import Mark
from backups.models import LogReview
from backups.selectors.log_review import concerns
from backups.services.log_review import Marking, mark_items, open_review
from tests.browser.test_pages import LAPTOP, SMALL_PHONE, _problems, log_in
from tests.factories import People
from tests.support.browser import OpenPage
from tests.support.portal import LivePortal

pytestmark = [pytest.mark.browser]


def marked_by_carol(people: People, review: LogReview) -> None:
    """What Dana caused herself, or what is about her account, is for somebody else."""
    own = [item for item in review.items.select_related("event") if concerns(item, people.dana.actor)]
    mark_items(actor=people.carol.actor, review_id=review.pk, markings={item.pk: Marking(Mark.OK) for item in own})


def test_on_a_phone_without_script(live_portal: LivePortal, open_page: OpenPage, people: People) -> None:
    people.all()
    page = open_page(viewport=SMALL_PHONE, javascript=False)
    log_in(page, live_portal, people.dana)
    page.goto(f"{live_portal.url}/audit/reviews/")
    page.get_by_role("button", name="Open a review").click()
    review = LogReview.objects.get()
    marked_by_carol(people, review)
    page.reload()
    while True:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for choice in page.get_by_text("Fine", exact=True).and_(page.locator(".choice span")).all():
            choice.click()
        page.locator("button[name=go_on]").click()
        expect(page.get_by_text("Saved:")).to_be_visible()
        if page.get_by_role("button", name="Sign this review").count():
            break
    page.get_by_role("button", name="Sign this review").click()
    expect(page.get_by_text("Nothing of this review changes any more.")).to_be_visible()
    review.refresh_from_db()
    assert review.signed_by_name == "dana"


def test_on_a_laptop_by_keyboard(live_portal: LivePortal, open_page: OpenPage, people: People) -> None:
    people.all()
    review = open_review(actor=people.dana.actor)
    page = open_page(viewport=LAPTOP, color_scheme="dark")
    log_in(page, live_portal, people.dana)
    page.goto(f"{live_portal.url}/audit/reviews/{review.pk}/")
    assert _problems(page, LAPTOP["width"]) == []
    _go_to(page, "input[type=radio]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.type("Who is this?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved: 1 mark.")).to_be_visible()
    expect(page.locator(".quote-plain").get_by_text("Who is this?")).to_be_visible()


def _go_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the keyboard does not get to {selector}")
