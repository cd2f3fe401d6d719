"""The auditor's list of events over 2,000,000 of them: the whole page, through Django's test client, as Dana.

In a process of its own, because it needs Django and a database. BENCH_LISTED sets another number of events.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import subprocess
import sys
import time
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

STORED = int(os.environ.get("BENCH_LISTED", "2000000"))
FEW = 1000
LOADS = 20
GOAL_SECONDS = 0.15

# How many of a hundred events are of the type.
_TYPES = {
    "neon.call": 30, "notification.sent": 10, "execution.step_finished": 10, "access.login": 8, "ledger.read": 8,
    "request.opened": 6, "execution.check": 6, "system.heartbeat": 6, "request.voted": 4, "request.submitted": 4,
    "access.refused": 2, "finding.opened": 2, "drill.verified": 2, "policy.changed": 1, "secret.changed": 1,
}  # fmt: skip
# The numbers a, b and c are three dice for each event. Without triggers and indexes, which are made afterwards.
_FILL = """
SET session_replication_role = replica;
WITH drawn AS (
    SELECT gen_random_uuid() AS id,
           to_char((now() AT TIME ZONE 'UTC') - number * interval '15 s', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
           ({types}::text[])[1 + (hashint8(number) & 65535) % 100] AS type,
           hashint8(number + 10000019) & 65535 AS b, hashint8(number + 20000003) & 65535 AS c
      FROM generate_series({first}::bigint, {last}::bigint) AS number
), told AS (
    SELECT *, split_part(type, '.', 1) AS family,
           split_part(type, '.', 1) IN ('neon', 'execution', 'notification', 'system', 'finding') AS by_portal
      FROM drawn
)
INSERT INTO backups_ledgerevent (id, actor_name, body)
SELECT id, CASE WHEN by_portal THEN 'worker' ELSE 'person' || b % 40 END, jsonb_build_object(
    'v', 'ccops.audit/1', 'id', id, 'type', type, 'time', at, 'rec', at,
    'env', CASE WHEN family IN ('access', 'ledger', 'system') THEN 'portal' WHEN c % 10 = 0 THEN 'sandbox'
                ELSE 'real' END,
    'actor', CASE WHEN by_portal
        THEN jsonb_build_object('id', 'system:worker', 'kind', 'system', 'roles', '[]'::jsonb)
        ELSE jsonb_build_object('id', 'user:' || b % 40, 'kind', 'human', 'sess', 'hmac:' || md5(b::text), 'roles',
            jsonb_build_array(('{{engineer,manager,auditor,administrator}}'::text[])[1 + b % 4])) END,
    'src', jsonb_build_object('req', gen_random_uuid()),
    'target', CASE family
        WHEN 'neon' THEN jsonb_build_object('kind', 'project', 'id', 'project-' || b % 20, 'proj', 'project-' || b % 20)
        WHEN 'access' THEN jsonb_build_object('kind', 'account', 'id', 'user:' || b % 40)
        WHEN 'system' THEN jsonb_build_object('kind', 'portal', 'id', 'portal')
        ELSE jsonb_build_object('kind', 'restore_request', 'id', 'R-' || b % 20000) END,
    'out', jsonb_build_object('s', CASE WHEN c % 100 < 95 THEN 'success' WHEN c % 100 < 97 THEN 'failure'
                                        WHEN c % 100 < 99 THEN 'denied' ELSE 'unknown' END),
    'corr', jsonb_build_object('wf', 'R-' || b % 20000),
    'data', jsonb_build_object('call_id', gen_random_uuid(), 'duration_ms', c, 'method', 'GET', 'status', 200)
)::text FROM told
"""


def figures() -> list[dict[str, Any]]:
    """Measured by `python -m tests.bench.ledger_list_bench`."""
    command = [sys.executable, "-m", "tests.bench.ledger_list_bench"]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=3600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _measure() -> list[dict[str, Any]]:
    from neon_sandbox.testing import running_postgres, temporary_state_dir

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    with (
        temporary_state_dir(on_disk=True) as directory,
        running_postgres("portal", state_dir=directory / "state") as server,
    ):
        url = server.url("portal")
        dana = set_up(url)
        fill(url, 1, FEW)
        small = _p95(dana, {})
        fill(url, FEW + 1, STORED)
        return [_figure(name, _p95(dana, asked), small) for name, asked in _questions().items()]


def set_up(url: str) -> Any:
    """The portal's tables, and Dana's browser."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.test import Client

    from tests.factories import person
    from tests.support.database import point_django_at

    point_django_at(url)
    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(person("dana").user)
    return client


def fill(url: str, first: int, last: int) -> None:
    """Events 15 seconds apart, the first the newest; their indexes are made after they are in."""
    types = [name for name, share in _TYPES.items() for _ in range(share)]
    with psycopg.connect(url, autocommit=True) as owner:
        made = owner.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'backups_ledgerevent' "
            "AND indexname LIKE 'ledger\\_%'"
        ).fetchall()
        for name, _ in made:
            owner.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        owner.execute(sql.SQL(_FILL).format(types=types, first=first, last=last))
        for _, definition in made:
            owner.execute(definition)
        owner.execute("VACUUM ANALYZE backups_ledgerevent")


