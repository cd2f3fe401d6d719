"""Nothing but the restore itself may touch a project while production is about to be restored there."""

from __future__ import annotations

from backups.models import Project
from backups.selectors.restore import governing_requests


def yield_to_production(project: Project, *, except_request: int | None = None) -> bool:
    """True when a production request is approved or running: make no changing call to this project now.

    Neon answers 423 to the whole project while anything is under way, so a clean-up could delay the restore.
    `except_request` is the request that the caller itself serves.
    """
    governing = governing_requests(project)
    if except_request is not None:
        governing = governing.exclude(pk=except_request)
    return governing.exists()
