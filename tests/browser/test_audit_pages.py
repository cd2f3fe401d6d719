"""An auditor's afternoon on a log that is really sealed: start, verification, a population and its sample, the list
with a kept filter and its pages, and one event with its proof, checked without the portal."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from backups.domain.ledger import Target
from backups.ledger.verifier.notes import checked_proof
from backups.models import LedgerCheckpoint, RestoreRequest
from backups.selectors.clock import database_now
from backups.services.ledger import record_event
from backups.services.ledger_verification import verify_when_asked
from backups.services.sealing.watch import record_heartbeat_event
from tests.browser.conftest import Arrive
from tests.browser.test_pages import SMALL_PHONE
from tests.factories import People
from tests.support.browser import LAPTOP
from tests.support.drills import automatic_drill
from tests.support.scenes import Scenes
from tests.support.sealing import SealedPortal, portal
from tests.support.visitor import Visitor

__all__ = ["portal"]
pytestmark = [pytest.mark.browser]

#: More than one page of the list.
NOTES = 55


@pytest.fixture
def restore(portal: SealedPortal, people: People, settings: Any) -> RestoreRequest:
    """A completed restore among other things that happened; everything is sealed and kept outside."""
    people.all()
    settings.LEDGER_ANCHOR_DIRS = [str(portal.anchor.path)]
    scenes = Scenes(people)
    done = scenes.completed()
    scenes.rejected()
    automatic_drill(scenes.staging_ready())
    with transaction.atomic():
        for number in range(NOTES):
            record_event(type="drill.noted", actor=people.alice.actor, target=Target("drill", f"D-{number:04d}"))
    record_heartbeat_event()
    portal.seal()
    return done


def test_an_auditors_afternoon(
    arrive: Arrive,
    restore: RestoreRequest,
    portal: SealedPortal,
    tmp_path: Path,
) -> None:
    dana = arrive("dana", viewport=SMALL_PHONE)
    dana.log_in()
    # What the first page still loads would be counted with the next one.
    dana.page.wait_for_url(f"{dana.site}/")
    _start_and_verification(dana, dana.page)
    _population_and_sample(dana, dana.page, restore)
    _list_filter_and_pages(dana, dana.page)
    _sealed_event(dana, dana.page, restore, portal, tmp_path)
    # In the dark of the office, what no page of test_pages.py shows: things that are sealed.
    _sit_down(dana.page)
    for name, address in (("start", "/audit/"), ("verification", "/audit/verifications/1/")):
        dana.go(address)
        dana.examine(f"audit-{name}")


def _start_and_verification(dana: Visitor, page: Page) -> None:
    dana.go("/audit/")
    expect(page.get_by_text("1 of 1 are up to date")).to_be_visible()
    expect(page.get_by_text("observed from")).to_be_visible()
    expect(page.get_by_text("never; until then nobody has looked")).to_be_visible()
    broken = page.get_by_role("row", name=re.compile("Recovery not proven"))
    expect(broken.get_by_role("link").first).to_be_visible()
    dana.examine("audit-start")
    page.get_by_role("button", name="Verify it now").click()
    expect(page.get_by_text("Waiting for the worker").first).to_be_visible()
    assert verify_when_asked() == 1
    # The page follows by itself.
    expect(page.get_by_text("Every sealed record is as it was signed.")).to_be_visible()
    newest = LedgerCheckpoint.objects.order_by("-size").first()
    assert newest is not None
    expect(page.get_by_text(bytes(newest.root).hex())).to_be_visible()
    dana.examine("audit-verification")
    dana.go("/audit/")
    expect(page.get_by_text("every sealed record was as it was signed")).to_be_visible()


def _population_and_sample(dana: Visitor, page: Page, restore: RestoreRequest) -> None:
    page.get_by_role("link", name="Restores of production").click()
    expect(page.get_by_role("link", name=f"Case file of {restore.reference}")).to_be_visible()
    dana.examine("audit-population")
    page.get_by_label("Size").fill("1")
    page.get_by_label(re.compile("^Seed")).fill("a1")
    page.get_by_role("button", name="Draw").click()
    expect(page.get_by_role("heading", name="Restores of production: a sample of 1")).to_be_visible()
    expect(page.get_by_text(hashlib.sha256(f"a1:{restore.reference}".encode()).hexdigest()[:16])).to_be_visible()
    dana.examine("audit-sample")
    page.get_by_role("link", name=f"Case file of {restore.reference}").click()
    expect(page.get_by_role("heading", name=f"Case file {restore.reference}")).to_be_visible()
    dana.examine("audit-case")


def _list_filter_and_pages(dana: Visitor, page: Page) -> None:
    dana.go("/backups/ledgerevent/")
    page.get_by_label(re.compile("^Type")).select_option("drill.noted")
    page.get_by_label("Recorded from").fill(f"{database_now() - dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%S}")
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("link", name="A line was added")).to_have_count(50)
    page.get_by_label("Keep this filter as").fill("Notes of an hour")
    page.get_by_role("button", name="Keep it").click()
    dana.go("/backups/ledgerevent/")
    page.get_by_role("link", name="Notes of an hour").click()
    dana.examine("audit-events")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="A line was added")).to_have_count(NOTES - 50)
    expect(page.get_by_text("D-0000")).to_be_visible()
    page.get_by_role("link", name="Newer").click()
    expect(page.get_by_text(f"D-{NOTES - 1:04d}")).to_be_visible()
    page.get_by_role("link", name="Export these").click()
    expect(page.get_by_label("Type of event")).to_have_value("drill.")
    dana.examine("audit-export-form")


def _sealed_event(
    dana: Visitor,
    page: Page,
    restore: RestoreRequest,
    portal: SealedPortal,
    kept: Path,
) -> None:
    dana.go(f"/backups/ledgerevent/?target_id={restore.reference}&type=request.approved")
    page.get_by_role("link", name="The last vote that the policy asks for was given").first.click()
    expect(page.get_by_text("Proven.")).to_be_visible()
    dana.examine("audit-event")
    for name in ("proof", "exact bytes"):
        with page.expect_download() as downloading:
            page.get_by_role("link", name=f"Download the {name}").click()
        downloading.value.save_as(kept / name)
    proof, entry = (kept / "proof").read_text(encoding="utf-8"), (kept / "exact bytes").read_bytes()
    checked_proof(proof, entry, [portal.signer.verifier_key])
    with pytest.raises(ValueError):  # noqa: PT011 - any of the verifier's refusals
        checked_proof(proof, entry.replace(b"success", b"failure"), [portal.signer.verifier_key])
    _sit_down(page)
    page.reload()
    dana.examine("audit-event")
    beside = page.get_by_role("region", name="Beside it").get_by_role("link")
    where = page.url
    beside.first.click()
    assert page.url != where
    expect(page.get_by_role("heading", name="Its proof")).to_be_visible()


def _sit_down(page: Page) -> None:
    page.set_viewport_size({"width": LAPTOP["width"], "height": LAPTOP["height"]})
