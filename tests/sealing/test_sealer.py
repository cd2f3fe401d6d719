"""The sealer: every committed event gets one place, a death loses nothing, a set-back database is noticed."""

from __future__ import annotations

import ast
import datetime as dt
import multiprocessing
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from psycopg import sql

from backups.ledger.verifier.merkle import leaf_hash, root_of
from backups.ledger.verifier.notes import Checkpoint, parse_checkpoint, trusted_checkpoint
from backups.models import AnchorReceipt, LedgerCheckpoint, LedgerEvent, LedgerLeaf, LedgerNode, SealerRefusal
from backups.selectors.clock import database_now
from backups.services.ledger import record_event
from backups.services.sealing import anchors, sealer
from backups.services.sealing.errors import AnchorFailed, SealRefused
from backups.services.sealing.loop import SealerLoop, record_refusal_to_seal
from tests.support.sealing import BOB, REQUEST, SealedPortal, comment


def every_event_is_sealed_once() -> int:
    """The number of events, which are also the leaves, with indices without a gap, under a root that is theirs."""
    bodies = dict(LedgerEvent.objects.values_list("pk", "body"))
    leaves = list(LedgerLeaf.objects.order_by("index").values_list("index", "event_id", "hash"))
    assert [index for index, _, _ in leaves] == list(range(len(bodies)))
    assert {event for _, event, _ in leaves} == bodies.keys()
    hashes = [bytes(each) for _, _, each in leaves]
    assert hashes == [leaf_hash(bodies[event].encode()) for _, event, _ in leaves]
    for checkpoint in LedgerCheckpoint.objects.all():
        assert bytes(checkpoint.root) == root_of(hashes[: checkpoint.size])
        assert parse_checkpoint(checkpoint.note).root == bytes(checkpoint.root)
    newest = LedgerCheckpoint.objects.last()
    assert (newest.size if newest else 0) == len(bodies)
    return len(bodies)


def test_events_get_their_place_a_signature_and_an_anchor(portal: SealedPortal):
    comment()
    comment("with words")
    portal.seal()
    assert every_event_is_sealed_once() == 2
    newest = LedgerCheckpoint.objects.get()
    checkpoint = trusted_checkpoint(newest.note, [portal.signer.verifier_key])
    assert checkpoint.origin == portal.signer.name
    receipt = AnchorReceipt.objects.get()
    assert (receipt.checkpoint_id, receipt.gates) == (2, True)
    assert (portal.anchor.path / receipt.reference).read_text() == newest.note


def test_the_tree_grows_and_every_checkpoint_stays_true(portal: SealedPortal):
    for _ in range(4):
        comment()
        portal.seal()
    assert every_event_is_sealed_once() == 4
    assert LedgerCheckpoint.objects.count() == 4


def test_without_a_new_event_nothing_is_signed(portal: SealedPortal):
    portal.seal()
    assert not LedgerCheckpoint.objects.exists()
    comment()
    portal.seal()
    portal.seal()
    assert LedgerCheckpoint.objects.count() == 1


def test_an_event_that_commits_late_is_sealed_all_the_same(portal: SealedPortal, monkeypatch: pytest.MonkeyPatch):
    """Its id and its time are older than those that were sealed before it."""
    begun, go_on = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            record_event(type="request.commented", actor=BOB, target=REQUEST)
            begun.set()
            go_on.wait(10)
        connection.close()

    writer = threading.Thread(target=late)
    writer.start()
    begun.wait(10)
    comment()
    with portal.as_sealer():
        one = portal.sealer()
        one.begin()
        assert one.seal().sealed == 1
        go_on.set()
        writer.join()
        assert one.seal().sealed == 1
    assert every_event_is_sealed_once() == 2


def test_what_a_transaction_held_for_long_is_found_at_the_next_late_look(
    portal: SealedPortal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sealer, "_NEAR_SECONDS", -3600)  # as if the event had been recorded an hour ago
    comment()
    one = portal.sealer()
    with portal.as_sealer():
        one.begin()
        assert one.seal().sealed == 1
    comment()
    with portal.as_sealer():
        monkeypatch.setattr(sealer, "_LATE_LOOK_SECONDS", 3600)
        assert one.seal().sealed == 0
        monkeypatch.setattr(sealer, "_LATE_LOOK_SECONDS", 0)
        assert one.seal().sealed == 1
    assert every_event_is_sealed_once() == 2


