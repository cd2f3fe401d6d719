"""What is left after a restore, safety copies and tokens, in a real browser on a phone and on a laptop."""

from __future__ import annotations

import pytest

from backups.domain.afterwards import ApplicationSeen
from backups.services.afterwards.observing import Seen, note_seen
from tests.browser.test_pages import LAPTOP, SMALL_PHONE, _problems, log_in
from tests.factories import People, Person
from tests.support.afterwards import AfterwardsScene
from tests.support.browser import OpenPage
from tests.support.portal import LivePortal
from tests.support.scenes import Scenes

pytestmark = [pytest.mark.browser]


def addresses(people: People) -> list[tuple[Person, str]]:
    """Who reads what; the page of a branch's set-up and the forms that look like it are tried once."""
    scene = AfterwardsScene(Scenes(people))
    note_seen(checklist_id=scene.checklist.pk, seen=Seen(ApplicationSeen({"api": 2}, health_asked=True), ""))
    after, point = f"/afterwards/{scene.checklist.pk}/", scene.checklist.points.first()
    alice, bob, erin = people.alice, people.bob, people.erin
    return [
        (alice, "/afterwards/"),
        (alice, after),
        (alice, f"{after}points/{point.pk if point else 0}/"),
        (alice, f"{after}keep/"),
        (bob, f"{after}review/"),
        (alice, f"{after}review/write/"),
        (bob, f"/removals/{scene.removal.pk}/"),
        (alice, "/retrospectives/new/"),
        (people.carol, f"/retrospectives/{scene.record.pk}/"),
        (alice, "/safety-copies/"),
        (alice, "/safety-copies/new/"),
        (alice, f"/safety-copies/{scene.copy.pk}/"),
        (erin, "/tokens/"),
        (erin, "/tokens/new/"),
    ]


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(SMALL_PHONE, "light"), (LAPTOP, "dark")], ids=["phone-light", "laptop-dark"]
)
def test_they_are_accessible_fit_and_are_small(
    live_portal: LivePortal, open_page: OpenPage, people: People, viewport: dict[str, int], scheme: str
) -> None:
    page = open_page(viewport=viewport, color_scheme=scheme, timezone_id="Europe/Berlin")
    problems: list[str] = []
    for person, address in addresses(people):
        log_in(page, live_portal, person)
        answer = page.goto(live_portal.url + address)
        assert answer
        assert answer.status == 200, (address, answer.status)
        problems += [f"{address}: {problem}" for problem in _problems(page, viewport["width"])]
    assert not problems, "\n".join(problems)
