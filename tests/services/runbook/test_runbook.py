"""The runbook: everything that is needed without the portal, no secret, written weekly and after each change."""

from __future__ import annotations

import datetime as dt
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from backups.domain.people import Role
from backups.models import LedgerEvent, Project, RunbookCopy
from backups.selectors.clock import database_now
from backups.services.runbook import write
from backups.services.runbook.render import as_html, as_text
from backups.services.runbook.write import file_name, make_runbook, note_read, write_due_runbooks
from tests.factories import branch, person, project
from tests.support.drills import automatic_drill

pytestmark = pytest.mark.django_db


@pytest.fixture
def main(people):
    assert people.alice
    assert people.bob
    return branch(project(is_sandbox=False, region="aws-eu-central-1", plan="scale"))


def text(of: Project) -> str:
    return as_text(make_runbook(of).runbook)


def test_it_names_what_is_needed_when_nothing_else_answers(main, settings):
    settings.RUNBOOK_CONTACT = "+49 30 1234567, #incidents"
    automatic_drill(main)
    words = text(main.project)
    for said in (
        main.project.neon_project_id, main.neon_branch_id, "PRODUCTION", "Bob (bob) bob@carecircle.example",
        "Alice (alice)", "+49 30 1234567, #incidents", "https://console.neon.tech/app/projects/calm-river-12345678",
        "neon branches restore main '^self@TIME' --preserve-under-name main_before_by_hand", "7 d",
        "UTC, proven", "recover within 15 min, lose at most 5 min", "Neon does not fail over", "2 of the people below",
    ):  # fmt: skip
        assert said in words, said


def test_what_is_not_known_is_said_to_be_unknown():
    bare = project(history_retention_seconds=None, root_branch_cap=None)
    words = text(bare)
    assert "Neon can go back: unknown" in words
    assert "May decide: unknown" in words
    assert "write the numbers here" in words


def test_it_holds_no_secret(main):
    Project.objects.filter(pk=main.project.pk).update(api_key_encrypted=b"gAAAAA-not-a-key")
    words = as_html(make_runbook(Project.objects.get()).runbook) + text(Project.objects.get())
    assert "gAAAAA" not in words
    assert not re.search(r"napi_|npg_|postgres(ql)?://", words)


def test_the_page_needs_nothing_from_elsewhere_and_escapes_names(main):
    Project.objects.filter(pk=main.project.pk).update(name="<b>prod</b> & co")
    page = as_html(make_runbook(Project.objects.get()).runbook)
    assert "&lt;b&gt;prod&lt;/b&gt; &amp; co" in page
    assert not re.search(r"<script|<link|src=|url\(|@import", page)


def test_names_are_quoted_for_the_shell(main):
    main.name = "main; rm -rf / #'"
    main.save()
    line = next(line for line in text(main.project).splitlines() if "branches restore" in line)
    assert "'main; rm -rf / #'\"'\"''" in line


@pytest.fixture
def directory(settings, tmp_path, main) -> Path:
    settings.RUNBOOK_DIR = str(tmp_path / "books")
    return tmp_path / "books"


def test_it_is_written_once_a_week_and_after_each_change_of_set_up(directory, main, monkeypatch):
    path = directory / file_name(main.project)
    assert write_due_runbooks() == 1
    assert "Runbook: restore carecircle-prod" in path.read_text()
    assert write_due_runbooks() == 0
    automatic_drill(main)
    assert write_due_runbooks() == 1, "the plan of the drill brought objectives"
    assert write_due_runbooks() == 0
    person("frank", Role.MANAGER)
    assert write_due_runbooks() == 1, "somebody more may decide"
    assert "Frank" in path.read_text()
    monkeypatch.setattr(write, "database_now", lambda: database_now() + dt.timedelta(days=6))
    assert write_due_runbooks() == 1
    assert oct(path.stat().st_mode & 0o777) == "0o640"
    assert [each.name for each in directory.iterdir()] == [path.name]


def test_a_copy_taken_elsewhere_does_not_stand_for_the_one_that_is_kept(directory, main, people, tmp_path):
    path = directory / file_name(main.project)
    assert write_due_runbooks() == 1
    person("frank", Role.MANAGER)
    call_command("runbook", output=str(tmp_path / "elsewhere.html"), stdout=StringIO())
    made = make_runbook(main.project)
    note_read(actor=people.dana.actor, made=made, content=b"taken")
    assert "Frank" not in path.read_text()
    assert write_due_runbooks() == 1
    assert "Frank" in path.read_text()
    path.unlink()
    assert write_due_runbooks() == 1, "somebody removed it"


def test_a_directory_that_cannot_be_written_is_said_once_and_tried_again(directory, main, monkeypatch):
    directory.write_text("in the way")
    assert write_due_runbooks() == 0
    assert write_due_runbooks() == 0
    copy = RunbookCopy.objects.get()
    assert copy.problem.startswith("It could not be written to RUNBOOK_DIR")
    assert copy.written_at is None
    assert LedgerEvent.objects.filter(type="runbook.failed").count() == 1
    directory.unlink()
    monkeypatch.setattr(write, "database_now", lambda: database_now() + dt.timedelta(minutes=11))
    assert write_due_runbooks() == 1
    copy.refresh_from_db()
    assert copy.problem == ""


def test_without_a_directory_nothing_is_written(main):
    assert write_due_runbooks() == 0
    with pytest.raises(CommandError, match="RUNBOOK_DIR is not set"):
        call_command("runbook")


def test_the_command_prints_writes_and_says_what_it_lacks(main, tmp_path):
    out = StringIO()
    call_command("runbook", output="-", text=True, stdout=out)
    assert out.getvalue().startswith("Runbook: restore carecircle-prod without the portal")
    target = tmp_path / "book.html"
    call_command("runbook", output=str(target), stdout=out)
    assert "<!doctype html>" in target.read_text()
    with pytest.raises(CommandError, match="No such project"):
        call_command("runbook", project="other")
    project(neon_project_id="second-1", name="second")
    with pytest.raises(CommandError, match="Name one with --project"):
        call_command("runbook", output="-")
