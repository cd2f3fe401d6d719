"""Every page in every state, as each role sees it. Not a test: `python -m tests.browser.shots` runs it."""

from __future__ import annotations

import pytest

from backups.models import LookState
from tests.browser.conftest import Arrive
from tests.factories import People
from tests.support.browser import LAPTOP, PHONE
from tests.support.scenes import Scenes

STATES = (
    "draft", "preparing", "pending", "half_approved", "approved", "copy_pending", "waiting", "running", "completed",
    "unverified", "unknown_effect", "proposed", "rejected", "expired", "failed",
)  # fmt: skip


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("person", ["alice", "bob", "dana", "erin"])
def test_photographs(arrive: Arrive, people: People, person: str, viewport) -> None:
    scenes = Scenes(people)
    requests = {state: getattr(scenes, state)().pk for state in STATES}
    visitor = arrive(person, viewport=viewport)
    visitor.log_in()
    for name, address in _addresses(person, requests, scenes):
        visitor.go(address)
        visitor.photograph(name)


def _addresses(person: str, requests: dict[str, int], scenes: Scenes) -> list[tuple[str, str]]:
    everybody = [("start", "/"), ("queue", "/restores/")]
    states = [(f"request-{state}", f"/restores/{number}/") for state, number in requests.items()]
    own = {
        "alice": [
            ("file", "/restores/new/"), ("edit", f"/restores/{requests['pending']}/edit/"),
            ("start-sheet", f"/restores/{requests['approved']}/start/"),
            ("undo", f"/restores/{requests['completed']}/undo/"),
            ("resolve", f"/restores/{requests['unverified']}/resolve/accept/"),
            ("look-new", "/looks/new/"), ("look", f"/looks/{scenes.look().pk}/"),
            ("look-failed", f"/looks/{scenes.look(LookState.FAILED).pk}/"),
        ],
        "bob": [
            ("vote", f"/restores/{requests['pending']}/vote/"),
            ("reject", f"/restores/{requests['pending']}/vote/?choice=reject"),
            ("comment", f"/restores/{requests['pending']}/comment/"),
            ("confirm", f"/restores/{requests['proposed']}/confirm/"),
        ],
        "dana": [("audit", "/backups/ledgerevent/")],
        "erin": [("projects", "/projects/"), ("project", f"/projects/{scenes.project.pk}/")],
    }  # fmt: skip
    # What an auditor or an administrator sees of a request differs from the others in its buttons only.
    return everybody + (states if person in {"alice", "bob"} else states[2:3]) + own[person]
