"""Who looks at a project now. One at a time; a look that took too long writes nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from backups.models import Project, ProjectWatch

# A row that changes is claimed; nobody waits for a lock.
_CLAIM = """
UPDATE backups_projectwatch
   SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
       fence = fence + 1,
       last_begun_at = clock_timestamp(),
       next_at = clock_timestamp() + make_interval(secs => %(every)s)
 WHERE (lease_until IS NULL OR lease_until < clock_timestamp())
   AND (%(all)s OR next_at IS NULL OR next_at <= clock_timestamp())
   AND (%(project)s IS NULL OR project_id = %(project)s)
RETURNING project_id, fence, known_at
"""


class Overtaken(Exception):
    """Another look has begun since. What this one found is dropped."""


@dataclass(frozen=True, slots=True)
class Held:
    """A project that this process looks at."""

    project_id: int
    fence: int


def claim_projects(*, only_due: bool, project_id: int | None = None) -> list[Held]:
    """Claims every project that is due, or every one that nobody else looks at."""
    _watch_all()
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "lease": settings.MONITOR_PROJECT_SECONDS + settings.MONITOR_CYCLE_SECONDS,
                "every": settings.MONITOR_EVERY_SECONDS,
                "all": not only_due,
                "project": project_id,
            },
        )
        rows = cursor.fetchall()
    # Who was not reached in the last cycle comes first in this one.
    rows.sort(key=lambda row: (row[2] is not None, row[2], row[0]))
    return [Held(project_id=row[0], fence=row[1]) for row in rows]


def lock_watch(held: Held) -> ProjectWatch:
    """The row, locked until the transaction ends. Raises Overtaken."""
    watch = ProjectWatch.objects.select_for_update(of=("self",)).select_related("project").get(pk=held.project_id)
    if watch.fence != held.fence:
        raise Overtaken
    return watch


def let_go(held: Held) -> None:
    """Gives a project back that was not looked at after all; it stays due in the next cycle."""
    ProjectWatch.objects.filter(pk=held.project_id, fence=held.fence).update(lease_until=None)


def is_free(now: dt.datetime) -> bool:
    """Whether nobody looks at any project now."""
    return not ProjectWatch.objects.filter(lease_until__gte=now).exists()


def _watch_all() -> None:
    missing = Project.objects.filter(watch__isnull=True)
    ProjectWatch.objects.bulk_create([ProjectWatch(project=each) for each in missing], ignore_conflicts=True)