def _questions() -> dict[str, dict[str, str]]:
    now = dt.datetime.now(dt.UTC)
    day = {f"recorded_{end}": f"{now - dt.timedelta(days=days):%Y-%m-%d}" for end, days in (("from", 101), ("to", 100))}
    deep = now - dt.timedelta(days=200)
    return {
        "all events": {},
        "a page far down": {"older": f"{deep:%Y-%m-%dT%H:%M:%S.%fZ}_{UUID(int=0)}"},
        "a person": {"actor_ref": "user:3"},
        "a role at that time": {"role": "auditor"},
        "a kind of target": {"target_kind": "project"},
        "one target": {"target_kind": "restore_request", "target_id": "R-77"},
        "a type": {"type": "neon.call"},
        "a family of types": {"type": "request."},
        "an outcome": {"outcome": "denied"},
        "a world": {"world": "sandbox"},
        "two days": day,
        "a run": {"correlation": "R-77"},
        "a web request": {"web_request": str(UUID(int=7))},
        "an id, searched for": {"q": "R-77"},
        "a word that is nowhere": {"q": "nothing-like-it"},
        "person and type": {"actor_ref": "user:3", "type": "request.voted"},
        "person and type that never meet": {"actor_ref": "user:3", "type": "neon.call"},
        "role and family that never meet": {"role": "auditor", "type": "neon."},
        "kind, family and outcome that never meet": {
            "target_kind": "account", "type": "request.", "outcome": "denied",
        },
        "role, family and outcome": {"role": "manager", "type": "request.", "outcome": "failure"},
        "person, days, evidence": day | {"actor_ref": "user:3", "world": "real"},
    }  # fmt: skip


def _p95(client: Any, asked: dict[str, str]) -> float:
    _load(client, asked)
    times = sorted(_load(client, asked) for _ in range(LOADS))
    return times[math.ceil(LOADS * 0.95) - 1]


def _load(client: Any, asked: dict[str, str]) -> float:
    from django.urls import reverse

    began = time.monotonic()
    answer = client.get(reverse("admin:backups_ledgerevent_changelist"), asked)
    seconds = time.monotonic() - began
    if answer.status_code != 200:
        raise AssertionError(f"{asked}: {answer.status_code}")
    return seconds


def _figure(name: str, value: float, small: float) -> dict[str, Any]:
    return {
        "bench": f"ledger list of {STORED} events: {name} (p95)",
        "value": round(value, 4),
        "unit": "s",
        "against": f"all events where there are {FEW}: {small:.4f} s",
        "ratio": round(value / small, 2),
        "goal": GOAL_SECONDS,
        "met": value <= GOAL_SECONDS,
    }


if __name__ == "__main__":
    for one in _measure():
        sys.stdout.write(json.dumps(one) + "\n")
