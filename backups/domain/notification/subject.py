"""What an alert is about, and what is watched from outside."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

_REFERENCE = re.compile(r"[A-Za-z0-9_.:@/+#-]{1,100}")
_MAX_KEY_CHARACTERS = 200


class SubjectKind(StrEnum):
    """The kind of thing that a message is about."""

    REQUEST = "request"
    DRILL = "drill"
    FINDING = "finding"
    CHECKLIST = "checklist"
    REVIEW = "review"
    RETROSPECTIVE = "retrospective"
    ACTION = "action"
    SAFETY_COPY = "safety_copy"
    SCHEDULE = "schedule"
    PROJECT = "project"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that people are told of, possibly several times.

    `reference` is the name that people say (R-0142, D-0007). `identity` stays the same while it is the same trouble:
    a finding that opens again is a new row with a new reference, but the same subject, so give it the control, branch
    and code. Messages of one subject are delivered in order, and PagerDuty keeps one incident for it.
    `project` is Neon's id of the project, if there is one; `is_sandbox` says whether that is a sandbox, None when
    there is no project. Raises ValueError for a reference that could not be an id in the ledger.
    """

    kind: SubjectKind
    reference: str
    identity: str = ""
    project: str = ""
    is_sandbox: bool | None = None

    def __post_init__(self) -> None:
        if not _REFERENCE.fullmatch(self.reference):
            raise ValueError("The reference of a subject is a short id without spaces.")

    @property
    def key(self) -> str:
        """The same for every message about the same thing. Names from elsewhere may be long or odd: then a hash."""
        key = f"{self.kind.value}:{self.identity or self.reference}"
        if len(key) <= _MAX_KEY_CHARACTERS and key.isprintable():
            return key
        return f"{self.kind.value}:{hashlib.sha256(key.encode()).hexdigest()}"


class Control(StrEnum):
    """Something that must go on happening, and that a watcher outside misses when it stops."""

    MONITOR = "monitor"
    WORKER = "worker"
    DRILLS = "drills"
    LEDGER = "ledger"
