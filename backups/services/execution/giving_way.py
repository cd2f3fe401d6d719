"""A drill never stands in the way of a production restore: it asks before every single call whether one has come."""

from __future__ import annotations

from backups.domain.execution import Purpose
from backups.models import Execution, Project, RestoreRequest
from backups.neon.calls import HoldBack
from backups.selectors.restore import governing_requests


def production_request(execution: Execution) -> RestoreRequest | None:
    """The production request of the run's project that is approved or running."""
    return governing_requests(execution.project).order_by("approved_at").first()


def held_back_by_production(execution: Execution) -> HoldBack | None:
    """What a drill's connection to Neon asks before each call, those that wait for operations included."""
    return hold_back_for(execution.project) if execution.purpose == Purpose.DRILL else None


def hold_back_for(project: Project) -> HoldBack:
    """A sentence while a production request of the project is approved or running."""

    def why() -> str:
        request = governing_requests(project).first()
        return "" if request is None else f"{request.reference} restores production"

    return why
