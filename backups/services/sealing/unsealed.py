"""What the sealer reads and writes for each event: those without a leaf, and their leaves.

Both are made for a backlog of millions: what a batch costs does not depend on how many leaves there are.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from backups.ledger.verifier.merkle import HASH_BYTES


class UnsealedEvent(NamedTuple):
    """`recorded_at` is PostgreSQL's text of it: nobody reads it but PostgreSQL."""

    id: UUID
    body: str
    type: str
    recorded_at: str


# Along ledger_newest, asking for each event whether it has a leaf. Left to itself, PostgreSQL hashes all leaves anew
# for each batch, because it believes that few events are without one.
_ONE_BY_ONE = """
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true)
"""
_UNSEALED = """
SELECT event.id, event.body, event.type, event.recorded_at::text FROM backups_ledgerevent event
 WHERE event.recorded_at >= %s::timestamptz
   AND NOT EXISTS (SELECT FROM backups_ledgerleaf leaf WHERE leaf.event_id = event.id)
 ORDER BY event.recorded_at, event.id LIMIT %s
"""


def unsealed_events(*, since: dt.datetime | str | None, limit: int) -> list[UnsealedEvent]:
    """The oldest events without a leaf that were recorded at that time or later; None: at any time."""
    with connection.cursor() as cursor:
        cursor.execute(_ONE_BY_ONE)
        cursor.execute(_UNSEALED, [since or "-infinity", limit])
        return [UnsealedEvent(*row) for row in cursor.fetchall()]


# The binary form of COPY: a header, then for each row its number of fields and each field after its length. Written by
# hand, because it costs a tenth of handing over arrays.
_COPY = "COPY backups_ledgerleaf (index, event_id, hash) FROM STDIN (FORMAT BINARY)"
_HEADER, _END = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0), struct.pack(">h", -1)
_LEAF = struct.Struct(f">hiqi16si{HASH_BYTES}s")


def insert_leaves(first: int, ids: Sequence[UUID], hashes: Sequence[bytes]) -> None:
    """Leaves with the places from `first` on."""
    rows = (_LEAF.pack(3, 8, first + at, 16, ids[at].bytes, HASH_BYTES, each) for at, each in enumerate(hashes))
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(b"".join((_HEADER, *rows, _END)))
