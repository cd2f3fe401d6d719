"""Where the things that auditors' lists name are shown."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse

_PAGES = {
    "request": "ops:request",
    "drill": "ops:drill",
    "finding": "ops:finding",
    "review": "ops:review",
    "branch": "ops:branch-health",
    "action": "ops:action",
    "log_review": "ops:log-review",
    "event": "admin:backups_ledgerevent_change",
    "account": "admin:auth_user_change",
}


def page_of(kind: str, pk: str) -> str:
    """The address of the page that shows it."""
    return reverse(_PAGES[kind], args=[pk])


_CASES = {
    "request": "ops:audit-case-restore",
    "drill": "ops:audit-case-drill",
    "access": "ops:audit-case-access",
}


def case_of(kind: str, pk: str) -> str:
    """The address of its case file; empty for what has none."""
    return reverse(_CASES[kind], args=[pk]) if kind in _CASES else ""


def address(name: str, *args: object, **query: object) -> str:
    """An address with what is asked of it; empty values are left out."""
    asked = urlencode({key: value for key, value in query.items() if value not in ("", None, False)})
    return reverse(name, args=args) + (f"?{asked}" if asked else "")
