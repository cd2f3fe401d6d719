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
    _problem: str = ""

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
        problems = [problem for anchor in self.sealer.anchors if (problem := have_it_kept(anchor))]
        self._problem = " ".join(problems)
        self._urgent = False
        pause = settings.LEDGER_SEAL_SECONDS if problems else settings.LEDGER_ANCHOR_SECONDS
        self._anchor_due = time.monotonic() + pause

    def _beat(self) -> None:
        if time.monotonic() < self._beat_due:
            return
        self._beat_due = time.monotonic() + _BEAT_SECONDS
        SealerHeartbeat.objects.update_or_create(
            node=node_name(), defaults={"beat_at": Now(), "problem": self._problem[:300]}
        )

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {SEAL_CHANNEL}")

    def _wait(self) -> bool:
        """Whether somebody asked for the seal before the time was over."""
        connection.ensure_connection()
        woken = connection.connection.notifies(timeout=settings.LEDGER_SEAL_SECONDS, stop_after=1)
        return any(True for _ in woken)


def have_it_kept(anchor: Anchor) -> str:
    """Has the anchor take the newest checkpoint, unless it has; returns what is wrong, or an empty text.

    Only the newest is ever handed over: that an anchor was taken without an event then shows that the event was not
    recorded yet.
    """
    newest = newest_note()
    if newest is None or AnchorReceipt.objects.filter(checkpoint_id=newest.size, anchor=anchor.name).exists():
        return ""
    try:
        reference = anchor.take(newest, at=database_now())
    except AnchorFailed as failed:
        logger.warning("%s", failed)
        return str(failed)
    crash_point("seal_before_receipt")
    AnchorReceipt.objects.get_or_create(
        checkpoint_id=newest.size, anchor=anchor.name, defaults={"gates": anchor.gates, "reference": reference}
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
