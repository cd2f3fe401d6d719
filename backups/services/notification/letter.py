"""A message as its channel sends it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.domain.notification import Severity, SubjectKind
from backups.domain.notification.topics import ACKNOWLEDGES
from backups.models import OutboxMessage


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent. `id` stays the same when it is sent again, so that a receiver can drop the second."""

    id: str
    topic: str
    reference: str
    text: str
    link: str
    written_at: dt.datetime
    to: str = ""
    kind: str = SubjectKind.SYSTEM.value
    subject_key: str = "system:portal"
    severity: Severity = Severity.NOTICE
    resolves: bool = False
    project: str = ""
    is_sandbox: bool = False
    is_request: bool = False

    @property
    def words(self) -> str:
        """The occasion in words: `safety copy failed`."""
        return self.topic.replace("_", " ").replace(".", " ")

    @property
    def heading(self) -> str:
        """One short line for the top of the message."""
        urgent = "CRITICAL " if self.severity is Severity.CRITICAL and not self.resolves else ""
        return f"{urgent}{self.reference}: {self.words}"

    @property
    def type(self) -> str:
        """The `type` of a webhook."""
        return self.topic if "." in self.topic else f"restore.{self.topic}"

    @property
    def acknowledges(self) -> bool:
        """Whether it says that somebody has taken the trouble on."""
        return self.topic in {topic.value for topic in ACKNOWLEDGES}


def letter_of(message: OutboxMessage) -> Letter:
    """The row as its channel sends it."""
    return Letter(
        id=f"msg_{message.pk}",
        topic=message.topic,
        reference=message.subject_reference,
        text=message.text,
        link=message.link,
        written_at=message.created_at,
        to=message.person.email if message.person else "",
        kind=message.subject_kind,
        subject_key=message.subject_key,
        severity=Severity(message.severity),
        resolves=message.resolves,
        project=message.project_ref,
        is_sandbox=bool(message.is_sandbox),
        is_request=message.request_id is not None,
    )
