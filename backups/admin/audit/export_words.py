"""Exports in the words of their pages."""

from __future__ import annotations

import datetime as dt
from typing import Any

from backups.domain.export import ExportFormat, ExportScope, ExportState
from backups.models import LedgerExport

FORMAT = {
    ExportFormat.CSV: "CSV",
    ExportFormat.OCSF: "OCSF",
    ExportFormat.BUNDLE: "Bundle of a part",
    ExportFormat.LOG: "Bundle of the whole log",
}
FORMAT_EXPLAINED = {
    ExportFormat.CSV: "CSV: a line for each event, for a spreadsheet. Without the words that people wrote.",
    ExportFormat.OCSF: "OCSF, as JSON Lines: for a tool that reads security logs. Without the words that people wrote.",
    ExportFormat.BUNDLE: "Bundle of a part: the exact events with the words, a proof of each, and the program that "
    "verifies them. At most 20,000 events.",
    ExportFormat.LOG: "Bundle of the whole log: everything that is sealed, the sandbox included. Period and filters "
    "do not apply.",
}
_STATE = {
    ExportState.WAITING: ("Waiting for the worker", "info"),
    ExportState.RUNNING: ("Being written", "info"),
    ExportState.READY: ("Ready", "good"),
    ExportState.FAILED: ("Failed: there is no file", "bad"),
    ExportState.REMOVED: ("File deleted", "plain"),
}


def shown(export: LedgerExport, logins: dict[str, str]) -> dict[str, Any]:
    """One export with its words. `logins`: by the ledger's name of a person."""
    words, tone = _STATE[ExportState(export.state)]
    return {
        "export": export,
        "format_words": FORMAT[export.kind],
        "state_words": words,
        "tone": tone,
        "scope_words": scope_words(export.chosen, logins),
        "is_open": export.state in (ExportState.WAITING, ExportState.RUNNING),
        "is_ready": export.state == ExportState.READY,
        "share": _share(export),
        "took_seconds": _seconds(export.began_at, export.finished_at),
    }


def scope_words(scope: ExportScope, logins: dict[str, str]) -> str:
    """Which events, as one line."""
    if scope.is_everything:
        return "everything"
    parts = [
        str(scope.period) if scope.period else "",
        f"types of {scope.family.rstrip('.')}" if scope.family else "",
        f"by {logins.get(scope.person) or _PERSONS.get(scope.person) or scope.person}" if scope.person else "",
        f"about {scope.target}" if scope.target else "",
        "with the sandbox" if scope.with_sandbox else "without the sandbox",
    ]
    return ", ".join(part for part in parts if part)


_PERSONS = {"kind:system": "the portal itself", "kind:anonymous": "nobody logged in"}


def other_actors() -> list[tuple[str, str]]:
    """Those that have no account, as choices."""
    return list(_PERSONS.items())


def _share(export: LedgerExport) -> int | None:
    """Of the events that are expected, in percent; None while nobody knows."""
    if not export.events_expected:
        return None
    return min(100, export.events * 100 // export.events_expected)


def _seconds(begin: dt.datetime | None, end: dt.datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin and end else None