def test_an_event_that_comes_later_than_any_can_is_found_at_the_full_look(portal: SealedPortal):
    comment()
    with portal.as_sealer():
        one = portal.sealer()
        one.begin()
        one._known_from = database_now() + dt.timedelta(hours=1)
        assert one.seal().sealed == 0
        assert one.seal(full=True).sealed == 1


def test_a_large_backlog_is_sealed_in_batches(portal: SealedPortal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sealer, "BATCH", 3)
    monkeypatch.setattr(sealer, "KEPT_LEVELS", frozenset({1, 2}))
    for _ in range(10):
        comment()
    portal.seal()
    assert every_event_is_sealed_once() == 10
    assert [checkpoint.size for checkpoint in LedgerCheckpoint.objects.all()] == [3, 6, 9, 10]
    hashes = [bytes(each) for each in LedgerLeaf.objects.order_by("index").values_list("hash", flat=True)]
    nodes = {(node.level, node.position): bytes(node.hash) for node in LedgerNode.objects.all()}
    assert nodes == {
        (level, at): root_of(hashes[at << level : (at + 1) << level]) for level in (1, 2) for at in range(10 >> level)
    }
    assert AnchorReceipt.objects.get().checkpoint_id == 10, "only the newest is anchored"


def test_an_event_that_commits_late_into_a_backlog_is_sealed_in_the_round_after_it(
    portal: SealedPortal, monkeypatch: pytest.MonkeyPatch
):
    """The rounds of a backlog do not look back, so the round after it does."""
    monkeypatch.setattr(sealer, "BATCH", 2)
    begun, go_on = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            record_event(type="request.commented", actor=BOB, target=REQUEST)
            begun.set()
            go_on.wait(10)
        connection.close()

    writer = threading.Thread(target=late)
    writer.start()
    begun.wait(10)
    for _ in range(5):
        comment()
    with portal.as_sealer():
        one = portal.sealer()
        one.begin()
        assert [one.seal().sealed, one.seal().sealed] == [2, 2]
        go_on.set()
        writer.join()
        assert [one.seal().sealed, one.seal().sealed, one.seal().sealed] == [1, 1, 0]
    assert every_event_is_sealed_once() == 6


def test_two_sealers_take_turns(portal: SealedPortal):
    for turn in range(6):
        comment()
        portal.seal(memory=f"state-{turn % 2}" if turn else "state-0")
        if not turn:
            other = portal.directory / "state-1"
            other.mkdir()
            (other / "sealed.json").write_bytes((portal.directory / "state-0" / "sealed.json").read_bytes())
    assert every_event_is_sealed_once() == 6


def test_a_sealer_that_begins_while_another_goes_on_takes_that_for_no_set_back(
    portal: SealedPortal, monkeypatch: pytest.MonkeyPatch
):
    """The other one has a further event kept just before the anchor answers."""
    comment()
    portal.seal()
    shutil.copytree(portal.directory / "state", portal.directory / "other")
    comment()
    asked = anchors.DirectoryAnchor.newest
    others: list[sealer.Sealer] = []

    def after_another_went_on(anchor: anchors.DirectoryAnchor) -> Checkpoint | None:
        if not others:
            others.append(portal.sealer(memory="other"))
            others[0].begin()
            SealerLoop(others[0]).work()
        return asked(anchor)

    monkeypatch.setattr(anchors.DirectoryAnchor, "newest", after_another_went_on)
    with portal.as_sealer():
        portal.sealer().begin()
    assert every_event_is_sealed_once() == 2


def test_a_sealer_leaves_at_once_when_another_is_at_it(portal: SealedPortal):
    comment()
    with portal.as_sealer(), psycopg.connect(portal.database.superuser_url) as other:
        one = portal.sealer()
        one.begin()
        other.execute("SELECT pg_advisory_xact_lock(%s)", [sealer._LOCK])
        assert one.seal().busy
    portal.seal()
    assert every_event_is_sealed_once() == 1


CRASH_POINTS = [
    "seal_before_checkpoint",
    "seal_before_commit",
    "seal_before_memory",
    "seal_after_memory",
    "seal_before_anchor",
    "seal_before_receipt",
]


