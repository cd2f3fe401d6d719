"""The auditor's side of the demo: the register, a log review, an export and a verification, each through its pages."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from demo.browser import Page
from demo.children import wait_until
from demo.incident import Story, StoryBroke, choice_in

_WORKER_SECONDS = 60


def play_audit(story: Story) -> dict[str, Any]:
    """Returns what the last line says of it. Raises StoryBroke."""
    register(story)
    marked = review(story)
    export = export_everything(story)
    verification = verify_now(story)
    return {"marked": marked, "exported": export["events"], "verified": verification["sealed"]}


def register(story: Story) -> None:
    """Erin says what the project's data are and who owns them; Bob agrees as the second person."""
    erin, project = story.person("erin"), _one(story, "SELECT id FROM backups_project")["id"]
    page = erin.get(f"/projects/{project}/governance/new/")
    today = dt.datetime.now(dt.UTC).date()
    erin.submit(
        page,
        page.form(having="criticality"),
        {
            "data_class": "phi",
            "criticality": "critical",
            "rto_minutes": "60",
            "rpo_minutes": "5",
            "plan_title": "Contingency plan of CareCircle, version 3",
            "review_on": str(today + dt.timedelta(days=180)),
            "baa_on": str(today - dt.timedelta(days=90)),
            "owner": choice_in(page, "owner", "carol"),
            "technical_owner": choice_in(page, "technical_owner", "alice"),
        },
    )
    bob = story.person("bob")
    page = bob.get(f"/projects/{project}/governance/")
    bob.submit(page, page.form("/decide/"), {"answer": "agree"})
    agreed = _one(story, "SELECT count(*) AS versions FROM backups_governanceversion WHERE agreed_at IS NOT NULL")
    story.claim(agreed["versions"] == 1, "the register holds what Erin proposed and Bob agreed to", agreed)


def review(story: Story) -> int:
    """Dana opens the weekly log review and marks its first page; the rest waits. Returns how many she marked."""
    dana = story.person("dana")
    page = dana.get("/audit/reviews/")
    page = dana.submit(page, page.form("/reviews/open/"))
    form = page.form(having="go_on")
    marks = {name: "ok" for name in form.fields if name.startswith("mark-")}
    dana.submit(page, form, {**marks, "go_on": "1"})
    found = _one(story, "SELECT count(*) AS marks FROM backups_logreviewmark")["marks"]
    story.claim(found == len(marks) > 0, f"Dana (auditor) marked {found} events that the machine drew", found)
    return len(marks)


def export_everything(story: Story) -> dict[str, Any]:
    """Dana asks for all events as CSV, those of the sandbox too, since here everything is one; returns the row."""
    dana = story.person("dana")
    page = dana.get("/audit/exports/new/")
    sent = dana.submit(page, page.form(having="format"), {"format": "csv", "with_sandbox": "on"})
    number = _number(sent, r"/audit/exports/(\d+)/$")
    row = _ended(story, "SELECT * FROM backups_ledgerexport WHERE id = %s", number, wanted="ready")
    story.tell(f"Dana exports {row['events']} events: X-{number:04d}")
    return row


def verify_now(story: Story) -> dict[str, Any]:
    """Dana has the worker hold the whole log against its checkpoints and the anchor; returns the row."""
    dana = story.person("dana")
    page = dana.get("/audit/")
    sent = dana.submit(page, page.form("/audit/verifications/"))
    number = _number(sent, r"/audit/verifications/(\d+)/$")
    row = _ended(story, "SELECT * FROM backups_ledgerverification WHERE id = %s", number, wanted="done")
    story.claim(row["verdict"] == "verified", f"all {row['sealed']} sealed records are as they were signed", row)
    return row


def _ended(story: Story, query: LiteralString, number: int, *, wanted: str) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        story.children.all_alive()
        row = _one(story, query, number)
        if row["state"] == "failed":
            raise StoryBroke(f"{wanted} — seen: {row['problem']}")
        return row if row["state"] == wanted else None

    row: dict[str, Any] = wait_until(f"the worker to be {wanted}", over, seconds=_WORKER_SECONDS)
    return row


def _one(story: Story, query: LiteralString, *values: int) -> dict[str, Any]:
    with psycopg.connect(story.stack.records_dsn, autocommit=True, row_factory=dict_row) as connection:
        row = connection.execute(query, values).fetchone()
    if row is None:
        raise StoryBroke(f"the portal has a row for {query}")
    return row


def _number(page: Page, pattern: str) -> int:
    found = re.search(pattern, page.url)
    if found is None:
        raise StoryBroke(f"the form leads to the page of what was asked for — seen: {page.url}")
    return int(found.group(1))
