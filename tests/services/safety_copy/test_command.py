"""manage.py safety_copy: its exit status can be trusted by a script that goes on only after 0."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backups.models import Execution, Project, ProtectedBranch, SafetyCopy
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.services.sandboxes import run_to_end

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    said = io.StringIO()
    call_command("safety_copy", "--before", "migration 0042", *arguments, stdout=said)
    return said.getvalue()


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker does its part while the command waits."""

    def work(seconds: float) -> None:
        run_to_end(Execution.objects.filter(purpose="safety_copy").latest("pk"))

    monkeypatch.setattr(time, "sleep", work)


def test_it_asks_and_ends(branch: ProtectedBranch) -> None:
    assert run("--keep-days", "3") == f"{SafetyCopy.objects.get()} safety-main-{SafetyCopy.objects.get()}: asked for\n"
    assert SafetyCopy.objects.get().keep_days == 3


def test_with_wait_it_ends_well_only_when_neon_has_it(branch: ProtectedBranch, works: None) -> None:
    said = run("--wait", "--kind", "snapshot")
    copy = SafetyCopy.objects.get()
    assert said.endswith(f"Neon has it (snapshot {copy.neon_id})\n")


def test_a_copy_that_failed_is_status_1(sandbox: RunningSandbox, branch: ProtectedBranch, works: None) -> None:
    sandbox.faults.add("status", method="POST", path="/snapshot$", status=422, message="limit exceeded")
    with pytest.raises(CommandError, match="limit exceeded") as ended:
        run("--wait", "--kind", "snapshot")
    assert ended.value.returncode == 1


def test_what_is_not_known_in_time_is_status_3(branch: ProtectedBranch) -> None:
    with pytest.raises(CommandError, match="Don't begin") as ended:
        run("--wait", "--timeout", "0.01")
    assert ended.value.returncode == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--branch", "no such"], "0 branches"), (["--keep-days", "0"], "No copy was made"), (["--project", "x"], "0 br")],
)
def test_what_cant_be_is_status_1_and_makes_nothing(branch: ProtectedBranch, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as ended:
        run(*arguments)
    assert (ended.value.returncode, SafetyCopy.objects.count()) == (1, 0)


def test_two_branches_that_fit_are_asked_about(branch: ProtectedBranch) -> None:
    other: Project = factories.project(neon_project_id="other-project-1")
    factories.branch(other, neon_branch_id="br-other-1")
    with pytest.raises(CommandError, match="2 branches"):
        run()
    assert "asked for" in run("--project", "other-project-1")


def test_wrong_arguments_are_status_2(branch: ProtectedBranch, capsys: Any) -> None:
    with pytest.raises((SystemExit, CommandError)):
        call_command("safety_copy", "--kind", "tape", "--before", "x")
