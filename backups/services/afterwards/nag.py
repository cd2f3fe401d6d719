"""Open points nag once a day: whoever is told is told again tomorrow, until somebody settles them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from django.db import transaction

from backups.domain.afterwards import PointCode
from backups.models import Checklist
from backups.selectors.afterwards import (
    keep_decisions_due,
    open_points,
    unreviewed,
    unsigned_records,
)
from backups.selectors.clock import database_now
from backups.services.afterwards.telling import (
    tell_keep_due,
    tell_points_open,
    tell_record_filed,
    tell_review,
)

#: Right after a restore people are at it; they are not told what they see.
_PATIENCE = dt.timedelta(hours=4)
_DAY = dt.timedelta(days=1)


def nag_about_what_is_open() -> int:
    """Tells of everything that is open, at most once a day each; returns how many messages can travel."""
    now = database_now()
    today = str(now.astimezone(dt.UTC).date())
    messages = [partial(tell_points_open, checklist, left=left) for checklist, left in _left(now).items()]
    messages += [partial(tell_keep_due, checklist) for checklist in keep_decisions_due(now)]
    messages += [_review(checklist, now) for checklist in unreviewed().filter(review_due_at__lte=now + _DAY)]
    messages += [partial(tell_record_filed, record) for record in unsigned_records().filter(filed_at__lte=now - _DAY)]
    return sum(_once(message, today) for message in messages)


def _left(now: dt.datetime) -> dict[Checklist, int]:
    """Open points of each restore; the review has its own message."""
    left: dict[Checklist, int] = {}
    for point in open_points().filter(checklist__opened_at__lte=now - _PATIENCE).exclude(code=PointCode.REVIEW):
        left[point.checklist] = left.get(point.checklist, 0) + 1
    return left


def _review(checklist: Checklist, now: dt.datetime) -> partial[int]:
    is_overdue = checklist.review_due_at is not None and checklist.review_due_at <= now
    return partial(tell_review, checklist, is_overdue=is_overdue)


def _once(tell: Callable[..., int], today: str) -> int:
    """Each in a transaction of its own, so that one that fails keeps no other back."""
    with transaction.atomic():
        return tell(occasion=today)
