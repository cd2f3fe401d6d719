"""Writes runbooks to their directory: each week, and after each change of what they are made from."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from backups.domain.ledger import Outcome
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.models import Project, RunbookCopy
from backups.selectors.clock import database_now
from backups.selectors.runbook import Setup, proofs_of, setup_of
from backups.services.execution.events import the_worker
from backups.services.ledger import record_event
from backups.services.project import target_of_project
from backups.services.runbook.content import Runbook, runbook_of
from backups.services.runbook.render import as_html

#: A runbook is written anew at the latest after so long.
FRESH_FOR = dt.timedelta(days=6)
#: A directory that can't be written to is tried again after so long.
_RETRY_AFTER = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class MadeRunbook:
    """A runbook and the hash of the set-up that it was made from."""

    project: Project
    runbook: Runbook
    setup_sha256: str


def make_runbook(project: Project) -> MadeRunbook:
    """From what the portal knows now; Neon is not asked."""
    setup = _setup(project)
    now = database_now()
    return MadeRunbook(project, runbook_of(setup, proofs_of(project, now), now=now), setup.sha256)


def write_due_runbooks() -> int:
    """The worker's duty: writes what is due where RUNBOOK_DIR is set; returns how many were written."""
    if not settings.RUNBOOK_DIR:
        return 0
    now = database_now()
    return sum(_write_when_due(project, now) for project in Project.objects.order_by("pk"))


def write_runbook(*, actor: Actor, project: Project, path: Path) -> MadeRunbook:
    """Writes it to this file and notes it. Raises OSError; nothing is noted then."""
    made = make_runbook(project)
    content = as_html(made.runbook).encode()
    _replace(path, content)
    is_kept = kept_path(project) in (None, path)
    _note(actor=actor, made=made, content=content, type="runbook.written", is_kept=is_kept)
    return made


def note_read(*, actor: Actor, made: MadeRunbook, content: bytes) -> None:
    """Somebody took a copy from the page."""
    _note(actor=actor, made=made, content=content, type="runbook.read", is_kept=not settings.RUNBOOK_DIR)


def _note(*, actor: Actor, made: MadeRunbook, content: bytes, type: str, is_kept: bool) -> None:
    """A copy of it exists outside the database now. `is_kept`: it is the one that the portal answers for; a copy taken
    elsewhere must not keep the worker from renewing that one."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    written = type == "runbook.written"
    with transaction.atomic():
        if is_kept:
            _keep(made, digest)
        details: dict[str, Detail] = {"file_sha256": digest}
        if written:
            details |= {"setup_sha256": made.setup_sha256, "bytes": len(content)}
        record_event(
            type=type,
            actor=actor,
            target=target_of_project(made.project),
            details=details,
            sandbox=made.project.is_sandbox,
        )


def _keep(made: MadeRunbook, digest: str) -> None:
    RunbookCopy.objects.update_or_create(
        project=made.project,
        defaults={
            "written_at": database_now(),
            "setup_sha256": made.setup_sha256,
            "content_sha256": digest,
            "problem": "",
            "problem_since": None,
        },
    )


def kept_path(project: Project) -> Path | None:
    """Where the worker keeps the project's runbook; None when no directory is set."""
    return Path(settings.RUNBOOK_DIR) / file_name(project) if settings.RUNBOOK_DIR else None


def file_name(project: Project) -> str:
    """`runbook-calm-river-12345678.html`."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", project.neon_project_id)
    return f"runbook-{plain}.html"


def _setup(project: Project) -> Setup:
    return setup_of(project, contact=settings.RUNBOOK_CONTACT, site=settings.SITE_URL)


def _write_when_due(project: Project, now: dt.datetime) -> bool:
    path, copy = kept_path(project), RunbookCopy.objects.filter(project=project).first()
    if path is None or (copy is not None and not _is_due(copy, path, _setup(project).sha256, now)):
        return False
    try:
        write_runbook(actor=the_worker(), project=project, path=path)
    except OSError as error:
        _note_problem(project, error, now)
        return False
    return True


def _is_due(copy: RunbookCopy, path: Path, setup_sha256: str, now: dt.datetime) -> bool:
    if copy.problem and copy.problem_since is not None and now - copy.problem_since < _RETRY_AFTER:
        return False
    stale = copy.written_at is None or now - copy.written_at >= FRESH_FOR
    return stale or bool(copy.problem) or copy.setup_sha256 != setup_sha256 or not os.path.exists(path)


def _note_problem(project: Project, error: OSError, now: dt.datetime) -> None:
    """Said once in the ledger until it works again; shown on the readiness page all the while."""
    sentence = f"It could not be written to RUNBOOK_DIR: {error.strerror or type(error).__name__}."[:200]
    with transaction.atomic():
        copy, _ = RunbookCopy.objects.select_for_update().get_or_create(project=project)
        is_new = not copy.problem
        copy.problem, copy.problem_since = sentence, now
        copy.save(update_fields=["problem", "problem_since"])
        if is_new:
            record_event(
                type="runbook.failed",
                actor=the_worker(),
                target=target_of_project(project),
                outcome=Outcome.FAILURE,
                details={"error": type(error).__name__},
                sandbox=project.is_sandbox,
            )


def _replace(path: Path, content: bytes) -> None:
    """Whoever opens the file meanwhile sees the old page or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.chmod(0o640)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
