"""What can be said against a wish before anybody is asked: one sentence beside each field."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from backups.domain.restore import PointKind, RestoreKind
from backups.models import ProtectedBranch
from backups.services.restore.errors import InvalidInput

if TYPE_CHECKING:
    from backups.services.restore.draft import Wish

MAX_REASON_CHARACTERS = 2000
NOT_IN_PLACE = (
    "Neon does not restore this branch in place for now, because it came from a snapshot. "
    "Choose a copy beside it, or a snapshot."
)
#: The ticket stands in the ledger, where no free words may; so no patient's name gets in this way either.
_TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,63}")


def check_wish(wish: Wish, *, branch: ProtectedBranch, now: dt.datetime) -> None:
    """Raises InvalidInput with a sentence for each field that can't be used; changes nothing."""
    errors = (
        _branch_errors(branch)
        | _kind_errors(wish, branch)
        | _point_errors(wish, branch, now)
        | _other_errors(wish, now)
    )
    if errors:
        raise InvalidInput(errors)


def _branch_errors(branch: ProtectedBranch) -> dict[str, str]:
    if branch.missing_since is not None:
        return {"branch": "Neon no longer has this branch. Run the connection check of its project."}
    if branch.is_root is False:
        return {"branch": "This is a child branch. Neon restores only root branches to a point in time."}
    return {}


def _kind_errors(wish: Wish, branch: ProtectedBranch) -> dict[str, str]:
    if wish.kind in {RestoreKind.IN_PLACE, RestoreKind.UNDO} and branch.is_from_snapshot:
        return {"kind": NOT_IN_PLACE}
    if (wish.kind is RestoreKind.SNAPSHOT) != (wish.point.kind is PointKind.SNAPSHOT):
        return {"snapshot": "Choose the snapshot to restore from."}
    if (wish.kind is RestoreKind.SNAPSHOT) != (wish.snapshot_mode is not None):
        return {"snapshot_mode": "Say whether the copy is looked at before it replaces the branch."}
    return {}


def _point_errors(wish: Wish, branch: ProtectedBranch, now: dt.datetime) -> dict[str, str]:
    if wish.point.kind is PointKind.HEAD and wish.kind is not RestoreKind.UNDO:
        return {"point": "Say to which time or log position to go back."}
    if wish.point.kind is PointKind.SNAPSHOT:
        return {}  # it is kept apart from the history, whatever its age; and Neon's clock set its time
    return time_errors(wish.point.at, branch=branch, now=now)


def time_errors(at: dt.datetime | None, *, branch: ProtectedBranch, now: dt.datetime) -> dict[str, str]:
    """What is wrong with a point in time of this branch; nothing for a point without a time."""
    if at is None:
        return {}
    if at >= now:
        return {"point": "This time is in the future. Choose the last moment when the data were good."}
    return _window_errors(at, branch, now)


def _window_errors(at: dt.datetime, branch: ProtectedBranch, now: dt.datetime) -> dict[str, str]:
    window = branch.project.history_retention_seconds
    if window is None:
        return {}
    oldest = now - dt.timedelta(seconds=window)
    if at >= oldest:
        return {}
    return {"point": f"Neon can go back only to {oldest:%Y-%m-%d %H:%M:%S} UTC. This time is before that."}


def _other_errors(wish: Wish, now: dt.datetime) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not wish.reason.strip():
        errors["reason"] = "Say why, without any patient's details. The people who decide read this."
    elif len(wish.reason) > MAX_REASON_CHARACTERS:
        errors["reason"] = f"Please use at most {MAX_REASON_CHARACTERS} characters."
    if wish.ticket and not _TICKET.fullmatch(wish.ticket):
        errors["ticket"] = "Use the ticket's short name, such as INC-881: letters, digits and - . / # only."
    for field, at in (("noticed_at", wish.noticed_at), ("began_at", wish.began_at)):
        if at is not None and at > now:
            errors[field] = "This time is in the future."
    if wish.noticed_at and wish.began_at and wish.began_at > wish.noticed_at:
        errors["began_at"] = "The damage can't have begun after it was noticed."
    if wish.copy_expires_at is not None and wish.copy_expires_at <= now:
        errors["copy_expires_at"] = "The copy would be gone at once. Choose a later time."
    return errors
