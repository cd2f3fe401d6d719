"""One round of sealing: events without a leaf get one, and the new head of the tree is signed.

Events commit in another order than their ids and times, so "what is newer than the last" would miss some. A round
looks for events that have no leaf: among those of the last seconds each time, among all that an open transaction may
still have held every few seconds, among all there are now and then.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import Max

from backups.ledger.verifier.merkle import EMPTY_ROOT, CompactRange, leaf_hash
from backups.ledger.verifier.notes import Checkpoint, NoteRefused, trusted_checkpoint
from backups.models.database_rules import SEALED_AT_ONCE
from backups.models.sealing import LedgerCheckpoint, LedgerLeaf, LedgerNode
from backups.selectors.clock import database_now
from backups.services.execution.crash_points import crash_point
from backups.services.sealing.anchors import Anchor
from backups.services.sealing.errors import AnchorFailed, SealRefused
from backups.services.sealing.keys import KeyRing
from backups.services.sealing.memory import Memory
from backups.services.sealing.unsealed import UnsealedEvent, insert_leaves, unsealed_events

logger = logging.getLogger(__name__)

#: Kept levels of the tree: each tells of 256 of the level below, so that a proof reads a few hundred rows.
KEPT_LEVELS = frozenset({8, 16, 24, 32})
BATCH = 4096
# Most transactions that write an event are over by then; what they took longer for is found at the next late look.
_NEAR_SECONDS = 10
# No transaction that writes an event stays open for as long: the server ends it before.
_LATE_SECONDS = 120
_LATE_LOOK_SECONDS = 5
_LOCK = 5_802_105
_CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to. `busy`: another sealer was at it."""

    sealed: int = 0
    size: int = 0
    urgent: bool = False
    """An act may be waiting for one of these events."""
    more: bool = False
    busy: bool = False


@dataclass(slots=True)
class Sealer:
    """One sealer process. `remembered` is the tree that it signed last or has checked."""

    keys: KeyRing
    memory: Memory
    anchors: Sequence[Anchor]
    _tree: CompactRange = field(default_factory=CompactRange)
    _known_from: dt.datetime | None = None
    """Every event recorded well before then has its leaf, unless it came later than any can."""
    _reached: str | None = None
    """While a backlog is sealed: how far its rounds have come, so that none begins at the first event again."""
    _backlog_from: dt.datetime | None = None
    _looked_late_at: dt.datetime | None = None

    def begin(self) -> None:
        """Holds the database against what is remembered and against the anchors. Raises SealRefused.

        Another sealer may be at work: anchors are asked before the database, which has what they have been given, and
        the database is looked at while no sealer adds to it.
        """
        kept = [note for note in map(_kept_by, self.anchors) if note is not None]
        with transaction.atomic():
            hold_sealers_off()
            newest = _newest_checkpoint()
            self._remember_first(newest)
            self._known_from = self._reached = self._backlog_from = self._looked_late_at = None
            for each in kept:
                _check_against(each, newest)
            _whole_tree_is(self._caught_up())

    def _remember_first(self, newest: LedgerCheckpoint | None) -> None:
        """The tree of the sealer's memory, which may be missing only where nothing was signed. Raises SealRefused."""
        remembered = self.memory.read()
        if remembered is None and newest is not None:
            raise SealRefused(
                "memory_missing",
                f"The database holds a tree of {newest.size} events, and the sealer's memory {self.memory.path} is "
                "missing. Without it the sealer cannot tell this tree from a forged one. Nothing is signed. Put the "
                "file back from a copy, or run adopt_ledger_state, which checks the tree against the anchors.",
            )
        if remembered is None:  # so that a death after the first seal does not look like a lost memory
            self.memory.write(CompactRange(), self.keys.current().checkpoint(size=0, root=EMPTY_ROOT))
        self._tree = remembered[0] if remembered else CompactRange()

    def seal(self, *, full: bool = False) -> Round:
        """One round. `full`: looks at all events and all leaves. Raises SealRefused."""
        with transaction.atomic(durable=True):
            if not _try_lock():
                return Round(busy=True)
            tree = self._caught_up()
            if full:
                _whole_tree_is(tree)
            began = database_now()
            events = self._unsealed(began, full=full)
            note = self._append(tree, events) if events else None
            crash_point("seal_before_commit")
        crash_point("seal_before_memory")
        return self._remember(tree, note, events, began)

    def _remember(
        self, tree: CompactRange, note: str | None, events: Sequence[UnsealedEvent], began: dt.datetime
    ) -> Round:
        more = len(events) == BATCH
        if note is None and tree.size != self._tree.size:
            note = LedgerCheckpoint.objects.get(pk=tree.size).note  # another sealer's, which has been checked
        if note is not None:
            self.memory.write(tree, note)
            crash_point("seal_after_memory")
        self._tree = tree
        self._note_reach(events, began, more=more)
        urgent = any(event.type in SEALED_AT_ONCE for event in events)
        return Round(sealed=len(events), size=tree.size, urgent=urgent, more=more)

    def _note_reach(self, events: Sequence[UnsealedEvent], began: dt.datetime, *, more: bool) -> None:
        self._backlog_from = self._backlog_from or began
        if more:
            self._reached = events[-1].recorded_at
            return
        # What committed meanwhile with an earlier time is looked for again from where the backlog began.
        self._known_from, self._reached, self._backlog_from = self._backlog_from, None, None

    def _caught_up(self) -> CompactRange:
        """A copy of the remembered tree, with what another sealer has added since. Raises SealRefused."""
        newest = _newest_checkpoint()
        size = newest.size if newest else 0
        if size < self._tree.size:
            raise _set_back(size, self._tree.size)
        tree = self._tree.copy()
        if size > tree.size:
            _read_on(tree, size)
            self._trust(newest)
        if _leaf_count() != size:
            raise SealRefused(
                "leaves_and_checkpoint",
                f"The newest checkpoint is of {size} events, and the tree in the database has {_leaf_count()} leaves. "
                "Somebody wrote into its tables. Nothing is signed. Run verify_ledger.",
            )
        if tree.root() != (bytes(newest.root) if newest else EMPTY_ROOT):
            raise _other_tree(size)
        return tree

    def _trust(self, newest: LedgerCheckpoint | None) -> None:
        """Another sealer's checkpoint counts only with the signature of our key."""
        try:
            trusted_checkpoint(newest.note if newest else "", [self.keys.current().verifier_key, *self.keys.known])
        except NoteRefused as refused:
            raise SealRefused(
                "foreign_checkpoint",
                f"The newest checkpoint in the database was not signed by this log's key: {refused} Nothing is signed.",
            ) from None

    def _unsealed(self, now: dt.datetime, *, full: bool) -> list[UnsealedEvent]:
        since: dt.datetime | str | None = self._reached
        if since is None:
            since = self._begin_of_look(now, full=full)
        return unsealed_events(since=since, limit=BATCH)

    def _begin_of_look(self, now: dt.datetime, *, full: bool) -> dt.datetime | None:
        looked = self._looked_late_at
        is_late_look = full or looked is None or now - looked >= dt.timedelta(seconds=_LATE_LOOK_SECONDS)
        if is_late_look:
            self._looked_late_at = now
        if full or self._known_from is None:
            return None
        return self._known_from - dt.timedelta(seconds=_LATE_SECONDS if is_late_look else _NEAR_SECONDS)

    def _append(self, tree: CompactRange, events: Sequence[UnsealedEvent]) -> str:
        first, nodes = tree.size, []

        def completed(level: int, position: int, node: bytes) -> None:
            if level in KEPT_LEVELS:
                nodes.append(LedgerNode(level=level, position=position, hash=node))

        hashes = [leaf_hash(event.body.encode("utf-8")) for event in events]
        for each in hashes:
            tree.append(each, completed)
        insert_leaves(first, [event.id for event in events], hashes)
        LedgerNode.objects.bulk_create(nodes)
        crash_point("seal_before_checkpoint")
        note = self.keys.current().checkpoint(size=tree.size, root=tree.root())
        LedgerCheckpoint.objects.create(size=tree.size, root=tree.root(), note=note)
        return note


