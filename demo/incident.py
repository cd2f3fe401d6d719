"""The story of the demo: rows are deleted, a restore is filed, voted on, run, verified, and undone."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from demo.browser import Browser, Page
from demo.children import Children, wait_until
from demo.damage import Damage, do_damage, inserts_between, not_as_before, rows_there, still_there
from demo.stack import Stack, say
from demo.traffic import Traffic

_STEP_SECONDS = 60
SNAPSHOT = "before-the-clean-up"


class StoryBroke(Exception):
    """A step of the story did not hold; the message says which claim and what was seen."""


@dataclass
class Story:
    """The stage, and the clock of the timeline."""

    stack: Stack
    children: Children
    began: float = field(default_factory=time.monotonic)
    quiet: bool = False
    _browsers: dict[str, Browser] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        """One line of the timeline."""
        if not self.quiet:
            say(f"  {time.monotonic() - self.began:6.2f} s  {text}")

    def claim(self, held: bool, what: str, seen: object = "") -> None:
        """Raises StoryBroke unless the claim held."""
        if not held:
            raise StoryBroke(f"{what} — seen: {seen}")
        self.tell(f"checked: {what}")

    def person(self, login: str) -> Browser:
        """Somebody's browser, logged in when it is first used."""
        if login not in self._browsers:
            browser = Browser(self.stack.site)
            browser.log_in(login, self.stack.password)
            self._browsers[login] = browser
        return self._browsers[login]

    def request(self, number: int) -> dict[str, Any]:
        """The request's row."""
        with psycopg.connect(self.stack.records_dsn, autocommit=True, row_factory=dict_row) as connection:
            row = connection.execute("SELECT * FROM backups_restorerequest WHERE id = %s", [number]).fetchone()
        if row is None:
            raise StoryBroke(f"request {number} exists")
        return row

    def wait_for_state(self, number: int, wanted: str) -> dict[str, Any]:
        """The request's row once it stands in this state. Raises StoryBroke when it ends in another."""

        def reached() -> dict[str, Any] | None:
            self.children.all_alive()
            row = self.request(number)
            if row["state"] in _DEAD_ENDS - {wanted}:
                raise StoryBroke(f"R-{number:04d} becomes {wanted} — seen: {row['state']}, {row['outcome_sentence']}")
            return row if row["state"] == wanted else None

        row: dict[str, Any] = wait_until(f"R-{number:04d} to be {wanted}", reached, seconds=_STEP_SECONDS)
        return row


_DEAD_ENDS = frozenset({"draft", "failed", "needs_attention", "rejected", "withdrawn", "expired"})


def play(story: Story) -> dict[str, Any]:
    """Plays the incident to its end and returns what the last line says. Raises StoryBroke."""
    dsn = story.stack.dsn
    with Traffic(dsn, rate_per_second=50.0) as traffic:
        traffic.wait_for(40)
        story.tell(f"{len(traffic.record.acknowledged)} rows written by the application so far, 50 a second")
        take_snapshot(story)
        damage = do_damage(dsn)
        began = time.monotonic()
        story.tell(f"a clean-up script deletes {damage.rows:,} rows of medication_logs by mistake")
        traffic.wait_for(25)
        restore = _restore(story, damage)
        _check_restore(story, traffic, damage, restore)
        undo_seconds = _undo(story, traffic, damage, restore)
    return {
        "ok": True,
        "rows_deleted": damage.rows,
        "rows_recovered": damage.rows,
        "seconds": {
            "approve_to_submit": _between(restore, "start_asked_at", "submitted_to_neon_at"),
            "submit_to_connectable": _between(restore, "submitted_to_neon_at", "connectable_at"),
            "verify": _between(restore, "connectable_at", "closed_at"),
            "undo": undo_seconds,
            "total": round(time.monotonic() - began, 3),
        },
    }


def _restore(story: Story, damage: Damage) -> dict[str, Any]:
    number = file_restore(story, damage.good_at)
    row = story.wait_for_state(number, "pending")
    story.tell("the worker looked at a copy of that moment; the facts to vote on are on the page")
    for login in ("bob", "carol"):
        vote(story, login, number)
    row = story.wait_for_state(number, "approved")
    start(story, number)
    row = story.wait_for_state(number, "completed")
    story.tell(f"restored and verified: {row['outcome_sentence']}")
    return row


