"""Somebody owns the database server. What the verifier says of each thing that they can do, with and without anchors.

The table in docs/ledger-attacks.md is what these tests saw: `WRITE_DOCS=1` writes it anew.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from backups.domain.people import command_actor
from backups.ledger.identifiers import utc_text
from backups.ledger.signer import Signer, new_signer
from backups.ledger.verifier.log import ALTERED, CANNOT_TELL, VERIFIED, Report
from backups.ledger.verifier.merkle import CompactRange, leaf_hash
from backups.models import LedgerCheckpoint, LedgerEvent, LedgerLeaf
from backups.selectors import sealed_log
from backups.selectors.ledger import guard_findings
from backups.services.sealing.errors import SealRefused
from backups.services.sealing.verify import verify_database
from tests.ledger.sample_log import ORIGIN
from tests.support.database import WEB
from tests.support.dump import dump, put_back
from tests.support.sealing import SealedPortal, comment

DOCUMENT = Path(django_settings.BASE_DIR) / "docs" / "ledger-attacks.md"
WORDS = {VERIFIED: "not seen", ALTERED: "seen", CANNOT_TELL: "cannot tell"}
SEALED = 9

Attack = Callable[[SealedPortal], None]


@dataclass(frozen=True)
class Case:
    """`with_anchors` and `without` are the verifier's verdicts. `stopped`: the database refuses, nothing changes."""

    what: str
    attack: Attack
    with_anchors: int
    without: int
    remark: str = ""
    stopped: bool = False


def change_through_the_web_role(_: SealedPortal) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE backups_ledgerevent SET body = replace(body, 'R-0007', 'R-0008')")


def change_as_the_owner(portal: SealedPortal) -> None:
    with psycopg.connect(portal.database.owner_url, autocommit=True) as owner:
        owner.execute("UPDATE backups_ledgerevent SET body = replace(body, 'R-0007', 'R-0008')")


