"""What is in the file, written event by event: a million needs no more memory than a page of them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TypeAlias

from django.conf import settings

from backups.domain.export import ExportFormat, ExportScope
from backups.ledger.csv_file import COLUMNS, csv_cells, csv_lines
from backups.ledger.ocsf import ocsf_object
from backups.selectors.export import ExportedEvent, pages_of
from backups.services.ledger import event_meanings
from backups.services.sealing.bundle import write_part, write_whole

#: Events of one page, each with what its type means.
_Page: TypeAlias = list[tuple[ExportedEvent, str]]
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(slots=True)
class Progress:
    """How far the file is. `step` is called once a page and may end the work by raising."""

    step: Callable[[Progress], None]
    events: int = 0
    sandbox_events: int = 0

    def counted(self, page: list[ExportedEvent]) -> None:
        """One page more."""
        self.events += len(page)
        self.sandbox_events += sum(event.is_sandbox for event in page)
        self.step(self)

    def add(self, *, events: int, sandbox_events: int) -> None:
        """The same, for who has counted already."""
        self.events += events
        self.sandbox_events += sandbox_events
        self.step(self)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events in which format; none that was recorded at or after `before`."""

    format: ExportFormat
    scope: ExportScope
    before: dt.datetime


def write_events(file: IO[bytes], wanted: Wanted, progress: Progress) -> None:
    """Writes the whole file. Raises SealingError, OSError, and whatever `progress.step` raises."""
    match wanted.format:
        case ExportFormat.LOG:
            write_whole(file, counted=progress.add)
        case ExportFormat.BUNDLE:
            write_part(file, pages_of(wanted.scope, before=wanted.before), scope=wanted.scope, counted=progress.add)
        case ExportFormat.CSV:
            file.write(csv_lines([COLUMNS]))
            _write_pages(file, wanted, progress, _csv_page)
        case ExportFormat.OCSF:
            _write_pages(file, wanted, progress, _ocsf_page)


def _write_pages(file: IO[bytes], wanted: Wanted, progress: Progress, in_bytes: Callable[[_Page], bytes]) -> None:
    meanings = event_meanings()
    for page in pages_of(wanted.scope, before=wanted.before):
        file.write(in_bytes([(event, meanings.get(event.type, "")) for event in page]))
        progress.counted(page)


def _csv_page(page: _Page) -> bytes:
    return csv_lines(
        csv_cells(
            json.loads(event.body),
            actor_name=event.actor_name,
            meaning=meaning,
            place=event.place,
            leaf_hash=event.leaf_hash,
        )
        for event, meaning in page
    )


def _ocsf_page(page: _Page) -> bytes:
    origin = str(settings.LEDGER_ORIGIN)
    lines = (
        ocsf_object(
            json.loads(event.body),
            actor_name=event.actor_name,
            meaning=meaning,
            origin=origin,
            place=event.place,
            leaf_hash=event.leaf_hash,
        )
        for event, meaning in page
    )
    return "".join(f"{_encode(line)}\n" for line in lines).encode("utf-8")
