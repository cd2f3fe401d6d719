"""The same incident, repaired from a snapshot: chosen from a list, voted on, promoted, followed to its new id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backups.models import ProtectedBranch
from demo.damage import rows_there
from tests.browser.conftest import Arrive
from tests.browser.incident import Incident, incident
from tests.browser.test_flow import follow, option_with, save_and_submit, start, vote_by_link
from tests.support.browser import LAPTOP, PHONE
from tests.support.portal import LivePortal
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]


@pytest.fixture
def accident(live_portal: LivePortal, tmp_path: Path) -> Iterator[Incident]:
    with incident(live_portal, tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("viewport", "javascript", "mode"),
    [
        pytest.param(PHONE, False, "Preview first", id="phone-no-script-preview-first", marks=pytest.mark.soak),
        pytest.param(LAPTOP, True, "In one step", id="laptop-script-one-step"),
    ],
)
def test_rows_come_back_from_a_snapshot(arrive: Arrive, accident: Incident, viewport, javascript, mode):
    dsn = accident.sandbox.dsn()
    alice, bob, carol = (arrive(name, viewport=viewport, javascript=javascript) for name in ("alice", "bob", "carol"))
    file_from_the_snapshot(alice, mode)
    link = save_and_submit(alice)
    for manager in (bob, carol):
        vote_by_link(manager, link)
    start(alice)
    follow(alice, "Restored from the snapshot and verified")
    expect(alice.page.get_by_text("There is no undo of a restore from a snapshot").first).to_be_visible()
    assert rows_there(dsn, accident.damage) == accident.damage.rows, "on the connection string that applications have"
    branch = ProtectedBranch.objects.get(name="main")
    assert branch.neon_branch_id != accident.sandbox.branch_id
    assert accident.sandbox.dsn(branch.neon_branch_id) == dsn


def file_from_the_snapshot(alice: Visitor, mode: str) -> None:
    """From the project's list to the form, where nothing but the choice itself is filled in."""
    page = alice.page
    alice.log_in()
    alice.go("/projects/")
    page.locator("a.task").click()
    row = page.get_by_role("row").filter(has_text="before the clean-up")
    expect(row).to_contain_text("by hand")
    alice.examine("project-snapshots")
    row.get_by_role("link", name=re.compile("^Restore")).click()
    page.get_by_label("Branch").select_option(option_with(page, "Branch", "main"))
    expect(page.locator("#id_snapshot option:checked")).to_contain_text("before the clean-up")
    expect(page.get_by_label(re.compile("^Replace it from a snapshot"))).to_be_checked()
    expect(page.get_by_label(re.compile("^Preview first"))).to_be_checked()
    page.get_by_label(re.compile(f"^{mode}")).check()
    page.get_by_label("Rows deleted").check()
    page.get_by_label("Yes, they are stopped").check()
    page.get_by_label("When somebody presses Start").check()
    page.get_by_role("textbox", name="Why").fill("A clean-up script deleted medication logs.")
    alice.examine("file-snapshot")
