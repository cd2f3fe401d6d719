"""Log lines: one JSON object a line, with the request's id and without secrets."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from backups.domain.correlation import current_request_id

HIDDEN = "[hidden]"
_SECRETS = [
    # postgres://user:password@host
    re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(?=@)", re.IGNORECASE),
    re.compile(r"(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE),
    # password=..., "api_key": "...", also as an argument of a function in a traceback
    re.compile(
        r"""(?P<keep>["']?\b[\w-]*(?:password|passwd|pwd|secret|token|api[_-]?key|authorization|cookie)["']?\s*[=:]\s*)"""
        r"""(?!bearer\b|basic\b|\[hidden\])("[^"]*"|'[^']*'|[^\s,;&)}\]]+)""",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<keep>https://hooks\.slack\.com/)[^\s\"']+", re.IGNORECASE),
    re.compile(r"(?P<keep>\b)(?:napi|neon_api_key|npg)_[A-Za-z0-9]{8,}"),
    re.compile(r"(?P<keep>\bccops_[a-z0-9]{8}_)[A-Za-z0-9_-]{20,}"),
]


def redact(text: str) -> str:
    """The text with passwords, keys and tokens replaced."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<keep>{HIDDEN}", text)
    return text


class RedactingFilter(logging.Filter):
    """Settles a record's message and redacts it, so that no handler behind it sees the original."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": current_request_id(),
            "process": record.process,
        }
        if record.exc_text:
            entry["traceback"] = record.exc_text
        return json.dumps({name: value for name, value in entry.items() if value != ""}, ensure_ascii=False)
