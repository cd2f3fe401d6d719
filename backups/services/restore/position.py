"""A log position beyond the head names no moment; the branch itself is asked before anything is filed."""

from __future__ import annotations

from backups.domain.restore import PointKind, parse_lsn
from backups.models import ProtectedBranch
from backups.neon.errors import NeonError
from backups.services.database_access import addresses_of
from backups.services.neon_access import client_for
from backups.services.restore.draft import Wish
from backups.services.restore.errors import InvalidInput
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable
from backups.verification.connection import Budget, open_snapshot
from backups.verification.errors import DatabaseUnreachable, OutOfTime

#: Somebody waits in front of the form. What can't be told in this time is found out by the worker.
_SECONDS = 4.0
_HEAD = "SELECT pg_catalog.pg_current_wal_flush_lsn()::text"


def refuse_position_beyond_head(wish: Wish) -> None:
    """Raises InvalidInput for a log position that the branch has not reached. Call it outside any transaction."""
    if wish.point.kind is not PointKind.LSN:
        return
    head = _head_of(wish.branch_id)
    if head is not None and parse_lsn(wish.point.lsn) > parse_lsn(head):
        raise InvalidInput({"point": f"The branch has only reached {head}. Choose a position before that."})


def _head_of(branch_id: int) -> str | None:
    """None where the branch can't be asked now."""
    branch = ProtectedBranch.objects.select_related("project").filter(pk=branch_id).first()
    if branch is None:
        return None
    try:
        with client_for(branch.project, correlation="filing") as client:
            quick = client.limited_to(_SECONDS)
            addresses = addresses_of(quick, branch.project, neon_branch_id=branch.neon_branch_id)
        for dsn in addresses.values():
            with open_snapshot(dsn, Budget(_SECONDS)) as snapshot:
                return str(snapshot.value(_HEAD))
    except (NeonError, DatabaseUnreachable, OutOfTime, SecretUnreadable, SecretsKeyUnusable):
        return None
    return None