def test_every_place_to_die_at_is_tried():
    calls = (
        node
        for source in Path(str(sealer.__file__)).parent.glob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crash_point"
    )
    assert sorted(ast.literal_eval(call.args[0]) for call in calls) == sorted(CRASH_POINTS)


@pytest.mark.parametrize("place", CRASH_POINTS)
@pytest.mark.parametrize("sealed_before", [False, True], ids=["at the first seal", "later"])
def test_a_death_loses_nothing(portal: SealedPortal, monkeypatch: pytest.MonkeyPatch, place: str, sealed_before: bool):
    if sealed_before:
        comment()
        portal.seal()
    comment()
    comment()
    with monkeypatch.context() as patched:
        patched.setenv("CRASH_AT", place)
        assert exit_status_of(portal.seal) == -signal.SIGKILL
    comment()
    portal.seal()
    assert every_event_is_sealed_once() == 3 + sealed_before
    assert AnchorReceipt.objects.filter(checkpoint__size=3 + sealed_before).exists()
    assert not SealerRefusal.objects.exists()


def exit_status_of(act: Callable[[], None]) -> int | None:
    """In a process of its own, which is killed; then the server has ended what it left open."""
    connections.close_all()
    process = multiprocessing.get_context("fork").Process(target=act)
    process.start()
    process.join(60)
    with connection.cursor() as cursor:
        # A sealer of the next moment would find the lock of the dead one and leave the round to it.
        cursor.execute("SELECT pg_advisory_lock(%s), pg_advisory_unlock(%s)", [sealer._LOCK, sealer._LOCK])
    return process.exitcode


# --- What it must not sign -------------------------------------------------------------------------------------


def refusal_of(portal: SealedPortal, **options: Any) -> str:
    with pytest.raises(SealRefused) as refused:
        portal.seal(**options)
    return refused.value.code


def test_a_database_that_was_set_back_is_not_signed(portal: SealedPortal):
    for _ in range(3):
        comment()
        portal.seal()
    portal.as_superuser(
        "DELETE FROM backups_anchorreceipt",
        "DELETE FROM backups_ledgercheckpoint WHERE size > 2",
        "DELETE FROM backups_ledgerleaf WHERE index >= 2",
    )
    comment()
    assert refusal_of(portal) == "set_back"
    assert LedgerCheckpoint.objects.count() == 2


def test_a_set_back_is_noticed_by_a_running_sealer_too(portal: SealedPortal):
    comment()
    with portal.as_sealer():
        one = portal.sealer()
        one.begin()
        one.seal()
        portal.as_superuser(
            "TRUNCATE backups_anchorreceipt, backups_ledgercheckpoint, backups_ledgerleaf, backups_ledgernode"
        )
        with pytest.raises(SealRefused, match="holds 0 sealed events, but 1 were signed"):
            one.seal()


def test_a_set_back_of_database_and_memory_is_noticed_by_the_anchor(portal: SealedPortal):
    comment()
    portal.seal()
    before = (portal.directory / "state" / "sealed.json").read_bytes()
    comment()
    portal.seal()
    portal.as_superuser(
        "DELETE FROM backups_anchorreceipt",
        "DELETE FROM backups_ledgercheckpoint WHERE size > 1",
        "DELETE FROM backups_ledgerleaf WHERE index >= 1",
    )
    (portal.directory / "state" / "sealed.json").write_bytes(before)
    assert refusal_of(portal) == "set_back"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE backups_ledgerleaf SET hash = sha256('x') WHERE index = 0", "other_tree"),
        ("UPDATE backups_ledgercheckpoint SET root = sha256('x') WHERE size = 2", "other_tree"),
        ("DELETE FROM backups_ledgerleaf WHERE index = 0", "other_tree"),
        (
            "INSERT INTO backups_ledgerleaf (index, event_id, hash) "
            "SELECT 2, id, sha256('x') FROM backups_ledgerevent ORDER BY id DESC LIMIT 1",
            "leaves_and_checkpoint",
        ),
        (
            "INSERT INTO backups_ledgercheckpoint (size, root, note) SELECT 3, root, note "
            "FROM backups_ledgercheckpoint WHERE size = 2",
            "other_tree",
        ),
    ],
)
def test_a_tree_that_somebody_wrote_into_is_not_signed(portal: SealedPortal, statement: str, code: str):
    comment()
    portal.seal()
    comment()
    portal.seal()
    comment()
    portal.as_superuser(statement)
    assert refusal_of(portal) == code


