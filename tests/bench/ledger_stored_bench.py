"""A ledger at rest: sealing, verifying and proving 1,000,000 events, exporting them, and the list over 2,000,000.

One filled database serves all of it, in a process of its own, because it needs Django. Each figure is printed as soon
as it is there. BENCH_EVENTS and BENCH_LISTED set other numbers.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from tests.bench import ledger_export_bench, ledger_list_bench
from tests.bench.ledger_filling import LISTED, ORIGIN, STORED, Portal, fill, portal_database, sealer_loop

FEW = 1000
PROOFS = 200


def figures() -> Iterator[dict[str, Any]]:
    """Measured by `python -m tests.bench.ledger_stored_bench`."""
    command = [sys.executable, "-m", "tests.bench.ledger_stored_bench"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        for line in running.stdout or ():
            yield json.loads(line)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)


def _measure() -> Iterator[dict[str, Any]]:
    with portal_database() as portal:
        dana = ledger_list_bench.browser()
        fill(portal, 1, FEW)
        small = ledger_list_bench.p95(dana, {})
        generated = _seconds(lambda: fill(portal, FEW + 1, STORED))
        yield _sealed(portal, generated)
        yield from _verified(portal)
        yield _proven(portal)
        yield from ledger_export_bench.figures(portal)
        fill(portal, STORED + 1, LISTED)
        yield from ledger_list_bench.figures(dana, small, count=LISTED)


def _sealed(portal: Portal, generated: float) -> dict[str, Any]:
    loop = sealer_loop(portal)
    seconds = _seconds(loop.work)
    against = f"generated in the database, with their indexes: {generated:.1f} s"
    return _figure(f"{STORED} stored events sealed", seconds, against, 120 * STORED / 1e6, ratio=seconds / generated)


def _verified(portal: Portal) -> Iterator[dict[str, Any]]:
    """As verify_ledger does it: first what an auditor without the database checks too, then everything."""
    from backups.domain.people import command_actor
    from backups.ledger.signer import Signer
    from backups.ledger.verifier.log import VERIFIED
    from backups.services.sealing.verify import check_log, verify_database
    from tests.ledger.sample_log import SIGNER

    asked: dict[str, Any] = {"keys": [Signer(ORIGIN, SIGNER.seed).verifier_key], "anchor_directories": [portal.anchors]}
    bare = _seconds(lambda: _hashed(portal.url))
    against = f"the same events read and hashed, and nothing else: {bare:.2f} s"
    # Seconds for a million. The second goal is ours, the first is the specification's.
    checks: dict[str, tuple[Callable[[], Any], float]] = {
        "hash, tree, signatures": (lambda: check_log(**asked), 20),
        "the same, with their columns, words and what is unsealed": (
            lambda: verify_database(**asked, actor=command_actor("bench")),
            40,
        ),
    }
    for name, (check, goal) in checks.items():
        began = time.monotonic()
        report = check()
        seconds = time.monotonic() - began
        if report.status != VERIFIED or report.anchored < STORED:
            raise AssertionError(report.lines())
        what = f"{STORED} stored events verified: {name}"
        yield _figure(what, seconds, against, goal * STORED / 1e6, ratio=seconds / bare)


def _hashed(url: str) -> None:
    with psycopg.connect(url) as web, web.cursor("bodies") as cursor:
        cursor.itersize = 20_000
        cursor.execute("SELECT body FROM backups_ledgerevent")
        for (body,) in cursor:
            hashlib.sha256(b"\x00" + body.encode()).digest()


def _proven(portal: Portal) -> dict[str, Any]:
    """Of events all over the log, one after the other, as the page of an event has it made."""
    from backups.models import LedgerLeaf
    from backups.services.sealing.proof import proof_of

    places = range(0, STORED, STORED // PROOFS)
    ids = list(LedgerLeaf.objects.filter(index__in=places).order_by("hash").values_list("event_id", flat=True))
    proof_of(ids[0])
    proven = _p95([_seconds(partial(proof_of, event_id)) for event_id in ids])
    with psycopg.connect(portal.url, autocommit=True) as web:
        bare = _p95([_seconds(partial(_read, web, event_id)) for event_id in ids])
    return _figure(
        f"proof of one event of {STORED} (p95)", proven, f"its event read by its key: {bare:.4f} s", 0.01,
        ratio=proven / bare,
    )  # fmt: skip


def _read(web: psycopg.Connection[Any], event_id: UUID) -> None:
    web.execute("SELECT body FROM backups_ledgerevent WHERE id = %s", [event_id]).fetchone()


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95) - 1]


def _seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _figure(name: str, value: float, against: str, goal: float, *, ratio: float) -> dict[str, Any]:
    return {
        "bench": f"ledger: {name}",
        "value": round(value, 4),
        "unit": "s",
        "against": against,
        "ratio": round(ratio, 2),
        "goal": goal,
        "met": value <= goal,
    }


if __name__ == "__main__":
    for one in _measure():
        sys.stdout.write(json.dumps(one) + "\n")
        sys.stdout.flush()
