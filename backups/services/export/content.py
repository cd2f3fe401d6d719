"""What is in the file, written event by event: a million needs no more memory than a page of them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from django.conf import settings

from backups.domain.export import ExportFormat, ExportScope
from backups.ledger.csv_file import COLUMNS, csv_cells, csv_line
from backups.ledger.ocsf import ocsf_object
from backups.selectors.export import ExportedEvent, pages_of
from backups.services.ledger import event_meanings
from backups.services.sealing.bundle import write_part, write_whole


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
            file.write(csv_line(list(COLUMNS)))
            _write_lines(file, wanted, progress, _csv_line)
        case ExportFormat.OCSF:
            _write_lines(file, wanted, progress, _ocsf_line)


def _write_lines(
    file: IO[bytes], wanted: Wanted, progress: Progress, line: Callable[[ExportedEvent, str], bytes]
) -> None:
    for page in _pages(wanted):
        file.writelines(line(event, meaning) for event, meaning in page)
        progress.counted([event for event, _ in page])


def _pages(wanted: Wanted) -> Iterator[list[tuple[ExportedEvent, str]]]:
    meanings = event_meanings()
    for page in pages_of(wanted.scope, before=wanted.before):
        yield [(event, meanings.get(event.type, "")) for event in page]


def _csv_line(event: ExportedEvent, meaning: str) -> bytes:
    members = json.loads(event.body)
    return csv_line(
        csv_cells(members, actor_name=event.actor_name, meaning=meaning, place=event.place, leaf_hash=event.leaf_hash)
    )


def _ocsf_line(event: ExportedEvent, meaning: str) -> bytes:
    line = ocsf_object(
        json.loads(event.body),
        actor_name=event.actor_name,
        meaning=meaning,
        origin=str(settings.LEDGER_ORIGIN),
        place=event.place,
        leaf_hash=event.leaf_hash,
    )
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
