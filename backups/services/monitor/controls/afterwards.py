"""What restores left to do and nobody has done, and daily safety copies that were not made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from backups.domain.monitor import FindingCode, Observation
from backups.models import ProtectedBranch
from backups.selectors.afterwards import overdue_reviews, unsigned_records
from backups.services.monitor.controls.about import about_branch
from backups.services.monitor.scene import Scene

#: A second person has been told by then, and once more.
_SIGNED_WITHIN = dt.timedelta(days=2)


def reviews(scene: Scene) -> Sequence[Observation]:
    """Reviews beyond their day that nobody has signed."""
    return [
        Observation(
            code=FindingCode.REVIEW_OVERDUE,
            subject=review.checklist.reference,
            sentence=f"The review of {review.checklist.reference} was due "
            f"{review.checklist.review_due_at:%Y-%m-%d %H:%M} UTC and is not signed.",
            evidence={"restore": review.checklist.reference, "due_at": _text(review.checklist.review_due_at)},
            branch_id=review.checklist.branch_id,
        )
        for review in overdue_reviews(scene.now, scene.project)
    ]


def records(scene: Scene) -> Sequence[Observation]:
    """Restores by hand that one person put on record and no second one has signed."""
    late = unsigned_records(scene.project).filter(filed_at__lte=scene.now - _SIGNED_WITHIN)
    return [
        Observation(
            code=FindingCode.RECORD_UNSIGNED,
            subject=record.reference,
            sentence=f"{record.reference}, the record of a restore outside the portal, waits for its second signature "
            f"since {record.filed_at:%Y-%m-%d}.",
            evidence={"record": record.reference, "filed_at": _text(record.filed_at)},
            branch_id=record.branch_id,
        )
        for record in late
    ]


def daily_copy(scene: Scene, branch: ProtectedBranch) -> Sequence[Observation]:
    """The newest daily safety copy, where one is planned."""
    overdue = [each for each in scene.overdue_daily_copies if each.branch_id == branch.pk]
    sentence = f"No daily safety copy of {branch.name} was made for more than a day, although one is planned."
    return [about_branch(branch, FindingCode.DAILY_COPY_OVERDUE, sentence) for _ in overdue]


def _text(at: dt.datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
