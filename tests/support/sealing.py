"""A sealer inside of the test: its own role, key, memory and an anchor beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import transaction

from backups.domain.ledger import Target
from backups.domain.people import Actor, ActorKind
from backups.ledger.signer import Signer, new_signer
from backups.models import LedgerEvent
from backups.services.ledger import record_event
from backups.services.sealing.anchors import DirectoryAnchor
from backups.services.sealing.keys import KeyRing, remember_key
from backups.services.sealing.loop import SealerLoop
from backups.services.sealing.memory import Memory
from backups.services.sealing.sealer import Sealer
from tests.ledger.sample_log import ORIGIN
from tests.support.database import OwnDatabase, point_django_at

BOB = Actor(kind=ActorKind.HUMAN, name="bob", user_id=7)
REQUEST = Target(kind="restore_request", id="R-0007")


def comment(text: str = "") -> LedgerEvent:
    """One event, committed."""
    with transaction.atomic():
        return record_event(type="request.commented", actor=BOB, target=REQUEST, details={}, text=text)


@dataclass
class SealedPortal:
    """A portal with one sealer. Django is connected as the web role but within `as_sealer`."""

    database: OwnDatabase
    directory: Path
    signer: Signer

    @property
    def anchor(self) -> DirectoryAnchor:
        return DirectoryAnchor(self.directory / "anchors", gates=True)

    def sealer(self, *, memory: str = "state") -> Sealer:
        keys = KeyRing(signer=self.signer, file=None, known=remember_key(self.signer.verifier_key))
        return Sealer(keys=keys, memory=Memory(self.directory / memory), anchors=[self.anchor])

    @contextmanager
    def as_sealer(self) -> Iterator[None]:
        point_django_at(self.database.sealer_url)
        try:
            yield
        finally:
            point_django_at(self.database.url)

    def seal(self, *, memory: str = "state") -> None:
        """As a sealer process that starts, works once, and ends."""
        with self.as_sealer():
            sealer = self.sealer(memory=memory)
            sealer.begin()
            SealerLoop(sealer).work()

    def as_superuser(self, *statements: str | tuple[object, ...]) -> None:
        """Without the triggers, as somebody does it who owns the server."""
        with psycopg.connect(self.database.superuser_url, autocommit=True) as administrator:
            for table in ("ledgerevent", "ledgerleaf", "ledgernode", "ledgercheckpoint", "anchorreceipt", "freetext"):
                administrator.execute(f"ALTER TABLE backups_{table} DISABLE TRIGGER ALL".encode())
            # The one that fills the columns serves whoever writes a forged event.
            administrator.execute("ALTER TABLE backups_ledgerevent ENABLE ALWAYS TRIGGER event_columns")
            for statement in statements:
                text, *parameters = (statement,) if isinstance(statement, str) else statement
                administrator.execute(str(text).encode(), parameters or None)


@pytest.fixture
def portal(own_database: OwnDatabase, tmp_path: Path, settings: Any) -> SealedPortal:
    settings.LEDGER_ORIGIN = ORIGIN
    settings.LEDGER_STATE_DIR = tmp_path / "state"
    (tmp_path / "anchors").mkdir()
    return SealedPortal(own_database, tmp_path, new_signer(ORIGIN))
