"""The words of the checklist's pages, and its points as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backups.domain.afterwards import (
    KnownBy,
    PointCode,
    PointState,
    ReviewSection,
    application_words,
)
from backups.models import Checklist, ChecklistPoint, RestoreRequest
from backups.selectors.afterwards import Progress, seen_of

POINT = {
    PointCode.APPLICATION: "Application reconnected",
    PointCode.RELEASE: "Application's release fits the schema that came back",
    PointCode.WRITERS: "Writers back on: maintenance mode off, jobs and queues running",
    PointCode.OTHER_SYSTEM: "Not rewound: {subject}",
    PointCode.PEOPLE: "People told",
    PointCode.KEPT: "Decided how long the state before is kept",
    PointCode.COPY: "Decided what becomes of the copy",
    PointCode.REVIEW: "Review signed",
}
HINT = {
    PointCode.WRITERS: "Only people can see this.",
    PointCode.OTHER_SYSTEM: "It still holds what was done after the point. Decide what is run again or taken back.",
    PointCode.COPY: "Rows copied back, or the application switched to it; then let it expire.",
    PointCode.PEOPLE: "The text below can be copied into a message. It holds counts and times only.",
}
SECTION = {
    ReviewSection.WHAT_HAPPENED: "What happened",
    ReviewSection.ROOT_CAUSE: "Root cause",
    ReviewSection.COMMUNICATION: "Communication: who was told, when, and how",
    ReviewSection.PREVENTION: "Prevention: what keeps it from happening again",
    ReviewSection.IMPROVEMENT: "Improvement: what would make the next recovery better",
}
STATE = {PointState.OPEN: "Open", PointState.DONE: "Done", PointState.NOT_NEEDED: "Not needed"}
_TONE = {PointState.OPEN: "warn", PointState.DONE: "good", PointState.NOT_NEEDED: "plain"}


@dataclass(frozen=True, slots=True)
class ShownPoint:
    """One line of the list."""

    point: ChecklistPoint
    words: str
    state_words: str
    tone: str
    who: str
    remark: str
    is_open: bool
    by_hand: bool


def shown_points(checklist: Checklist) -> list[ShownPoint]:
    """The points in their order."""
    points = checklist.points.select_related("reason").order_by("position")
    return [_shown(checklist, point) for point in points]


def point_words(point: ChecklistPoint) -> str:
    """What the point asks for."""
    return POINT[PointCode(point.code)].format(subject=point.subject)


def _shown(checklist: Checklist, point: ChecklistPoint) -> ShownPoint:
    state = PointState(point.state)
    return ShownPoint(
        point=point,
        words=point_words(point),
        state_words=STATE[state],
        tone=_TONE[state],
        who=_who(point),
        remark=_remark(checklist, point),
        is_open=state is PointState.OPEN,
        by_hand=point.code not in {PointCode.REVIEW, PointCode.KEPT},
    )


def _who(point: ChecklistPoint) -> str:
    if point.state == PointState.OPEN:
        return ""
    return "seen by the portal" if point.known_by == KnownBy.PORTAL else f"{point.changed_by_name} says so"


def _remark(checklist: Checklist, point: ChecklistPoint) -> str:
    if point.reason is not None:
        return str(point.reason)
    if point.code == PointCode.APPLICATION and point.state == PointState.OPEN:
        return application_words(checklist.sessions_before, seen_of(checklist))
    return point.sentence or (HINT.get(PointCode(point.code), "") if point.state == PointState.OPEN else "")


def application_figures(checklist: Checklist) -> list[dict[str, Any]]:
    """Sessions by application before and now; None where it is not known."""
    before, seen = checklist.sessions_before, seen_of(checklist)
    now = seen.sessions if seen is not None else None
    names = sorted({*(before or {}), *(now or {})})
    return [
        {
            "name": name,
            "before": None if before is None else before.get(name, 0),
            "now": None if now is None else now.get(name, 0),
        }
        for name in names
    ]


def left_of(request: RestoreRequest) -> dict[str, Any]:
    """For the restore's own page: what is still open. Empty where there is no list."""
    checklist = Checklist.objects.select_related("branch").filter(request=request).first()
    if checklist is None:
        return {}
    points = list(checklist.points.order_by("position"))
    still_open = [point for point in points if point.state == PointState.OPEN]
    waits = any(point.code == PointCode.APPLICATION for point in still_open)
    return {
        "checklist": checklist,
        "checklist_progress": Progress(len(points) - len(still_open), len(points)),
        "left_points": [point_words(point) for point in still_open],
        "application_words": application_words(checklist.sessions_before, seen_of(checklist)) if waits else "",
    }
