"""Holds a whole log against its checkpoints, against those that somebody kept elsewhere, and against the clock."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta, timezone
from typing import Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from backups.ledger.verifier.event import canonical, read_event, told_by
from backups.ledger.verifier.merkle import CompactRange, leaf_hash
from backups.ledger.verifier.notes import Checkpoint

VERIFIED, ALTERED, CANNOT_TELL = 0, 1, 2

# An event may be sealed this long after an anchor that was taken without it: its transaction was still open.
LATEST_SEAL_SECONDS = 900
CLOCK_SKEW_SECONDS = 120


class Entry(NamedTuple):
    """An event as it was handed over: its exact bytes, and the hash that the sealer once wrote down for it."""

    body: bytes
    noted_hash: Optional[bytes] = None


class Anchor(NamedTuple):
    """A checkpoint that was kept outside of the database, and when it was taken."""

    checkpoint: Checkpoint
    taken_at: Optional[datetime]
    source: str


class Finding(NamedTuple):
    """One thing that is wrong. `verdict` is ALTERED or CANNOT_TELL."""

    verdict: int
    sentence: str


class Report:
    """What was found. Without a finding, everything that was looked at holds."""

    def __init__(self) -> None:
        self.findings: List[Finding] = []
        self.remarks: List[str] = []
        self.entries = 0
        self.sealed = 0
        self.anchored = 0

    def altered(self, sentence: str) -> None:
        self.findings.append(Finding(ALTERED, sentence))

    def unclear(self, sentence: str) -> None:
        self.findings.append(Finding(CANNOT_TELL, sentence))

    @property
    def status(self) -> int:
        verdicts = {finding.verdict for finding in self.findings}
        return ALTERED if ALTERED in verdicts else CANNOT_TELL if verdicts else VERIFIED

    def lines(self) -> List[str]:
        word = {VERIFIED: "VERIFIED", ALTERED: "ALTERED", CANNOT_TELL: "CANNOT TELL"}[self.status]
        count = "%d events, %d of them under a checkpoint, %d under an anchor."
        head = "%s: %s" % (word, count % (self.entries, self.sealed, self.anchored))
        shown = [finding.sentence for finding in self.findings[:50]]
        more = len(self.findings) - len(shown)
        return [head, *shown, *(["… and %d more findings." % more] if more else []), *self.remarks]


class LogCheck:
    """Takes the entries one by one, in the order of their index, and keeps nothing of them but hashes and times."""

    def __init__(
        self,
        report: Report,
        *,
        head: Checkpoint,
        checkpoints: Iterable[Tuple[Checkpoint, Optional[datetime]]],
        anchors: Iterable[Anchor],
        strict: bool = False,
    ) -> None:
        self._report, self._head, self._strict = report, head, strict
        self._tree = CompactRange()
        self._marks: Deque[Mark] = deque(_marks(head, checkpoints, anchors))
        self._anchors = [mark for mark in self._marks if mark.is_anchor]
        self._ids: Set[str] = set()
        self._good_size = 0
        self._good_at: Optional[datetime] = None
        self._suspect = False
        self._covering = iter([*self._anchors, None])
        self._next_anchor = next(self._covering)
        self._earliest: Optional[datetime] = None
        self._passed_size = 0
        # Times as the ledger writes them, so that an event's own is compared as it is. Empty: no bound.
        self._not_before = self._not_after = ""
        self._bound_times()

    @property
    def size(self) -> int:
        """How many entries were taken."""
        return self._tree.size

    def add(self, entry: Entry) -> None:
        leaf = leaf_hash(entry.body)
        self._look_at(self.size, entry, leaf)
        self._take(leaf)

    def add_missing(self, noted_hash: bytes) -> None:
        """An entry that is gone, of which only the hash is left: what comes after it can still be checked."""
        self._report.altered("Event %d was removed; only its hash is left." % self.size)
        self._take(noted_hash)

    def _take(self, leaf: bytes) -> None:
        self._tree.append(leaf)
        while self._marks and self._marks[0].checkpoint.size == self._tree.size:
            self._compare(self._marks.popleft())

    def finish(self) -> Report:
        """Says what is missing at the end. The report counts only what really lies under a checkpoint that holds."""
        size = self._tree.size
        for mark in self._marks:
            self._too_short(mark)
        if size > self._head.size:
            self._report.unclear(
                "%d events at the end lie under no checkpoint; nothing can be said of them." % (size - self._head.size)
            )
        self._report.entries = size
        self._report.sealed = min(self._good_size, size)
        return self._report

    def _compare(self, mark: Mark) -> None:
        size, at = mark.checkpoint.size, _when(mark.taken_at)
        if mark.checkpoint.root == self._tree.root():
            self._good_size, self._good_at = size, mark.taken_at or self._good_at
            if mark.is_anchor:
                self._report.anchored = size
            return
        if self._suspect and not mark.is_anchor:
            return  # said once already; every later checkpoint differs too
        first = "event 0" if not self._good_size else "event %d" % self._good_size
        self._report.altered(
            "The events do not give the root of %s (%d events%s): something from %s to event %d was changed, put in, "
            "removed or moved. The last checkpoint that still holds is of %s."
            % (mark.source, size, at, first, size - 1, self._last_good())
        )
        self._suspect = True

    def _last_good(self) -> str:
        return "%d events%s" % (self._good_size, _when(self._good_at)) if self._good_size else "none"

    def _too_short(self, mark: Mark) -> None:
        missing = mark.checkpoint.size - self._tree.size
        if missing > 0:
            self._report.altered(
                "%s is of %d events%s, but there are only %d: at least %d events were cut off the end."
                % (mark.source, mark.checkpoint.size, _when(mark.taken_at), self._tree.size, missing)
            )

    def _look_at(self, index: int, entry: Entry, leaf: bytes) -> None:
        if entry.noted_hash is not None and entry.noted_hash != leaf:
            self._report.altered("Event %d is not what the sealer once hashed: %s." % (index, _named(entry.body)))
        told = told_by(entry.body)
        if told is None:
            self._report.altered("Event %d is not an event of the known form." % index)
            return
        self._once(index, told.id)
        self._in_its_time(index, told.recorded)
        if self._strict and not _is_canonical(entry.body):
            self._report.altered("Event %d is not in the one canonical form (RFC 8785)." % index)

    def _once(self, index: int, event_id: str) -> None:
        if event_id in self._ids:
            self._report.altered("Event %d has the id of an earlier one: %s." % (index, event_id))
        self._ids.add(event_id)

    def _in_its_time(self, index: int, recorded: str) -> None:
        """An event first covered by one anchor was recorded after the anchor before it, and before that one."""
        if self._next_anchor is not None and index >= self._next_anchor.checkpoint.size:
            self._pass_anchors(index)
        if not recorded:
            self._report.altered("Event %d does not say when it was recorded." % index)
        elif recorded < self._not_before:
            self._report.altered(
                "Event %d says that it was recorded at %s, but the anchor of %s was taken without it: it is dated back."
                % (index, recorded, _stamp_of(self._earliest))
            )
        elif self._not_after and recorded > self._not_after:
            self._report.altered(
                "Event %d says that it was recorded at %s, after the anchor of %s that covers it."
                % (index, recorded, _stamp_of(self._next_anchor.taken_at if self._next_anchor else None))
            )

    def _pass_anchors(self, index: int) -> None:
        while self._next_anchor is not None and index >= self._next_anchor.checkpoint.size:
            passed, self._next_anchor = self._next_anchor, next(self._covering)
            if passed.checkpoint.size != self._passed_size:  # of several of one size the earliest counts
                self._earliest, self._passed_size = passed.taken_at or self._earliest, passed.checkpoint.size
        self._bound_times()

    def _bound_times(self) -> None:
        latest = self._next_anchor.taken_at if self._next_anchor else None
        self._not_before = _shifted(self._earliest, -LATEST_SEAL_SECONDS)
        self._not_after = _shifted(latest, CLOCK_SKEW_SECONDS)


class Mark(NamedTuple):
    """A size at which the root is known."""

    checkpoint: Checkpoint
    taken_at: Optional[datetime]
    source: str
    is_anchor: bool


def _marks(
    head: Checkpoint, checkpoints: Iterable[Tuple[Checkpoint, Optional[datetime]]], anchors: Iterable[Anchor]
) -> List[Mark]:
    marks = [Mark(checkpoint, at, "the checkpoint", False) for checkpoint, at in checkpoints]
    marks.append(Mark(head, None, "the newest checkpoint", False))
    marks += [Mark(anchor.checkpoint, anchor.taken_at, "the anchor " + anchor.source, True) for anchor in anchors]
    never = datetime.max.replace(tzinfo=timezone.utc)
    return sorted(
        (mark for mark in marks if mark.checkpoint.size),
        key=lambda mark: (mark.checkpoint.size, mark.taken_at or never),
    )


def anchors_that_contradict(anchors: Iterable[Anchor]) -> Iterator[str]:
    """Two anchors of one size with two roots: two people were shown two logs, or the key was stolen."""
    by_size: Dict[int, Anchor] = {}
    for anchor in anchors:
        other = by_size.setdefault(anchor.checkpoint.size, anchor)
        if other.checkpoint.root != anchor.checkpoint.root:
            sizes = (other.source, anchor.source, anchor.checkpoint.size)
            yield "The anchors %s and %s show two different logs of %d events." % sizes


def _stamp(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _stamp_of(at: Optional[datetime]) -> str:
    return _stamp(at) if at else "?"


def _shifted(at: Optional[datetime], seconds: int) -> str:
    """The time so much later, as the ledger writes it; empty for none."""
    if at is None:
        return ""
    return (at.astimezone(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _when(at: Optional[datetime]) -> str:
    return ", %s" % _stamp(at) if at else ""


def _is_canonical(body: bytes) -> bool:
    event = read_event(body)
    return event is not None and canonical(event) == body


def _named(body: bytes) -> str:
    event = read_event(body) or {}
    return "%s %s, which now says %s" % (event.get("type", "?"), event.get("id", "?"), event.get("rec", "?"))
