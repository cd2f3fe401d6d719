"""A drill run from its plan's page, followed until it is over, its report read by a manager on a phone and signed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backups.models import Drill
from backups.selectors.clock import database_now
from demo.seed import load
from neon_sandbox.testing import running_sandbox
from tests.browser.conftest import Arrive
from tests.browser.incident import SCALE, take_into_care
from tests.browser.test_flow import option_with
from tests.support.browser import LAPTOP, PHONE
from tests.support.portal import LivePortal
from tests.support.visitor import Visitor
from tests.support.worker import running_worker

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]
PATIENCE_MILLISECONDS = 90_000


@pytest.fixture
def portal(live_portal: LivePortal, tmp_path: Path) -> Iterator[LivePortal]:
    """With its worker and a local Neon that holds a small CareCircle database."""
    # The branch is some seconds old, and its newest moment must be after its rows were loaded.
    young = {"DRILL_POINT_MARGIN_SECONDS": "0.2"}
    with running_worker(live_portal.database, tmp_path, **young), running_sandbox("postgres") as sandbox:
        load(sandbox.dsn(), scale=SCALE)
        take_into_care(sandbox)
        yield live_portal


def test_a_drill_is_run_and_its_report_is_read(portal: LivePortal, arrive: Arrive) -> None:
    alice, bob = arrive("alice", viewport=LAPTOP), arrive("bob", viewport=PHONE)
    make_a_plan(alice)
    reference = run_it_now(alice)
    read_and_sign(bob, reference)
    log_an_exercise(bob)
    for name, path in (("readiness", "/readiness/"), ("trends", "/drills/trends/"), ("drills", "/drills/")):
        for visitor in (alice, bob):
            visitor.go(path)
            visitor.examine(name)
    expect(
        alice.page.get_by_role("region", name="What drills prove now").get_by_text("Proven", exact=True)
    ).to_be_visible()


def make_a_plan(alice: Visitor) -> None:
    """By hand and daily; the next times are shown before it is saved."""
    page = alice.page
    alice.log_in()
    page.get_by_role("link", name="Drills").first.click()
    page.get_by_role("link", name="New plan").click()
    page.get_by_label("Branch").select_option(option_with(page, "Branch", "main"))
    page.get_by_label("Name", exact=True).fill("Newest moment, each night")
    page.get_by_label("The newest moment that Neon could restore").check()
    page.get_by_label("At fixed times").check()
    page.locator("#id_cron").fill("0 3 * * *")
    page.locator("#id_rpo_minutes").fill("")
    check = page.get_by_role("group", name="Check 1")
    check.get_by_label("Title").fill("Doses are there")
    check.get_by_label("Statement").fill("SELECT count(*) FROM medication_logs")
    check.get_by_label("Its answer").select_option(">")
    check.locator("[name$=-expected]").fill("0")
    page.get_by_role("button", name="Show the next times").click()
    expect(page.get_by_text("At 03:00 every day, in UTC")).to_be_visible()
    alice.examine("plan-form")
    page.get_by_role("button", name="Save the plan").click()
    expect(page.get_by_role("heading", name="Newest moment, each night")).to_be_visible()
    alice.examine("plan")


def run_it_now(alice: Visitor) -> str:
    """The page follows by itself until the drill is over; nobody loads it again."""
    page = alice.page
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(re.compile(r"/drills/\d+/$"))
    # A quick machine is done before anybody has seen it at work.
    alice.examine("drill-running")
    expect(page.locator(".chip", has_text="Passed").first).to_be_visible(timeout=PATIENCE_MILLISECONDS)
    for said in ("Doses are there", "SELECT count(*) FROM medication_logs", "Ordered at Neon", "seen gone"):
        expect(page.get_by_text(said).first).to_be_visible()
    alice.examine("drill-report")
    drill = Drill.objects.get()
    assert drill.outcome == "passed"
    return drill.reference


def read_and_sign(bob: Visitor, reference: str) -> None:
    """On the phone: from the list to the signature."""
    page = bob.page
    bob.log_in()
    bob.go("/drills/")
    page.get_by_role("link", name=reference).first.click()
    bob.examine("drill-report")
    page.get_by_role("link", name="Sign it off").click()
    bob.examine("drill-sign")
    page.get_by_label("What you looked at").fill("Read the checks and the times.")
    page.get_by_role("button", name="Sign it off").click()
    expect(page.get_by_text("bob signed it off")).to_be_visible()


def log_an_exercise(bob: Visitor) -> None:
    """One with people, that was held this morning."""
    page, ago = bob.page, database_now() - dt.timedelta(minutes=5)
    bob.go("/drills/new/")
    bob.examine("exercise-form")
    page.get_by_label("Name").fill("Nobody answers at night")
    page.get_by_label("Which data").select_option(option_with(page, "Which data", "main"))
    page.get_by_label("What is supposed to have happened").fill("Rows are gone and one manager is ill.")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Say how it went").click()
    page.get_by_label("Failed: they would not").check()
    page.locator("#id_ended_date").fill(f"{ago:%Y-%m-%d}")
    page.locator("#id_ended_time").fill(f"{ago:%H:%M:%S}")
    page.locator("#id_ended_zone").select_option("UTC")
    page.get_by_label("What came of it").fill("Nobody could be reached.")
    bob.examine("exercise-end")
    page.get_by_role("button", name="End the exercise").click()
    expect(page.get_by_text("Nobody could be reached.")).to_be_visible()
    bob.examine("exercise")
