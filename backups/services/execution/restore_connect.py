"""Opens a connection through the branch's own connection string, as applications do."""

from __future__ import annotations

import datetime as dt

from django.conf import settings

from backups.domain.execution import Step
from backups.domain.restore import RestoreKind
from backups.ledger.fields import Detail
from backups.models import Execution
from backups.selectors.clock import database_now
from backups.services.database_access import NamedDatabase, databases_of, dsn_of
from backups.services.execution.context import StepContext
from backups.services.execution.events import record_run
from backups.services.execution.restore_common import halt
from backups.services.execution.results import Advance, Again, StepResult
from backups.services.execution.served import request_of
from backups.services.execution.waits import polling_pauses
from backups.services.restore import outcome
from backups.verification import DatabaseUnreachable, Dsn
from backups.verification.connection import Budget, open_snapshot


def connect(context: StepContext) -> StepResult:
    """Every database of the branch must take a connection. Notes when the branch took the first one."""
    branch_id = restored_branch_id(context)
    client, project = context.client, context.execution.project
    found = databases_of(client, project, neon_branch_id=branch_id)
    if not found:
        return halt("no_database", "Neon shows no database on the restored branch.")
    first = _main_database(context, found)
    dsns = [dsn_of(client, project, neon_branch_id=branch_id, database=each) for each in found]
    problem = ""
    for pause in polling_pauses():
        try:
            for dsn in dsns:
                _answers(dsn)
            return _connected(context, branch_id, first, dsns[found.index(first)])
        except DatabaseUnreachable as error:
            problem = str(error)
        if not context.pause(pause):
            break
    return _not_yet(context, problem)


def restored_branch_id(context: StepContext) -> str:
    """The branch that the restore is about: the governed one, or the copy that is handed over."""
    if RestoreKind(context.request.kind).overwrites:
        return str(context.branch.neon_branch_id)
    return str(context.memory["copy_branch_id"])


def _main_database(context: StepContext, found: list[NamedDatabase]) -> NamedDatabase:
    named = context.branch.database_name
    return next((each for each in found if each.name == named), found[0])


def _answers(dsn: Dsn) -> None:
    with open_snapshot(dsn, Budget(settings.EXECUTION_CONNECT_TRY_SECONDS)) as snapshot:
        snapshot.value("SELECT 1")


def _connected(context: StepContext, branch_id: str, database: NamedDatabase, dsn: Dsn) -> Advance:
    at = database_now()
    host = dsn.place().partition(":")[0]

    def commit(run: Execution) -> None:
        outcome.note_connectable(request_id=request_of(run).pk, at=at)
        details: dict[str, Detail] = {"branch": branch_id, "host": host, "writable_at": at}
        record_run(run, type="execution.connectable", details=details)

    memory = {
        "connectable_at": context.memory.get("connectable_at") or at.isoformat(),
        "host": host,
        "port": dsn.place().partition(":")[2],
        "database": database.name,
        "role": database.role,
        "restored_branch_id": branch_id,
    }
    return Advance(to=Step.VERIFY, sentence=f"Connected to {dsn.place()}.", memory=memory, commit=commit)


def _not_yet(context: StepContext, problem: str) -> StepResult:
    since = context.execution.waiting_since
    patience = dt.timedelta(seconds=settings.EXECUTION_CONNECT_SECONDS)
    if since is not None and database_now() - since >= patience:
        return halt("not_connectable", f"The restored branch takes no connection. {problem}")
    return Again(after_seconds=1, waiting_for="the restored branch to take connections", sentence=problem)
