"""Every page in a real browser: no violation of the content policy, axe clean, no sideways scroll, below 100 kB."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from django.test import Client
from playwright.sync_api import Page, expect

from backups.admin.words import in_zone
from backups.models import EnvironmentProposal, LedgerEvent, LookState, RestoreRequest
from backups.services.ledger_verification import ask_for_verification
from backups.services.log_review import open_review
from tests.factories import People, Person
from tests.support.browser import LAPTOP, PHONE, OpenPage
from tests.support.drills import ExerciseScene, plan_of
from tests.support.erasing import asked_erasure
from tests.support.exports import an_export
from tests.support.governance import governance_proposal
from tests.support.monitor import monitor_scene
from tests.support.portal import LivePortal
from tests.support.scenes import Scenes

pytestmark = [pytest.mark.browser]

SMALL_PHONE = {"width": 360, "height": 640}
MOST_BYTES = 100_000
#: WCAG 2.2 AA and what axe calls good practice.
AXE = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
#: The rest of a page is the same in dark colours.
AXE_OF_COLOURS = {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": ["color-contrast"]}}


@pytest.fixture
def scenes(live_portal: LivePortal, people: People) -> Scenes:
    return Scenes(people)


def a_change_of_access() -> str:
    return str(LedgerEvent.objects.filter(type="access.role_granted").latest("recorded_at").pk)


@pytest.fixture
def pages(scenes: Scenes, people: People) -> list[tuple[str, Person, str]]:
    """(name, who reads it, address) of every page."""
    ids = {state: getattr(scenes, state)().pk for state in (
        "draft", "preparing", "pending", "snapshot_pending", "snapshot_completed", "approved", "running", "completed",
        "unverified", "unknown_effect", "proposed", "expired",
    )}  # fmt: skip
    look, branch = scenes.look(), scenes.staging_ready()
    exercise = ExerciseScene(people, branch)
    proposal = EnvironmentProposal.objects.create(branch=branch, label="development", proposed_by=people.erin.user)
    alice, bob, dana, erin = people.alice, people.bob, people.dana, people.erin
    finding, wish = monitor_scene(branch, alice)
    return [
        ("start", bob, "/"),
        ("start of the auditor", dana, "/"),
        ("audit", dana, "/audit/"),
        ("population", dana, "/audit/populations/access-changes/"),
        ("sample", dana, "/audit/populations/access-changes/?size=5&seed=a1"),
        ("approvers", dana, "/audit/approvers/"),
        ("verification", dana, f"/audit/verifications/{ask_for_verification(actor=dana.actor).pk}/"),
        ("queue", alice, "/restores/"),
        ("file", alice, "/restores/new/"),
        ("pending", bob, f"/restores/{ids['pending']}/"),
        ("draft", alice, f"/restores/{ids['draft']}/"),
        ("preparing", alice, f"/restores/{ids['preparing']}/"),
        ("approved", alice, f"/restores/{ids['approved']}/"),
        ("running", alice, f"/restores/{ids['running']}/"),
        ("completed", alice, f"/restores/{ids['completed']}/"),
        ("unverified", alice, f"/restores/{ids['unverified']}/"),
        ("unknown effect", bob, f"/restores/{ids['unknown_effect']}/"),
        ("expired", alice, f"/restores/{ids['expired']}/"),
        ("vote", bob, f"/restores/{ids['pending']}/vote/"),
        ("pending snapshot", bob, f"/restores/{ids['snapshot_pending']}/"),
        ("vote on a snapshot", bob, f"/restores/{ids['snapshot_pending']}/vote/"),
        ("restored from a snapshot", alice, f"/restores/{ids['snapshot_completed']}/"),
        ("reject", bob, f"/restores/{ids['pending']}/vote/?choice=reject"),
        ("comment", bob, f"/restores/{ids['pending']}/comment/"),
        ("edit", alice, f"/restores/{ids['pending']}/edit/"),
        ("withdraw", alice, f"/restores/{ids['pending']}/withdraw/"),
        ("start a restore", alice, f"/restores/{ids['approved']}/start/"),
        ("undo", alice, f"/restores/{ids['completed']}/undo/"),
        ("resolve", alice, f"/restores/{ids['unverified']}/resolve/accept/"),
        ("confirm", bob, f"/restores/{ids['proposed']}/confirm/"),
        ("new look", alice, "/looks/new/"),
        ("look", alice, f"/looks/{look.pk}/"),
        ("look that failed", alice, f"/looks/{scenes.look(LookState.FAILED).pk}/"),
        ("projects", erin, "/projects/"),
        ("project", erin, f"/projects/{scenes.project.pk}/"),
        ("environment", erin, f"/branches/{branch.pk}/environment/"),
        ("proposal", bob, f"/proposals/{proposal.pk}/"),
        ("alerts", erin, "/notifications/"),
        ("monitor", bob, "/monitor/"),
        ("finding", bob, f"/monitor/findings/{finding.pk}/"),
        ("branch in the monitor", bob, f"/monitor/branches/{branch.pk}/"),
        ("declare backups", erin, f"/monitor/branches/{branch.pk}/declare/"),
        ("propose backups", alice, f"/monitor/branches/{branch.pk}/propose/"),
        ("plan proposal", bob, f"/monitor/plan-proposals/{wish.pk}/"),
        ("drill plan", alice, f"/drills/plans/{plan_of(branch).pk}/"),
        ("canary", alice, f"/branches/{branch.pk}/canary/"),
        ("attach a file", alice, f"/drills/{exercise.drill.pk}/add/file/"),
        ("corrective action", erin, f"/actions/{exercise.action.pk}/"),
        ("register", dana, "/audit/governance/"),
        (
            "register of a project",
            bob,
            f"/projects/{governance_proposal(people, scenes.project).project_id}/governance/",
        ),
        ("propose to the register", bob, f"/projects/{scenes.project.pk}/governance/new/"),
        ("case files", dana, "/audit/cases/"),
        ("case file of a drill", dana, f"/audit/cases/drills/{exercise.drill.pk}/"),
        ("case file of a change of access", dana, f"/audit/cases/access/{a_change_of_access()}/"),
        ("case file of a restore", dana, f"/audit/cases/restores/{ids['completed']}/"),
        ("log reviews", dana, "/audit/reviews/"),
        ("log review", dana, f"/audit/reviews/{open_review(actor=dana.actor).pk}/"),
        ("a duty", dana, "/readiness/duties/people_reviewed/"),
        ("events", dana, "/backups/ledgerevent/?outcome=success"),
        ("event", dana, f"/backups/ledgerevent/{LedgerEvent.objects.latest('recorded_at').pk}/change/"),
        ("erasures", dana, "/audit/erasures/"),
        ("erase words", erin, f"/audit/events/{exercise.drill.story_id}/erase/"),
        ("erasure", bob, f"/audit/erasures/{asked_erasure(exercise.drill.story, people.erin).pk}/"),
        ("types of events", dana, "/audit/catalogue/"),
        ("types of one family", dana, "/audit/catalogue/?family=request"),
        ("exports", dana, "/audit/exports/"),
        ("new export", dana, "/audit/exports/new/"),
        ("export", dana, f"/audit/exports/{an_export(people).pk}/"),
        ("password", bob, "/password_change/"),
    ]


def log_in(page: Page, portal: LivePortal, person: Person) -> None:
    """The session's cookie, without the log-in page, which has a test of its own."""
    client = Client()
    client.force_login(person.user)
    cookie = client.cookies["session"]
    page.context.clear_cookies()
    page.context.add_cookies([{"name": "session", "value": cookie.value, "url": portal.url}])


