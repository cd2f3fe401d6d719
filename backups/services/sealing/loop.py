"""The life of a sealer process: wait for events, seal them, have the tree anchored, give a sign of life."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from backups.ledger.verifier.notes import Checkpoint
from backups.models.database_rules import SEAL_CHANNEL
from backups.models.sealing import AnchorReceipt, SealerHeartbeat, SealerRefusal
from backups.selectors.clock import database_now
from backups.services.execution.crash_points import crash_point
from backups.services.sealing.anchors import Anchor
from backups.services.sealing.errors import AnchorFailed, SealRefused
from backups.services.sealing.sealer import Sealer, newest_note

logger = logging.getLogger(__name__)

_REFUSED_PAUSE_SECONDS = 10.0
_BEAT_SECONDS = 2.0
_ANCHOR_LOCK = 5_802_107


@dataclass(slots=True)
class SealerLoop:
    """Runs until `stopping` is set. What fails is logged and tried again; a refusal is recorded and stays."""

    sealer: Sealer
    stopping: threading.Event = field(default_factory=threading.Event)
    _begun: bool = False
    _urgent: bool = True  # what was sealed before this process began may not be anchored yet
    _full_look_due: float = 0.0
    _anchor_due: float = 0.0
    _beat_due: float = 0.0
    _problems: dict[str, str] = field(default_factory=dict)
    _again_at: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._turn()
            except Exception:
                logger.exception("A round of sealing failed; it is tried again")
                self._begun = False
                connection.close()
                self.stopping.wait(settings.LEDGER_SEAL_SECONDS)
        connection.close()

    def _turn(self) -> None:
        try:
            if not self._begun:
                self._listen()
                self.sealer.begin()
                self._begun = True
            self.work()
        except SealRefused as refused:
            record_refusal_to_seal(refused)
            self._begun = False
            self.stopping.wait(_REFUSED_PAUSE_SECONDS)
            return
        self._urgent = self._wait() or self._urgent

    def work(self) -> None:
        """Seals everything that there is, then anchors if it is due. Raises SealRefused."""
        while True:
            full = time.monotonic() >= self._full_look_due
            done = self.sealer.seal(full=full)
            if full and not done.busy:
                self._full_look_due = time.monotonic() + settings.LEDGER_FULL_LOOK_SECONDS
            self._urgent = self._urgent or done.urgent
            if not done.more:
                break
        crash_point("seal_before_anchor")
        if self._urgent or time.monotonic() >= self._anchor_due:
            self._anchor()
        self._beat()

    def _anchor(self) -> None:
        for anchor in self.sealer.anchors:
            if time.monotonic() >= self._again_at.get(anchor.name, 0.0):
                self._hand_over(anchor)
        failed = [anchor for anchor in self.sealer.anchors if anchor.name in self._problems]
        self._urgent = any(anchor.rhythm.at_once for anchor in failed)  # what waits goes on waiting for these
        pause = settings.LEDGER_SEAL_SECONDS if failed else settings.LEDGER_ANCHOR_SECONDS
        self._anchor_due = time.monotonic() + pause

    def _hand_over(self, anchor: Anchor) -> None:
        """An anchor that failed, and that no act waits for, has a rest: its time-outs hold up the seal."""
        problem = have_it_kept(anchor, waiting=self._urgent)
        self._problems.pop(anchor.name, None)
        if problem:
            self._problems[anchor.name] = problem
            rest = anchor.rhythm.rest_seconds or settings.LEDGER_ANCHOR_RETRY_SECONDS
            pause = settings.LEDGER_SEAL_SECONDS if anchor.rhythm.at_once else rest
            self._again_at[anchor.name] = time.monotonic() + pause

    def _beat(self) -> None:
        if time.monotonic() < self._beat_due:
            return
        self._beat_due = time.monotonic() + _BEAT_SECONDS
        problem = " ".join(self._problems.values())[:300]
        SealerHeartbeat.objects.update_or_create(node=node_name(), defaults={"beat_at": Now(), "problem": problem})

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {SEAL_CHANNEL}")

    def _wait(self) -> bool:
        """Whether somebody asked for the seal before the time was over."""
        connection.ensure_connection()
        woken = connection.connection.notifies(timeout=settings.LEDGER_SEAL_SECONDS, stop_after=1)
        return any(True for _ in woken)


def have_it_kept(anchor: Anchor, *, waiting: bool = True) -> str:
    """Has the anchor take the newest checkpoint if it is due; returns what is wrong, or an empty text.

    Only the newest is ever handed over: that an anchor was taken without an event then shows that the event was not
    recorded yet. `waiting`: an act may be waiting for it. Of two sealers, one hands over to an anchor at a time.
    """
    if _due_for(anchor, waiting=waiting) is None:
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [_ANCHOR_LOCK, anchor.name])
        if not cursor.fetchone()[0]:
            return ""
        try:
            newest = _due_for(anchor, waiting=waiting)
            return _handed_over(anchor, newest) if newest else ""
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [_ANCHOR_LOCK, anchor.name])


def _due_for(anchor: Anchor, *, waiting: bool) -> Checkpoint | None:
    """The newest checkpoint, if the anchor is to take it now."""
    newest = newest_note()
    last = AnchorReceipt.objects.filter(anchor=anchor.name).order_by("-checkpoint_id").defer("evidence").first()
    if newest is None or (last is not None and last.checkpoint_id >= newest.size):
        return None
    last_at = last.taken_at if last else None
    return newest if anchor.rhythm.is_due(last=last_at, now=database_now(), waiting=waiting) else None


def _handed_over(anchor: Anchor, newest: Checkpoint) -> str:
    now = database_now()
    try:
        taken = anchor.take(newest, at=now)
    except AnchorFailed as failed:
        logger.warning("%s", failed)
        return str(failed)
    crash_point("seal_before_receipt")
    AnchorReceipt.objects.get_or_create(
        checkpoint_id=newest.size,
        anchor=anchor.name,
        defaults={
            "gates": anchor.gates,
            "reference": taken.reference,
            "day": anchor.rhythm.day(now),
            "evidence": taken.evidence,
        },
    )
    return ""


def record_refusal_to_seal(refused: SealRefused) -> None:
    """Once for each reason, until a person has resolved it; production restores wait as long as one is open."""
    logger.critical("The ledger is not sealed: %s", refused.sentence)
    with transaction.atomic():
        SealerRefusal.objects.get_or_create(
            code=refused.code, node=socket.gethostname(), resolved_at=None, defaults={"sentence": refused.sentence}
        )


def node_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
