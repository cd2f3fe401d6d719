"""What people are told about, how urgent it is, and where it goes."""

from __future__ import annotations

from backups.domain.monitor import Severity
from backups.domain.notification.routing import DEFAULT_ROUTES, Channel, Route
from backups.domain.notification.sentences import MAX_CHARACTERS, message_text, one_line
from backups.domain.notification.subject import Control, Subject, SubjectKind
from backups.domain.notification.topics import ASKS_FOR_VOTES, REQUEST_TOPICS, Topic

__all__ = [
    "ASKS_FOR_VOTES",
    "DEFAULT_ROUTES",
    "MAX_CHARACTERS",
    "REQUEST_TOPICS",
    "Channel",
    "Control",
    "Route",
    "Severity",
    "Subject",
    "SubjectKind",
    "Topic",
    "message_text",
    "one_line",
]