def test_every_page_is_accessible_fits_and_is_small(live_portal: LivePortal, open_page: OpenPage, pages):
    """Loaded as a small phone shows it in light colours, then looked at once more as a laptop does in dark ones."""
    page = open_page(viewport=SMALL_PHONE, color_scheme="light", timezone_id="Europe/Berlin")
    problems: list[str] = []
    for name, person, address in pages:
        log_in(page, live_portal, person)
        answer = page.goto(live_portal.url + address)
        assert answer
        assert answer.status == 200, (name, answer.status)
        found = _problems(page, SMALL_PHONE["width"]) + _problems_on_a_dark_laptop(page)
        problems += [f"{name}: {problem}" for problem in found]
    assert not problems, "\n".join(problems)


def _problems_on_a_dark_laptop(page: Page) -> list[str]:
    page.emulate_media(color_scheme="dark")
    _resize(page, LAPTOP)
    found = _problems(page, LAPTOP["width"], AXE_OF_COLOURS)
    _resize(page, SMALL_PHONE)
    page.emulate_media(color_scheme="light")
    return [f"on a dark laptop: {problem}" for problem in found]


def _resize(page: Page, size: dict[str, int]) -> None:
    page.set_viewport_size({"width": size["width"], "height": size["height"]})


def test_the_login_page_is_accessible(live_portal: LivePortal, open_page: OpenPage):
    page = open_page(viewport=SMALL_PHONE)
    page.goto(live_portal.url + "/login/")
    assert _problems(page, 360) == []


def _problems(page: Page, width: int, rules: dict[str, Any] = AXE) -> list[str]:
    found = []
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        found.append(f"{wide} px wide")
    weight = page.evaluate(_WEIGHT)
    if weight > MOST_BYTES:
        found.append(f"{weight} bytes")
    return found + [_said(violation) for violation in Axe().run(page, options=rules).response["violations"]]