def file_restore(story: Story, good_at: dt.datetime, *, start_mode: str = "by_hand") -> int:
    """Alice files and submits an in-place restore to the last good second; returns the request's number."""
    number = _file(story, {**_moment("point", good_at), "kind": "in_place", "start_mode": start_mode})
    story.tell(f"Alice (engineer) files R-{number:04d}: take production back to {good_at:%H:%M:%S} UTC")
    return number


def file_snapshot_restore(story: Story) -> int:
    """Alice files and submits a restore from the snapshot, to be looked at first; returns the request's number."""
    point = {"point_kind": "snapshot", "kind": "snapshot", "snapshot_mode": "preview_first"}
    number = _file(story, {**point, "start_mode": "by_hand"}, snapshot=SNAPSHOT)
    story.tell(f"Alice files R-{number:04d}: replace production by the snapshot {SNAPSHOT}")
    return number


def take_snapshot(story: Story) -> None:
    """As somebody at Neon's console, or Neon's own schedule, would take one."""
    project, branch = story.stack.project_id, story.stack.branch_id
    _neon(story, "POST", f"/projects/{project}/branches/{branch}/snapshot?name={SNAPSHOT}")
    wait_until("the snapshot", lambda: _idle(story), seconds=30)
    story.tell(f"a snapshot of production is taken: {SNAPSHOT}")


def _file(story: Story, chosen: dict[str, str], *, snapshot: str = "") -> int:
    alice = story.person("alice")
    page = alice.get("/restores/new/")
    sent = alice.submit(
        page,
        page.form(having="scenario"),
        {
            "scenario": "accidental_deletion",
            "ticket": "INC-881",
            "branch": choice_in(page, "branch", "main"),
            **({"snapshot": choice_in(page, "snapshot", snapshot)} if snapshot else {}),
            **_moment("noticed", dt.datetime.now(dt.UTC).replace(microsecond=0)),
            "writers_stopped": "no",
            "reason": "A clean-up script deleted medication logs; every row since must come back.",
            **chosen,
        },
    )
    number = _number_in(sent)
    alice.submit(sent, sent.form("submit"))
    return number


def vote(story: Story, login: str, number: int) -> None:
    """A manager reads the page and approves exactly the facts on it."""
    manager = story.person(login)
    manager.get(f"/restores/{number}/")
    page = manager.get(f"/restores/{number}/vote/?choice=approve")
    manager.submit(
        page, page.form(having="digest"), {"choice": "approve", "chips": ["loss", "time"], "reason": "Right point."}
    )
    story.tell(f"{login.capitalize()} (manager) approves")


def start(story: Story, number: int) -> None:
    """Alice presses Start and types the minutes that are thrown away."""
    alice = story.person("alice")
    page = alice.get(f"/restores/{number}/start/")
    form = page.form(having="writers_stopped")
    minutes = {"minutes": _minutes_asked(page)} if "minutes" in form.fields else {}
    alice.submit(page, form, {"writers_stopped": "no", **minutes})
    story.tell("Alice presses Start; the applications go on writing")


def _check_restore(story: Story, traffic: Traffic, damage: Damage, restore: dict[str, Any]) -> None:
    traffic.wait_for(25)
    dsn, rows = story.stack.dsn, traffic.record.acknowledged
    submitted, connectable = restore["submitted_to_neon_at"], restore["connectable_at"]
    unlike = not_as_before(dsn, damage, since=submitted)
    story.claim(unlike == 0, f"all {damage.rows:,} deleted rows are back, each with its old content", unlike)
    gone = inserts_between(rows, damage.good_at, submitted)
    story.claim(bool(gone), "rows were written between the point and the restore", len(gone))
    story.claim(still_there(dsn, gone) == 0, f"none of the {len(gone)} rows of the time in between is left")
    kept = inserts_between(rows, connectable, dt.datetime.now(dt.UTC))
    story.claim(bool(kept), "the application writes on", len(kept))
    story.claim(still_there(dsn, kept) == len(kept), f"all {len(kept)} rows written since then are kept")
    _check_preserved(story, damage, restore, gone)
    longest = max((outage.seconds for outage in traffic.record.outages), default=0.0)
    story.tell(f"the application could not write for {longest:.2f} s")