def test_another_sealers_tree_counts_only_with_the_keys_signature(portal: SealedPortal):
    comment()
    portal.seal()
    state = (portal.directory / "state" / "sealed.json").read_bytes()
    comment()
    portal.seal()
    (portal.directory / "state" / "sealed.json").write_bytes(state)
    newest = LedgerCheckpoint.objects.last()
    forged = newest.note[:-10] + "AAAAAAA=\n"
    portal.as_superuser(("UPDATE backups_ledgercheckpoint SET note = %s WHERE size = 2", forged))
    assert refusal_of(portal) == "foreign_checkpoint"


def test_a_lost_memory_stops_the_sealer(portal: SealedPortal):
    comment()
    portal.seal()
    assert refusal_of(portal, memory="elsewhere") == "memory_missing"
    (portal.directory / "state" / "sealed.json").write_text("{}")
    assert refusal_of(portal) == "memory_damaged"


def test_a_refusal_is_recorded_once(portal: SealedPortal):
    refused = SealRefused("set_back", "The database holds 1 sealed events, but 2 were signed before.")
    with portal.as_sealer():
        record_refusal_to_seal(refused)
        record_refusal_to_seal(refused)
    recorded = SealerRefusal.objects.get()
    assert recorded.resolved_at is None
    assert recorded.sentence == refused.sentence


# --- Anchors ---------------------------------------------------------------------------------------------------


def test_an_anchor_that_cannot_be_reached_stops_no_seal(portal: SealedPortal):
    portal.anchor.path.rmdir()
    comment()
    portal.seal()
    assert every_event_is_sealed_once() == 1
    assert not AnchorReceipt.objects.exists()
    portal.anchor.path.mkdir()
    portal.seal()
    assert AnchorReceipt.objects.get().checkpoint_id == 1


def test_an_anchor_never_takes_a_second_truth(portal: SealedPortal):
    at = database_now()
    truth = parse_checkpoint(portal.signer.checkpoint(size=5, root=b"1" * 32))
    other = parse_checkpoint(portal.signer.checkpoint(size=5, root=b"2" * 32))
    reference = portal.anchor.take(truth, at=at).reference
    assert portal.anchor.take(truth, at=at).reference == reference
    with pytest.raises(AnchorFailed, match="holds another checkpoint of 5 events"):
        portal.anchor.take(other, at=at)
    with pytest.raises(FileExistsError):
        anchors._write_once(portal.anchor.path / reference, other.note.encode())
    assert portal.anchor.newest() == truth
    assert (portal.anchor.path / reference).stat().st_mode & 0o777 == 0o444
    assert [file.name for file in portal.anchor.path.rglob("*") if file.is_file()] == [reference.partition("/")[2]]


# --- The process -----------------------------------------------------------------------------------------------


def test_it_seals_at_once_when_an_approval_is_written(portal: SealedPortal, settings: Any):
    settings.LEDGER_SEAL_SECONDS = 30
    event_id, body = body_of_an_approval()
    with portal.as_sealer():
        running = SealerLoop(portal.sealer())
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            with psycopg.connect(portal.database.url, autocommit=True) as web:
                assert _within(lambda: count(web, "backups_sealerheartbeat"))
                web.execute(
                    "INSERT INTO backups_ledgerevent (id, body, actor_name) VALUES (%s, %s, 'bob')", [event_id, body]
                )
                assert _within(lambda: count(web, "backups_anchorreceipt"))
        finally:
            running.stopping.set()
            with psycopg.connect(portal.database.url, autocommit=True) as web:
                web.execute("NOTIFY ccops_seal")
            thread.join(10)
    assert not thread.is_alive()


def count(web: psycopg.Connection[Any], table: str) -> int:
    row = web.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def body_of_an_approval() -> tuple[str, str]:
    with transaction.atomic():
        event = record_event(type="request.commented", actor=BOB, target=REQUEST)
        transaction.set_rollback(True)
    return str(event.pk), event.body.replace("request.commented", "request.voted")


def _within(happens: Any, *, seconds: float = 10.0) -> bool:
    waited = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if happens():
            return True
        waited.wait(0.02)
    return False