_WEIGHT = """performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
    .reduce((sum, entry) => sum + entry.decodedBodySize, 0)"""


def _said(violation: dict[str, Any]) -> str:
    nodes = "; ".join(f"{node['target']} {node.get('failureSummary', '')[:160]}" for node in violation["nodes"][:3])
    return f"{violation['id']} ({violation['impact']}): {nodes}"


def test_the_first_phone_screen_is_enough_to_decide(live_portal: LivePortal, open_page: OpenPage, scenes, people):
    request = scenes.pending()
    page = open_page(viewport=SMALL_PHONE)
    log_in(page, live_portal, people.bob)
    page.goto(f"{live_portal.url}/restores/{request.pk}/")
    bar = page.locator(".decide-bar").bounding_box()
    assert bar
    assert bar["y"] + bar["height"] <= 640
    for what, words in {
        "what": "Take ALL of production back",
        # Just after midnight the point lies on the day before, and the page says which.
        "when": f"to {in_zone(request.point_at, dt.UTC, dt.datetime.now(dt.UTC))}",
        "loss": "At least 1,377 new rows",
        "patients": "doses given",
        "who": "asks",
        "how long": "left",
    }.items():
        box = page.get_by_text(words).first.bounding_box()
        assert box, what
        assert box["y"] + box["height"] <= bar["y"], f"{what} is below the first screen"
    for button in page.locator(".decide-bar .button").all():
        box = button.bounding_box()
        assert box
        assert box["height"] >= 48


def elsewhere(act: Callable[[RestoreRequest], object], request: RestoreRequest) -> None:
    """Somebody else's act, while this browser has its page open."""

    def run() -> None:
        try:
            act(request)
        finally:
            connections.close_all()

    other = threading.Thread(target=run)
    other.start()
    other.join()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_vote_is_given_on_the_phone(live_portal: LivePortal, open_page: OpenPage, scenes, people, javascript: bool):
    request = scenes.pending()
    page = open_page(viewport=PHONE, javascript=javascript)
    log_in(page, live_portal, people.bob)
    page.goto(f"{live_portal.url}/restores/{request.pk}/")
    page.locator(".decide-bar").get_by_text("Approve…").click()
    page.get_by_text("Checked what is lost").click()
    page.get_by_role("button", name="Approve R-").click()
    expect(page.get_by_text("Your approval is recorded.")).to_be_visible()


def test_a_request_can_be_approved_by_keyboard(live_portal: LivePortal, open_page: OpenPage, scenes, people):
    request = scenes.pending()
    page = open_page()
    log_in(page, live_portal, people.bob)
    page.goto(f"{live_portal.url}/restores/{request.pk}/vote/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "chip-loss":
            page.keyboard.press("Space")
        if page.evaluate("document.activeElement.textContent").strip().startswith("Approve R-"):
            break
    page.keyboard.press("Enter")
    page.get_by_text("Your approval is recorded.").wait_for()


def test_a_running_page_follows_by_itself_and_shows_the_end(
    live_portal: LivePortal, open_page: OpenPage, scenes, people
):
    request = scenes.running()
    page = open_page()
    log_in(page, live_portal, people.alice)
    page.goto(f"{live_portal.url}/restores/{request.pk}/")
    expect(page.get_by_text("Neon carries it out")).to_be_visible()
    elsewhere(scenes.finish, request)
    page.get_by_role("heading", name="Restored and verified").wait_for()


def test_what_is_being_typed_survives_a_change_of_the_request(
    live_portal: LivePortal, open_page: OpenPage, scenes, people
):
    request = scenes.pending()
    page = open_page()
    log_in(page, live_portal, people.alice)
    page.goto(f"{live_portal.url}/restores/{request.pk}/")
    page.get_by_label("Write to the requester and the voters").fill("The workers are stopped")
    elsewhere(scenes.approve_by_carol, request)
    page.get_by_text("Something changed since you opened this page").wait_for()
    assert page.get_by_label("Write to the requester and the voters").input_value() == "The workers are stopped"


def test_the_form_says_at_once_which_moment_is_meant(live_portal: LivePortal, open_page: OpenPage, scenes, people):
    page = open_page(timezone_id="Europe/Berlin")
    log_in(page, live_portal, people.alice)
    page.goto(f"{live_portal.url}/restores/new/")
    page.locator("#id_point_date").fill("2026-01-10")
    page.locator("#id_point_time").fill("09:30:00")
    page.locator("#id_point_zone").select_option("America/New_York")
    expect(page.get_by_text("= 2026-01-10 14:30:00 UTC")).to_be_visible()