def newest_note() -> Checkpoint | None:
    """The newest checkpoint in the database; its signature is not checked here."""
    newest = _newest_checkpoint()
    return Checkpoint(newest.note.partition("\n")[0], newest.size, bytes(newest.root), newest.note) if newest else None


def hold_sealers_off() -> None:
    """Until the transaction ends no sealer signs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _kept_by(anchor: Anchor) -> Checkpoint | None:
    try:
        return anchor.newest()
    except AnchorFailed as failed:
        logger.warning("The sealer begins without a look at an anchor: %s", failed)
        return None


def _check_against(kept: Checkpoint, newest: LedgerCheckpoint | None) -> None:
    """An anchor that knows of more events than the database: it was set back, or its end was cut off."""
    size = newest.size if newest else 0
    if kept.size > size:
        raise _set_back(size, kept.size)


def _set_back(size: int, signed: int) -> SealRefused:
    return SealRefused(
        "set_back",
        f"The database holds {size} sealed events, but {signed} were signed before. The portal's database was set "
        "back to an earlier point, or events were removed. Nothing is signed, and no production restore starts. "
        "Restore the newest copy of the portal's own database; the procedure for a set-back ledger tells more.",
    )


def _other_tree(size: int) -> SealRefused:
    return SealRefused(
        "other_tree",
        f"The tree of {size} events in the database is not the one that was signed. Its tables were changed. Nothing "
        "is signed, and no production restore starts. Run verify_ledger with the anchors to see what was changed.",
    )


def _whole_tree_is(tree: CompactRange) -> None:
    """Reads every leaf. Raises SealRefused."""
    whole = CompactRange()
    _read_on(whole, tree.size)
    if whole.root() != tree.root():
        raise _other_tree(tree.size)


def _read_on(tree: CompactRange, size: int) -> None:
    for each in leaf_hashes(tree.size, size):
        tree.append(each)
    if tree.size != size:
        raise _other_tree(size)


def leaf_hashes(begin: int, end: int) -> Iterator[bytes]:
    """As the sealer wrote them down, in the order of the tree."""
    for first in range(begin, end, _CHUNK):
        rows = LedgerLeaf.objects.filter(index__gte=first, index__lt=min(end, first + _CHUNK)).order_by("index")
        yield from (bytes(each) for each in rows.values_list("hash", flat=True))


def _newest_checkpoint() -> LedgerCheckpoint | None:
    return LedgerCheckpoint.objects.order_by("-size").first()


def _leaf_count() -> int:
    last: int | None = LedgerLeaf.objects.aggregate(last=Max("index"))["last"]
    return 0 if last is None else last + 1


def _try_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