def change_as_a_replica(portal: SealedPortal) -> None:
    with psycopg.connect(portal.database.superuser_url, autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("UPDATE backups_ledgerevent SET body = replace(body, 'R-0007', 'R-0008')")


def change_a_byte(portal: SealedPortal) -> None:
    """And the columns with it, so that nothing but the hash can show it."""
    portal.as_superuser(
        (
            "UPDATE backups_ledgerevent SET body = replace(body, 'R-0007', 'R-0008'), target_id = 'R-0008', "
            "members = jsonb_set(members, '{target,id}', '\"R-0008\"') WHERE id = %s",
            at(4),
        )
    )


def change_a_byte_and_its_leaf(portal: SealedPortal) -> None:
    change_a_byte(portal)
    body = LedgerEvent.objects.get(pk=at(4)).body
    portal.as_superuser(("UPDATE backups_ledgerleaf SET hash = %s WHERE index = 4", leaf_hash(body.encode())))


def swap_two(portal: SealedPortal) -> None:
    one, other = LedgerLeaf.objects.get(index=2), LedgerLeaf.objects.get(index=3)
    portal.as_superuser(
        "DELETE FROM backups_ledgerleaf WHERE index IN (2, 3)",
        ("INSERT INTO backups_ledgerleaf VALUES (2, %s, %s)", *row(other)),
        ("INSERT INTO backups_ledgerleaf VALUES (3, %s, %s)", *row(one)),
    )


def row(leaf: LedgerLeaf) -> tuple[bytes, object]:
    return bytes(leaf.hash), leaf.event_id


def insert_in_the_middle(portal: SealedPortal) -> None:
    new = insert(portal, like=at(3))
    portal.as_superuser(
        "UPDATE backups_ledgerleaf SET index = index + 1000 WHERE index >= 4",
        "UPDATE backups_ledgerleaf SET index = index - 999 WHERE index >= 1000",
        ("INSERT INTO backups_ledgerleaf VALUES (4, %s, %s)", leaf_hash(new.body.encode()), new.pk),
    )


def delete_one(portal: SealedPortal) -> None:
    portal.as_superuser(("DELETE FROM backups_ledgerevent WHERE id = %s", at(4)))


def delete_one_and_its_leaf(portal: SealedPortal) -> None:
    event = at(4)
    portal.as_superuser(
        "DELETE FROM backups_ledgerleaf WHERE index = 4",
        "UPDATE backups_ledgerleaf SET index = index + 1000 WHERE index > 4",
        "UPDATE backups_ledgerleaf SET index = index - 1001 WHERE index > 1000",
        ("DELETE FROM backups_ledgerevent WHERE id = %s", event),
    )


def cut_the_tail(portal: SealedPortal, *, with_checkpoints: bool = False) -> None:
    gone = [str(pk) for pk in LedgerLeaf.objects.filter(index__gte=6).values_list("event_id", flat=True)]
    if with_checkpoints:
        portal.as_superuser(
            "DELETE FROM backups_anchorreceipt WHERE checkpoint_id > 6",
            "DELETE FROM backups_ledgercheckpoint WHERE size > 6",
        )
    portal.as_superuser(
        "DELETE FROM backups_ledgerleaf WHERE index >= 6",
        ("DELETE FROM backups_freetext WHERE event_id = ANY(%s::uuid[])", gone),
        ("DELETE FROM backups_ledgerevent WHERE id = ANY(%s::uuid[])", gone),
    )


def cut_the_tail_and_its_checkpoints(portal: SealedPortal) -> None:
    cut_the_tail(portal, with_checkpoints=True)


def put_back_an_old_dump(portal: SealedPortal) -> None:
    """A real one, of before the last events: what an administrator does who restores the portal's own database."""
    old = dump(portal.database, portal.directory / "old.dump")
    for _ in range(3):
        comment()
    portal.seal()
    put_back(portal.database, old)


def delete_everything(portal: SealedPortal) -> None:
    portal.as_superuser(
        "DELETE FROM backups_anchorreceipt",
        "DELETE FROM backups_ledgercheckpoint",
        "DELETE FROM backups_ledgernode",
        "DELETE FROM backups_ledgerleaf",
        "DELETE FROM backups_freetext",
        "DELETE FROM backups_ledgerevent",
    )


def rebuild(portal: SealedPortal, signer: Signer) -> None:
    """Changes an event, then writes every leaf and checkpoint anew so that all of them fit."""
    change_a_byte(portal)
    tree, sizes = CompactRange(), set(LedgerCheckpoint.objects.values_list("size", flat=True))
    for leaf in LedgerLeaf.objects.select_related("event").order_by("index"):
        each = leaf_hash(leaf.event.body.encode())
        tree.append(each)
        portal.as_superuser(("UPDATE backups_ledgerleaf SET hash = %s WHERE index = %s", each, leaf.index))
        if tree.size in sizes:
            note = signer.checkpoint(size=tree.size, root=tree.root())
            portal.as_superuser(
                (
                    "UPDATE backups_ledgercheckpoint SET root = %s, note = %s WHERE size = %s",
                    tree.root(),
                    note,
                    tree.size,
                )
            )


def rebuild_without_the_key(portal: SealedPortal) -> None:
    rebuild(portal, new_signer(ORIGIN))


def rebuild_with_the_stolen_key(portal: SealedPortal) -> None:
    rebuild(portal, portal.signer)


def show_two_auditors_two_logs(portal: SealedPortal) -> None:
    """The one was given the anchors of the real log; the other is given a forged log with forged anchors."""
    rebuild_with_the_stolen_key(portal)
    others = other_auditors_anchors(portal)
    others.mkdir()
    for each in LedgerCheckpoint.objects.all():
        name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{each.size:012d}.checkpoint"
        (others / name).write_text(each.note, encoding="utf-8")


def other_auditors_anchors(portal: SealedPortal) -> Path:
    return portal.directory / "anchors-of-another"


def forge_a_checkpoint(portal: SealedPortal) -> None:
    note = LedgerCheckpoint.objects.get(size=6).note
    portal.as_superuser(
        ("UPDATE backups_ledgercheckpoint SET note = %s WHERE size = 6", note.replace("\n6\n", "\n6\nextension\n"))
    )


def delete_before_the_seal(portal: SealedPortal) -> None:
    event = comment()
    portal.as_superuser(("DELETE FROM backups_ledgerevent WHERE id = %s", event.pk))


def date_back(portal: SealedPortal) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    insert(portal, like=at(3), recorded_at=yesterday)
    portal.seal()


def write_an_event_of_its_own(portal: SealedPortal) -> None:
    insert(portal, like=at(3))
    portal.seal()


def switch_the_triggers_off_and_write(portal: SealedPortal) -> None:
    """The monitor and the log of the start say that the guards are off."""
    write_an_event_of_its_own(portal)
    assert any("never_changed on backups_ledgerevent" in finding for finding in guard_findings(role=WEB))


def act_without_an_event(portal: SealedPortal) -> None:
    portal.as_superuser("UPDATE auth_group SET name = name || ' of old'")


def change_the_words(portal: SealedPortal) -> None:
    portal.as_superuser("UPDATE backups_freetext SET text = 'Approved by everybody'")


def delete_the_words(portal: SealedPortal) -> None:
    portal.as_superuser("DELETE FROM backups_freetext")


def erase_the_words_alone(_: SealedPortal) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE backups_freetext SET text = '', salt = '', erased_at = clock_timestamp()")


def erase_the_words_in_silence(portal: SealedPortal) -> None:
    portal.as_superuser("UPDATE backups_freetext SET text = '', salt = '', erased_at = clock_timestamp()")


def change_the_name_beside_an_event(portal: SealedPortal) -> None:
    portal.as_superuser("UPDATE backups_ledgerevent SET actor_name = 'carol'")


def change_what_a_column_shows(portal: SealedPortal) -> None:
    portal.as_superuser(("UPDATE backups_ledgerevent SET outcome = 'denied' WHERE id = %s", at(4)))


def insert(portal: SealedPortal, *, like: UUID, recorded_at: dt.datetime | None = None) -> LedgerEvent:
    """Past the triggers; the bytes are those of another event with another id, and another time if it is given."""
    model = LedgerEvent.objects.get(pk=like)
    new_id = str(model.pk)[:-4] + "ffff"
    body = model.body.replace(str(model.pk), new_id)
    if recorded_at is not None:
        body = body.replace(utc_text(model.recorded_at), utc_text(recorded_at))
    portal.as_superuser(
        ("INSERT INTO backups_ledgerevent (id, body, actor_name) VALUES (%s, %s, 'forged')", new_id, body)
    )
    return LedgerEvent.objects.get(pk=new_id)


def at(index: int) -> UUID:
    return LedgerLeaf.objects.get(index=index).event_id


REFUSED = re.compile("permission denied|never changed or removed|a second person has agreed")
S, N, C = ALTERED, VERIFIED, CANNOT_TELL
CASES = [
    Case(
        "change an event through the web role, as an SQL injection can", change_through_the_web_role, N, N,
        "permission denied", stopped=True,
    ),
    Case("change an event as the owner of the tables", change_as_the_owner, N, N, "by the triggers", stopped=True),
    Case(
        "change an event as a superuser who poses as a replica", change_as_a_replica, N, N,
        "by the triggers, which are always on", stopped=True,
    ),
    Case("change one byte of one event, triggers off", change_a_byte, S, S),
    Case("the same, and the hash of its leaf", change_a_byte_and_its_leaf, S, S),
    Case("swap two events", swap_two, S, S),
    Case("insert an event in the middle", insert_in_the_middle, S, S),
    Case("delete one event", delete_one, S, S),
    Case("delete one event and close the gap", delete_one_and_its_leaf, S, S),
    Case("cut the tail", cut_the_tail, S, S),
    Case(
        "cut the tail and its checkpoints", cut_the_tail_and_its_checkpoints, S, N,
        "the sealer also refuses to sign, and production restores stop",
    ),
    Case(
        "put back an old dump of the database (pg_dump, DROP DATABASE, pg_restore)", put_back_an_old_dump, S, N,
        "the sealer also refuses to sign, production restores stop, and people are told why",
    ),
    Case(
        "delete everything", delete_everything, S, C,
        "the sealer also refuses to sign; an empty log is never called verified",
    ),
    Case("change an event and make the whole tree anew without the key", rebuild_without_the_key, S, S),
    Case(
        "the same with the stolen key", rebuild_with_the_stolen_key, S, N,
        "the sealer also refuses to sign, as long as its memory is not changed too",
    ),
    Case(
        "show two auditors two logs", show_two_auditors_two_logs, S, N,
        "seen as soon as the two compare what they kept; each alone sees a log that holds",
    ),
    Case("change the note of a checkpoint", forge_a_checkpoint, S, S),
    Case(
        "delete an event before it is sealed", delete_before_the_seal, N, N,
        "nothing can show it; so no order that overwrites data goes out before its approvals are sealed",
    ),
    Case(
        "write an event with an earlier time", date_back, S, N,
        "seen when it is more than 15 minutes older than the anchor before it",
    ),
    Case(
        "write an event of one's own, with the present time", write_an_event_of_its_own, N, N,
        "the record says that it was written, not by whom; triggers and roles stop it below the superuser",
    ),
    Case(
        "switch the triggers off and write an event", switch_the_triggers_off_and_write, N, N,
        "as before; the monitor says that the guards are off until they are on again",
    ),
    Case(
        "act without an event being written at all", act_without_an_event, N, N,
        "what was not written cannot be verified; tests hold that every page writes its event, and the monitor "
        "compares Neon's own record of operations with ours",
    ),
    Case("change what a person wrote", change_the_words, S, S),
    Case("delete what a person wrote", delete_the_words, S, S),
    Case(
        "erase what a person wrote through the web role, without a second person", erase_the_words_alone, N, N,
        "by a trigger that asks for the agreement", stopped=True,
    ),
    Case(
        "erase what a person wrote as it is done, triggers off and without an event", erase_the_words_in_silence, S, S,
        "by verify_ledger; a bundle's verifier remarks that no event says so",
    ),
    Case("change a column that pages show, and not the bytes, triggers off", change_what_a_column_shows, S, S),
    Case(
        "change the name shown beside an event", change_the_name_beside_an_event, N, N,
        "the name is for reading; the person's id is in the bytes, and a bundle holds only that",
    ),
]  # fmt: skip


@pytest.fixture
def attacked(portal: SealedPortal) -> SealedPortal:
    """Nine events under three checkpoints, each of them anchored."""
    for number in range(SEALED):
        comment("Which table was it?" if number == 1 else "")
        if number % 3 == 2:
            portal.seal()
    return portal


def verdict(portal: SealedPortal, *, anchors: bool) -> Report:
    return verify_database(
        keys=[portal.signer.verifier_key],
        anchor_directories=[portal.anchor.path] if anchors else [],
        strict=True,
        actor=command_actor("verify_ledger"),
    )


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_what_the_verifier_says_of_an_attack(attacked: SealedPortal, case: Case):
    assert verdict(attacked, anchors=True).status == VERIFIED
    if case.stopped:
        with pytest.raises((DatabaseError, psycopg.DatabaseError), match=REFUSED):
            case.attack(attacked)
    else:
        case.attack(attacked)
    report = verdict(attacked, anchors=True)
    assert report.status == case.with_anchors, report.lines()
    report = verdict(attacked, anchors=False)
    assert report.status == case.without, report.lines()


@pytest.mark.parametrize(
    "attack",
    [cut_the_tail_and_its_checkpoints, put_back_an_old_dump, delete_everything, rebuild_with_the_stolen_key],
)
def test_the_sealer_signs_nothing_after_what_the_database_alone_cannot_show(attacked: SealedPortal, attack: Attack):
    attack(attacked)
    comment()
    with pytest.raises(SealRefused):
        attacked.seal()


def test_a_gap_as_wide_as_numbers_go_is_one_step(attacked: SealedPortal):
    attacked.as_superuser("UPDATE backups_ledgerleaf SET index = 9000000000000000000 WHERE index = 8")
    assert "There is no entry 8 in the tree" in "\n".join(verdict(attacked, anchors=True).lines())


def test_columns_are_compared_piece_by_piece(attacked: SealedPortal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sealed_log, "_CHUNK", 2)
    attacked.as_superuser("UPDATE backups_ledgerevent SET roles = '{auditor}' WHERE actor_ref = 'user:7'")
    found = set(sealed_log.contradicting_events())
    assert found == {leaf.event_id for leaf in LedgerLeaf.objects.all()}


def test_two_logs_for_two_auditors_show_when_they_compare(attacked: SealedPortal):
    show_two_auditors_two_logs(attacked)
    theirs = other_auditors_anchors(attacked)
    keys, actor = [attacked.signer.verifier_key], command_actor("verify_ledger")
    alone = verify_database(keys=keys, anchor_directories=[theirs], actor=actor)
    assert alone.status == VERIFIED
    both = verify_database(keys=keys, anchor_directories=[attacked.anchor.path, theirs], actor=actor)
    assert both.status == ALTERED
    assert "show two different logs of 9 events" in "\n".join(both.lines())


def test_the_report_says_what_where_and_between_which_times(attacked: SealedPortal):
    change_a_byte(attacked)
    said = "\n".join(verdict(attacked, anchors=True).lines())
    assert "Event 4 is not what the sealer once hashed: request.commented" in said
    assert "something from event 3 to event 5 was changed" in said
    assert "The last checkpoint that still holds is of 3 events, 20" in said


def test_every_check_is_an_event_itself(attacked: SealedPortal):
    verdict(attacked, anchors=True)
    change_a_byte(attacked)
    verdict(attacked, anchors=True)
    outcomes = LedgerEvent.objects.filter(type="ledger.verified").order_by("recorded_at")
    assert list(outcomes.values_list("outcome", flat=True)) == ["success", "failure"]


def test_a_bundle_is_verified_by_the_file_that_it_holds(attacked: SealedPortal, tmp_path: Path):
    bundle, keys = tmp_path / "ledger.zip", tmp_path / "vkeys.txt"
    keys.write_text(attacked.signer.verifier_key.text() + "\n")
    call_command("export_ledger", str(bundle), verbosity=0)
    with zipfile.ZipFile(bundle) as archive:
        (tmp_path / "verify.py").write_bytes(archive.read("carecircle_verify.py"))
    command = [sys.executable, "-I", "-S", str(tmp_path / "verify.py"), str(bundle), "--vkeys", str(keys), "--strict"]
    done = subprocess.run(
        [*command, "--anchors", str(attacked.anchor.path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "VERIFIED: 9 events, 9 of them under a checkpoint, 9 under an anchor.\n"
    assert done.returncode == VERIFIED
    assert LedgerEvent.objects.filter(type="ledger.bundled").exists()


@pytest.mark.parametrize(("attack", "status"), [(None, VERIFIED), (change_a_byte, ALTERED)])
def test_the_command_tells_by_its_exit_status(attacked: SealedPortal, capsys, attack: Attack | None, status: int):
    if attack is not None:
        attack(attacked)
    with pytest.raises(SystemExit) as left:
        call_command("verify_ledger", "--anchors", str(attacked.anchor.path), "--strict")
    assert left.value.code == status
    assert ("VERIFIED" in capsys.readouterr().out) == (status == VERIFIED)


def test_without_keys_the_command_cannot_tell(attacked: SealedPortal, capsys):
    with pytest.raises(SystemExit) as left:
        call_command("verify_ledger", "--vkeys", "/nowhere/vkeys.txt")
    assert left.value.code == CANNOT_TELL
    assert "CANNOT TELL" in capsys.readouterr().out


def test_the_document_is_what_these_tests_saw():
    if os.environ.get("WRITE_DOCS"):
        DOCUMENT.write_text(document(), encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == document()


PAGE = """# What the verifier sees

Made from `tests/sealing/test_attacks.py`, which does each of these things to a real database, most of them as its
superuser with the triggers off, and then asks the verifier: once with anchors that were kept elsewhere, once with
nothing but the database and the public key. *Stopped* means that the database refused and nothing changed.
`WRITE_DOCS=1` writes this page anew; a test fails when it is not what was seen.

| somebody tries to | with anchors | without | remark |
|---|---|---|---|
{rows}

Without an anchor that was kept elsewhere, a cut end and a log made anew with a stolen key cannot be told from the real
one. That is so for every log that lives in one database: keep anchors.
"""


def document() -> str:
    return PAGE.format(rows="\n".join(table_row(case) for case in CASES))


def table_row(case: Case) -> str:
    seen = ["stopped"] * 2 if case.stopped else [WORDS[case.with_anchors], WORDS[case.without]]
    return f"| {' | '.join([case.what, *seen, case.remark])} |"
