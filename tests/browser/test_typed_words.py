"""The page that asks about what looks like a patient's data: on a phone, and without script."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from backups.models import Comment
from tests.browser.conftest import Arrive
from tests.factories import People
from tests.support.browser import LAPTOP, PHONE
from tests.support.scenes import Scenes

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]


@pytest.mark.parametrize(("viewport", "javascript"), [(PHONE, True), (LAPTOP, True), (LAPTOP, False)])
def test_the_question_is_answered_on_its_page(arrive: Arrive, people: People, viewport, javascript):
    request = Scenes(people).pending()
    bob = arrive("bob", viewport=viewport, javascript=javascript)
    bob.log_in()
    bob.go(f"/restores/{request.pk}/comment/")
    bob.page.locator("textarea[name=text]").fill("The rows of\nMRN 00482231 are back, key napi_CANARY0123456789")
    bob.page.get_by_role("button", name="Send").click()
    expect(bob.page.get_by_role("heading", name="A secret can")).to_be_visible()
    bob.examine("typed-words-secret")
    bob.page.get_by_role("button", name="Send what stands above now").click()

    expect(bob.page.get_by_role("heading", name="Is this personal data?")).to_be_visible()
    expect(bob.page.get_by_text("A medical record number: line 2, character 1")).to_be_visible()
    bob.examine("typed-words-asked")
    bob.page.get_by_role("button", name="Save it anyway").click()
    expect(bob.page.get_by_role("heading", name="Is this personal data?")).to_have_count(0)
    kept = Comment.objects.get(request=request, author=people.bob.user)
    assert kept.text.text == "The rows of\r\nMRN 00482231 are back, key [a Neon API key was taken out]"