def _check_preserved(story: Story, damage: Damage, restore: dict[str, Any], gone: list[Any]) -> None:
    dsn = _open_preserved(story, restore["id"])
    story.claim(rows_there(dsn, damage) == 0, "the preserved branch holds the state before: the rows are deleted there")
    found = still_there(dsn, gone)
    story.claim(found == len(gone), f"and it holds all {len(gone)} rows of the time in between", found)


def _undo(story: Story, traffic: Traffic, damage: Damage, restore: dict[str, Any]) -> float:
    began = time.monotonic()
    before = inserts_between(traffic.record.acknowledged, damage.good_at, restore["submitted_to_neon_at"])
    alice = story.person("alice")
    page = alice.get(f"/restores/{restore['id']}/undo/")
    sent = alice.submit(page, page.form(having="reason"), {"reason": "The deletion was wanted after all."})
    number = _number_in(sent)
    alice.submit(sent, sent.form("submit"))
    story.tell(f"Alice files R-{number:04d}: undo R-{restore['id']:04d}")
    story.wait_for_state(number, "pending")
    vote(story, "bob", number)
    story.wait_for_state(number, "approved")
    start(story, number)
    row = story.wait_for_state(number, "completed")
    seconds = round(time.monotonic() - began, 3)
    story.tell(f"undone and verified: {row['outcome_sentence']}")
    dsn = story.stack.dsn
    story.claim(rows_there(dsn, damage) == 0, "the state before the restore is live again: the rows are deleted")
    found = still_there(dsn, before)
    story.claim(found == len(before), f"and the {len(before)} rows of the time in between are back", found)
    return seconds


def _open_preserved(story: Story, number: int) -> str:
    """A connection string of the branch that keeps the state before, which has no compute until it gets one."""
    with psycopg.connect(story.stack.records_dsn, autocommit=True) as connection:
        found = connection.execute(
            "SELECT neon_branch_id FROM backups_ownedbranch WHERE request_id = %s AND purpose = 'preserved'", [number]
        ).fetchone()
    if found is None:
        raise StoryBroke("the portal knows the preserved branch")
    branch, project = found[0], story.stack.project_id
    _neon(story, "POST", f"/projects/{project}/endpoints", {"endpoint": {"branch_id": branch, "type": "read_write"}})
    wait_until("the preserved branch's compute", lambda: _idle(story), seconds=30)
    query = f"database_name=carecircle&role_name=carecircle_owner&branch_id={branch}"
    return str(_neon(story, "GET", f"/projects/{project}/connection_uri?{query}")["uri"])


def _idle(story: Story) -> bool:
    operations = _neon(story, "GET", f"/projects/{story.stack.project_id}/operations")["operations"]
    return all(operation["status"] in {"finished", "skipped"} for operation in operations)


def ask_neon(story: Story, path: str) -> dict[str, Any]:
    """What Neon answers to a GET, past the portal."""
    return _neon(story, "GET", path)


def _neon(story: Story, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - the demo's own http address
        story.stack.neon_url + path,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Bearer {story.stack.neon_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        result: dict[str, Any] = json.load(answer)
    return result


def _moment(name: str, at: dt.datetime) -> dict[str, str]:
    local = at.astimezone(dt.UTC)
    return {f"{name}_date": f"{local:%Y-%m-%d}", f"{name}_time": f"{local:%H:%M:%S}", f"{name}_zone": "UTC"}


def choice_in(page: Page, name: str, words: str) -> str:
    """The value of the option of a select whose text holds the words."""
    select = re.search(rf'<select[^>]*name="{name}".*?</select>', page.html, re.DOTALL)
    options = re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)', select.group(0) if select else "")
    for value, text in options:
        if value and words in text:
            return str(value)
    raise StoryBroke(f"the page offers {words} as {name}")


def _number_in(page: Page) -> int:
    found = re.search(r"/restores/(\d+)/", page.url)
    if found is None:
        raise StoryBroke(f"the form leads to a request's page — seen: {page.url}")
    return int(found.group(1))


def _minutes_asked(page: Page) -> str:
    """The number of minutes that the page says will be thrown away."""
    found = re.search(r"data-minutes=\"(\d+)\"", page.html)
    return found.group(1) if found else "0"


def _between(row: dict[str, Any], first: str, last: str) -> float:
    passed: dt.timedelta = row[last] - row[first]
    return round(passed.total_seconds(), 3)
