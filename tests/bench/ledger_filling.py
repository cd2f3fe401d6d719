"""A portal's database for the benches of the ledger, and as many varied events in it as one asks for.

PostgreSQL has its own default settings, not those of the small test clusters, but for fsync, which is off: the benches
measure processors and not the disk of the machine that they happen to run on. Commits are synchronous.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

#: Events at rest for sealing, verifying, proving and exporting; the list has LISTED of them.
STORED = int(os.environ.get("BENCH_EVENTS", "1000000"))
LISTED = int(os.environ.get("BENCH_LISTED", "2000000"))
ORIGIN = "bench.example/log"

_DEFAULTS = {
    "shared_buffers": "128MB", "wal_buffers": "4MB", "min_wal_size": "80MB", "max_wal_size": "1GB",
    "max_worker_processes": "8", "full_page_writes": "on", "synchronous_commit": "on",
}  # fmt: skip

# How many of a hundred events are of the type.
_TYPES = {
    "neon.call": 30, "notification.sent": 10, "execution.step_finished": 10, "access.login": 8, "ledger.read": 8,
    "request.opened": 6, "execution.check": 6, "system.heartbeat": 6, "request.voted": 4, "request.submitted": 4,
    "access.refused": 2, "finding.opened": 2, "drill.verified": 2, "policy.changed": 1, "secret.changed": 1,
}  # fmt: skip

# The numbers a, b and c are three dice for each event. Members in the order of their names, as in the canonical form.
# As a replica, so that old times are taken; the trigger that fills the columns is always on.
_FILL = """
SET session_replication_role = replica;
WITH drawn AS (
    SELECT md5(number::text) AS chance, now() - ({listed} - number) * interval '15 s' AS moment,
           ({types}::text[])[1 + (hashint8(number) & 65535) % 100] AS type,
           hashint8(number + 10000019) & 65535 AS b, hashint8(number + 20000003) & 65535 AS c
      FROM generate_series({first}::bigint, {last}::bigint) AS number
), told AS (
    SELECT *, to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
           (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7' || substr(chance, 1, 3) || '8'
            || substr(chance, 4, 15))::uuid AS id,
           split_part(type, '.', 1) AS family,
           split_part(type, '.', 1) IN ('neon', 'execution', 'notification', 'system', 'finding') AS by_portal
      FROM drawn
)
INSERT INTO backups_ledgerevent (id, actor_name, body)
SELECT id, CASE WHEN by_portal THEN 'worker' ELSE 'person' || b % 40 END, concat(
    '{{"actor":', CASE WHEN by_portal THEN '{{"id":"system:worker","kind":"system","roles":[]}}'
        ELSE concat('{{"id":"user:', b % 40, '","kind":"human","roles":["',
            ('{{engineer,manager,auditor,administrator}}'::text[])[1 + b % 4], '"],"sess":"hmac:', md5(b::text), '"}}')
        END,
    ',"corr":{{"wf":"R-', b % 20000, '"}},"data":{{"call_id":"', overlay(id::text PLACING 'c' FROM 36),
    '","duration_ms":', c, ',"method":"GET","status":200}},"env":"',
    CASE WHEN family IN ('access', 'ledger', 'system') THEN 'portal' WHEN c % 10 = 0 THEN 'sandbox' ELSE 'real' END,
    '","id":"', id, '","out":{{"s":"',
    CASE WHEN c % 100 < 95 THEN 'success' WHEN c % 100 < 97 THEN 'failure' WHEN c % 100 < 99 THEN 'denied'
         ELSE 'unknown' END,
    '"}},"rec":"', at, '","src":{{"req":"', overlay(id::text PLACING 'r' FROM 36), '"}},"target":{{', CASE family
        WHEN 'neon' THEN concat('"id":"project-', b % 20, '","kind":"project","proj":"project-', b % 20, '"')
        WHEN 'access' THEN concat('"id":"user:', b % 40, '","kind":"account"')
        WHEN 'system' THEN '"id":"portal","kind":"portal"'
        ELSE concat('"id":"R-', b % 20000, '","kind":"restore_request"') END,
    '}},"time":"', at, '","type":"', type, '","v":"ccops.audit/1"}}') FROM told
"""


@dataclass(frozen=True)
class Portal:
    """`url`: as the owner of the database. `directory`: the sealer's memory, anchors, exports."""

    url: str
    directory: Path

    @property
    def anchors(self) -> Path:
        return self.directory / "anchors"


@contextmanager
def portal_database() -> Iterator[Portal]:
    """An empty portal. Django is connected to it."""
    from neon_sandbox.plain import running_plain_postgres
    from neon_sandbox.testing import temporary_state_dir

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    with (
        temporary_state_dir(on_disk=True) as state,
        running_plain_postgres(state / "state", databases=("portal",), settings=_DEFAULTS) as server,
        tempfile.TemporaryDirectory(prefix="bench-ledger-") as directory,
    ):
        portal = Portal(server.url("portal"), Path(directory))
        portal.anchors.mkdir()
        connect_django(portal)
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield portal


def connect_django(portal: Portal) -> None:
    """Has this process work as that portal."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.conf import settings

    from tests.support.database import point_django_at

    settings.LEDGER_ORIGIN = ORIGIN
    settings.LEDGER_STATE_DIR = portal.directory / "state"
    settings.LEDGER_EXPORT_DIR = portal.directory / "exports"
    point_django_at(portal.url)


def sealer_loop(portal: Portal) -> Any:
    """A sealer of this portal that has begun, with a directory as its anchor."""
    from backups.ledger.signer import Signer
    from backups.services.sealing.anchors import DirectoryAnchor
    from backups.services.sealing.keys import KeyRing, remember_key
    from backups.services.sealing.loop import SealerLoop
    from backups.services.sealing.memory import Memory
    from backups.services.sealing.sealer import Sealer
    from tests.ledger.sample_log import SIGNER

    signer = Signer(ORIGIN, SIGNER.seed)
    anchor = DirectoryAnchor(portal.anchors, gates=True)
    keys = KeyRing(signer=signer, file=None, known=remember_key(signer.verifier_key))
    sealer = Sealer(keys=keys, memory=Memory(portal.directory / "state"), anchors=[anchor])
    sealer.begin()
    return SealerLoop(sealer)


def fill(portal: Portal, first: int, last: int) -> None:
    """Events 15 seconds apart, number LISTED being of now. By two connections; the indexes are made afterwards."""
    with psycopg.connect(portal.url, autocommit=True) as owner:
        made = owner.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'backups_ledgerevent' "
            "AND indexname LIKE 'ledger\\_%'"
        ).fetchall()
        for name, _ in made:
            owner.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        middle = (first + last) // 2
        other = threading.Thread(target=_insert, args=(portal.url, middle + 1, last))
        other.start()
        _insert(portal.url, first, middle)
        other.join()
        owner.execute("SET maintenance_work_mem = '256MB'")
        for _, definition in made:
            owner.execute(definition)
        owner.execute("VACUUM ANALYZE backups_ledgerevent")


def _insert(url: str, first: int, last: int) -> None:
    types = [name for name, share in _TYPES.items() for _ in range(share)]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(sql.SQL(_FILL).format(types=types, first=first, last=last, listed=LISTED))
