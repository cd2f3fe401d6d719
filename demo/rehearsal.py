"""The rehearsals of the demo: a plan is made on the pages, its drill is run, and what it shows is checked."""

from __future__ import annotations

import re
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from demo.browser import Page
from demo.children import wait_until
from demo.incident import Story, StoryBroke, ask_neon, choice_in
from demo.traffic import Traffic

_DRILL_SECONDS = 60
#: What the accident of the demo leaves behind, in the words of somebody who knows the data.
_NO_DOSE_EVER = """SELECT count(*) FROM medications m
WHERE NOT EXISTS (SELECT 1 FROM medication_logs l WHERE l.medication_id = m.id)"""


def play_drill(story: Story) -> dict[str, Any]:
    """A drill at a random point, run from its plan's page. Raises StoryBroke unless it passed and left nothing."""
    with Traffic(story.stack.dsn, rate_per_second=50.0) as traffic:
        # History from before the undo belongs to the branch that keeps it; the plan chooses from what came since.
        traffic.wait_for(150)
        return _drill_at_random(story)


def _drill_at_random(story: Story) -> dict[str, Any]:
    plan = make_plan(story, "Monthly proof", {"point_choice": "random"})
    story.tell("Alice plans drills at a random moment of the history, checks and objectives included")
    drill = run(story, plan, wanted="passed")
    seconds = drill["rto_milliseconds"] / 1000
    story.tell(
        f"D-{drill['id']:04d} passed: recovered to {drill['point_at']:%H:%M:%S} UTC and checked in {seconds:.2f} s"
    )
    names = [branch["name"] for branch in ask_neon(story, f"/projects/{story.stack.project_id}/branches")["branches"]]
    story.claim(not [name for name in names if name.startswith("drill_")], "the drill left no branch at Neon", names)
    checks = _checks(story, drill["id"])
    story.claim(len(checks) > 20 and checks.count("failed") == 0, f"{len(checks)} checks ended, none failed")
    return drill


def play_canary_drill(story: Story) -> dict[str, Any]:
    """A canary is turned on; a drill of the newest state must hold its last row from before the point, none after."""
    alice, branch = story.person("alice"), _row(story, "SELECT id FROM backups_protectedbranch WHERE is_default")["id"]
    page = alice.get(f"/branches/{branch}/canary/")
    alice.submit(page, page.form(having="every_seconds"), {"act": "start", "every_seconds": "5"})
    wait_until("two rows of the canary, a while apart", lambda: _beats(story) >= 2, seconds=30)
    plan = make_plan(story, "Newest state", {"point_choice": "latest"})
    drill = run(story, plan, wanted="passed")
    found = _checks(story, drill["id"], code="canary")
    story.claim(found == ["passed"], "the canary from just before the point is on the copy, and none after it", found)
    story.tell(f"D-{drill['id']:04d} passed: the newest data was {drill['rpo_milliseconds'] / 1000:.1f} s old")
    return drill


def make_plan(story: Story, name: str, wish: dict[str, str]) -> int:
    """Alice makes a plan on its page; returns its number."""
    alice = story.person("alice")
    page = alice.get("/drills/plans/new/")
    form = page.form(having="point_choice")
    branch = choice_in(page, "branch", "main")
    sent = alice.submit(page, form, {"branch": branch, "name": name, "rto_minutes": "15", "rpo_minutes": "5", **wish})
    return _number(sent, r"/drills/plans/(\d+)/$", "the form leads to the plan's page")


def run(story: Story, plan: int, *, wanted: str) -> dict[str, Any]:
    """Alice presses Run now; returns the ended drill's row. Raises StoryBroke when it ends otherwise."""
    alice = story.person("alice")
    page = alice.get(f"/drills/plans/{plan}/")
    sent = alice.submit(page, page.form("/run/"))
    number = _number(sent, r"/drills/(\d+)/$", "Run now leads to the drill's report")
    row: dict[str, Any] = wait_until(f"D-{number:04d} to end", lambda: _ended(story, number), seconds=_DRILL_SECONDS)
    if row["outcome"] != wanted:
        raise StoryBroke(f"D-{number:04d} is {wanted} — seen: {row['outcome']}, {row['outcome_sentence']}")
    alice.get(f"/drills/{number}/")
    return row


def play_more_drills(story: Story, plan: int, *, times: int = 2) -> None:
    """The same plan again, so that there is a trend to look at."""
    for _ in range(times):
        run(story, plan, wanted="passed")


def play_failing_drill(story: Story) -> dict[str, Any]:
    """After the second accident: the newest state is recoverable, but a check of Alice's own says what is lost.

    She writes a finding and an action; returns the drill's row.
    """
    own = {
        "check-0-title": "Every prescription has doses",
        "check-0-statement": _NO_DOSE_EVER,
        "check-0-operator": "=",
        "check-0-expected": "0",
    }
    plan = make_plan(story, "Before each release", {"point_choice": "latest", **own})
    drill = run(story, plan, wanted="failed")
    story.tell(f"D-{drill['id']:04d} failed: {drill['outcome_sentence']}")
    _add(
        story, drill["id"], "finding", {"severity": "major", "text": "Prescriptions lost their doses in the clean-up."}
    )
    alice = story.person("alice")
    page = alice.get(f"/drills/{drill['id']}/add/action/")
    owner = choice_in(page, "owner", "alice")
    due = f"{drill['ended_at']:%Y-%m-%d}"
    _add(story, drill["id"], "action", {"title": "Review the clean-up script", "owner": owner, "due_on": due})
    return drill


def _add(story: Story, drill: int, what: str, values: dict[str, str]) -> None:
    alice = story.person("alice")
    page = alice.get(f"/drills/{drill}/add/{what}/")
    alice.submit(page, page.form(having=next(iter(values))), values)


def _ended(story: Story, number: int) -> dict[str, Any] | None:
    story.children.all_alive()
    with psycopg.connect(story.stack.records_dsn, autocommit=True, row_factory=dict_row) as connection:
        row = connection.execute("SELECT * FROM backups_drill WHERE id = %s", [number]).fetchone()
    if row is None:
        raise StoryBroke(f"drill {number} exists")
    return row if row["state"] in {"ended", "cancelled"} else None


def _checks(story: Story, number: int, *, code: str = "") -> list[str]:
    with psycopg.connect(story.stack.records_dsn, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT c.outcome FROM backups_checkresult c JOIN backups_execution e ON e.id = c.execution_id "
            "WHERE e.drill_id = %s AND (%s = '' OR c.code = %s)",
            [number, code, code],
        ).fetchall()
    return [str(row[0]) for row in rows]


def _beats(story: Story) -> int:
    """Rows of the canary that are old enough to lie before the newest point."""
    old = "SELECT count(*) AS beats FROM backups_canarybeat WHERE written_at < clock_timestamp() - interval '2 s'"
    return int(_row(story, old)["beats"])


def _row(story: Story, query: LiteralString) -> dict[str, Any]:
    story.children.all_alive()
    with psycopg.connect(story.stack.records_dsn, autocommit=True, row_factory=dict_row) as connection:
        row = connection.execute(query).fetchone()
    if row is None:
        raise StoryBroke("the portal knows its own branch and canary")
    return row


def _number(page: Page, pattern: str, claim: str) -> int:
    found = re.search(pattern, page.url)
    if found is None:
        raise StoryBroke(f"{claim} — seen: {page.url}")
    return int(found.group(1))
