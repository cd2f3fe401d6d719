"""Exports of the ledger: which events, in which format, and how far one has come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.period import Period


class ExportFormat(StrEnum):
    """What the file is."""

    CSV = "csv"
    """One line an event, for a spreadsheet (RFC 4180)."""
    OCSF = "ocsf"
    """One JSON object a line, for a security tool (Open Cybersecurity Schema Framework)."""
    BUNDLE = "bundle"
    """A part of the log that can be verified: each event with its words and its proof."""
    LOG = "log"
    """The whole sealed log as one bundle; no period and no filter applies."""

    @property
    def ending(self) -> str:
        """Of the file's name."""
        return {"csv": "csv", "ocsf": "jsonl"}.get(self.value, "zip")

    @property
    def content_type(self) -> str:
        """As the download names it."""
        kinds = {"csv": "text/csv; charset=utf-8", "ocsf": "application/jsonl"}
        return kinds.get(self.value, "application/zip")


class ExportState(StrEnum):
    """Where an export stands."""

    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    REMOVED = "removed"
    """Its file was deleted when its days were over; what it held is still on record."""


@dataclass(frozen=True, slots=True)
class ExportScope:
    """Which events. Empty members narrow nothing.

    `family`: the first part of a type's name with its dot, such as `request.`. `person`: an actor as the ledger names
    it, such as `user:7`. `target`: the exact id of what the event is about, such as `R-0007`. Events of sandbox
    projects are no evidence, so they are left out unless `with_sandbox`.
    """

    period: Period | None = None
    family: str = ""
    person: str = ""
    target: str = ""
    with_sandbox: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether no event is left out."""
        return self == ExportScope(with_sandbox=True)

    def to_json(self) -> dict[str, str | bool]:
        """For a row and a manifest; only what narrows."""
        members: dict[str, str | bool] = {"with_sandbox": self.with_sandbox}
        if self.period:
            members |= {"first": self.period.first.isoformat(), "last": self.period.last.isoformat()}
        named = {"family": self.family, "person": self.person, "target": self.target}
        return members | {name: value for name, value in named.items() if value}

    @classmethod
    def from_json(cls, members: Mapping[str, str | bool]) -> ExportScope:
        """The reverse of to_json."""
        first, last = members.get("first"), members.get("last")
        return cls(
            period=Period(dt.date.fromisoformat(str(first)), dt.date.fromisoformat(str(last))) if first else None,
            family=str(members.get("family", "")),
            person=str(members.get("person", "")),
            target=str(members.get("target", "")),
            with_sandbox=bool(members.get("with_sandbox")),
        )
