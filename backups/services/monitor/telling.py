"""The one door through which the monitor tells people."""

from __future__ import annotations

from enum import StrEnum

from backups.domain.monitor import KINDS, FindingCode, Severity
from backups.domain.notification import Subject, SubjectKind, Topic
from backups.models import Finding
from backups.services.notification.alert import alert


class News(StrEnum):
    """What became of a finding."""

    OPENED = "opened"
    WORSE = "worse"
    CLOSED = "closed"
    ACKNOWLEDGED = "acknowledged"


_TOPICS = {
    News.OPENED: Topic.FINDING_OPENED,
    News.WORSE: Topic.FINDING_WORSE,
    News.CLOSED: Topic.FINDING_CLOSED,
    News.ACKNOWLEDGED: Topic.FINDING_ACKNOWLEDGED,
}


def tell_of(finding: Finding, news: News) -> None:
    """Tells the roles that the kind of finding names, in the transaction of the change."""
    kind = KINDS[FindingCode(finding.code)]
    is_unknown = kind.code is FindingCode.CANNOT_TELL and news is News.OPENED
    alert(
        topic=Topic.FINDING_UNKNOWN if is_unknown else _TOPICS[news],
        subject=_subject(finding),
        severity=Severity(finding.severity),
        text=_text(finding, news),
        link_path=f"/monitor/findings/{finding.pk}/",
        people=[finding.owner] if finding.owner is not None else [],
        roles=kind.tells,
        occasion=f"{finding.reference}:{news.value}:{finding.severity}",
        resolves=news is News.CLOSED,
    )


def _subject(finding: Finding) -> Subject:
    """A trouble that comes back is the same one to whoever counts incidents."""
    project, branch = finding.project, finding.branch
    place = f"{project.pk if project else 0}/{branch.pk if branch else 0}"
    return Subject(
        kind=SubjectKind.FINDING,
        reference=finding.reference,
        identity=f"{place}:{finding.code}:{finding.subject}"[:120],
        project=project.neon_project_id if project else "",
        is_sandbox=project.is_sandbox if project else None,
    )


def _text(finding: Finding, news: News) -> str:
    """The kind's own words and names of the portal's; never the sentence, whose names come from elsewhere."""
    title = KINDS[FindingCode(finding.code)].title
    place = " / ".join(part.name for part in (finding.project, finding.branch) if part is not None) or "the portal"
    words = {
        News.OPENED: f"{finding.severity}: {title}",
        News.WORSE: f"Worse, now {finding.severity}: {title}",
        News.CLOSED: f"Over: {title}",
        News.ACKNOWLEDGED: f"Somebody looks after it: {title}",
    }
    return f"{words[news]} ({finding.reference}, {place})"
