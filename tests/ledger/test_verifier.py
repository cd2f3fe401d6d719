"""The auditor's file: what it says of a log that is intact, and of one that somebody worked on."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from backups.ledger.one_file import FILE_NAME, PARTS, one_file
from backups.ledger.signer import new_signer
from backups.ledger.verifier.log import ALTERED, CANNOT_TELL, VERIFIED
from tests.ledger.sample_log import BEGAN, ORIGIN, SIGNER, event, keys_file, sample_log

LOG = sample_log()


def test_an_intact_log_is_verified(verify, tmp_path, anchors):
    status, said = verify(LOG.bundle(tmp_path), anchors, strict=True)
    assert status == VERIFIED
    assert said == "VERIFIED: 12 events, 12 of them under a checkpoint, 12 under an anchor.\n"


def test_without_an_anchor_it_says_what_cannot_be_seen(verify, tmp_path):
    status, said = verify(LOG.bundle(tmp_path))
    assert status == VERIFIED
    assert "0 under an anchor" in said
    assert "No anchor was given" in said


def test_a_bundle_that_is_unpacked_is_the_same(verify, tmp_path, anchors):
    with zipfile.ZipFile(LOG.bundle(tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert verify(tmp_path / "unpacked", anchors)[0] == VERIFIED


def test_it_names_the_event_that_was_changed_and_the_times_between_which(verify, tmp_path):
    bodies = [*LOG.bodies[:5], LOG.bodies[5].replace(b"R-0007", b"R-0001"), *LOG.bodies[6:]]
    status, said = verify(LOG.with_bodies(bodies).bundle(tmp_path, notes=LOG.notes()))
    assert status == ALTERED
    assert "Event 5 is not what the sealer once hashed: request.commented 01a202e9-" in said
    assert "something from event 4 to event 7" in said
    assert "8 events, 2026-11-22 09:08:00 UTC" in said
    assert "still holds is of 4 events, 2026-11-22 09:04:00 UTC" in said


def test_a_changed_hash_beside_the_changed_event_does_not_help(verify, tmp_path):
    bodies = [*LOG.bodies[:5], LOG.bodies[5].replace(b"R-0007", b"R-0001"), *LOG.bodies[6:]]
    status, said = verify(replace(LOG, bodies=bodies).bundle(tmp_path, notes=LOG.notes()))
    assert status == ALTERED
    assert "sealer once hashed" not in said
    assert "something from event 4 to event 7" in said


@pytest.mark.parametrize(
    "bodies",
    [
        [LOG.bodies[1], LOG.bodies[0], *LOG.bodies[2:]],
        [*LOG.bodies[:3], event(99), *LOG.bodies[3:]],
        [*LOG.bodies[:3], *LOG.bodies[4:]],
        LOG.bodies[:-1],
        LOG.bodies[:8],
        [],
    ],
    ids=["swapped", "put in", "taken out", "end cut", "end cut at a checkpoint", "everything deleted"],
)
def test_what_was_done_to_the_order_of_events_is_seen(verify, tmp_path, bodies):
    assert verify(replace(LOG, bodies=bodies).bundle(tmp_path, notes=LOG.notes()))[0] == ALTERED


def test_an_end_that_was_cut_with_its_checkpoints_is_seen_by_an_anchor_alone(verify, tmp_path, anchors):
    cut = replace(LOG, bodies=LOG.bodies[:8], sizes=(4, 8))
    assert verify(cut.bundle(tmp_path))[0] == VERIFIED, "nothing in the database can show it"
    status, said = verify(cut.bundle(tmp_path), anchors)
    assert status == ALTERED
    assert "at least 4 events were cut off the end" in said


def test_a_log_made_anew_with_a_stolen_key_is_seen_by_an_anchor_alone(verify, tmp_path, anchors):
    forged = replace(LOG, bodies=[event(0), *LOG.bodies[1:3], event(77), *LOG.bodies[4:]])
    assert verify(forged.bundle(tmp_path))[0] == VERIFIED, "nothing in the database can show it"
    status, said = verify(forged.bundle(tmp_path), anchors)
    assert status == ALTERED
    assert "do not give the root of the anchor 20261122T090400Z-" in said


def test_a_log_made_anew_without_the_key_is_seen(verify, tmp_path, anchors):
    forged = replace(LOG, bodies=[event(0), *LOG.bodies[1:]], signer=new_signer(ORIGIN))
    for kept in ([], [anchors]):
        status, said = verify(forged.bundle(tmp_path), *kept)
        assert status == ALTERED
        assert "No key that is trusted has signed this. Either it was forged" in said


def test_two_anchors_that_contradict_each_other_are_seen(verify, tmp_path, anchors):
    other = replace(LOG, bodies=[event(50), *LOG.bodies[1:]]).anchors(tmp_path / "others", [8])
    status, said = verify(LOG.bundle(tmp_path), anchors, other)
    assert status == ALTERED
    assert "two different logs of 8 events" in said


def test_an_event_that_is_dated_back_is_seen_by_an_anchor(verify, tmp_path):
    forged = replace(LOG, bodies=[*LOG.bodies[:60], event(900, recorded_at=BEGAN)], sizes=(12, 13))
    assert verify(forged.bundle(tmp_path))[0] == VERIFIED
    late = sample_log(40)
    log = replace(late, bodies=[*late.bodies, event(900, recorded_at=BEGAN)], sizes=(40, 41))
    status, said = verify(log.bundle(tmp_path), log.anchors(tmp_path / "anchors", [40, 41]))
    assert status == ALTERED
    assert "Event 40 says that it was recorded at 2026-11-22T09:00:00.000000Z" in said
    assert "it is dated back" in said


def test_an_event_from_the_future_is_seen_by_an_anchor(verify, tmp_path):
    ahead = event(900, recorded_at=BEGAN.replace(year=2027))
    log = replace(LOG, bodies=[*LOG.bodies[:11], ahead])
    status, said = verify(log.bundle(tmp_path), log.anchors(tmp_path / "anchors", [12]))
    assert status == ALTERED
    assert "after the anchor of 2026-11-22 09:12:00 UTC that covers it" in said


def test_an_event_twice_is_seen(verify, tmp_path):
    status, said = verify(replace(LOG, bodies=[*LOG.bodies[:11], LOG.bodies[3]]).bundle(tmp_path))
    assert status == ALTERED
    assert "Event 11 has the id of an earlier one" in said


def test_another_form_of_the_same_event_is_seen_when_asked_to_be_strict(verify, tmp_path):
    loose = json.dumps(json.loads(LOG.bodies[3])).encode()
    log = replace(LOG, bodies=[*LOG.bodies[:3], loose, *LOG.bodies[4:]])
    assert verify(log.bundle(tmp_path))[0] == VERIFIED
    status, said = verify(log.bundle(tmp_path), strict=True)
    assert status == ALTERED
    assert "Event 3 is not in the one canonical form" in said


def test_words_that_were_changed_afterwards_are_seen(verify, tmp_path):
    status, said = verify(replace(LOG, texts={2: "Approved by everybody"}).bundle(tmp_path))
    assert status == ALTERED
    assert "are not those that were written then" in said


def test_words_that_were_erased_leave_the_log_intact(verify, tmp_path):
    assert verify(replace(LOG, texts={}).bundle(tmp_path))[0] == VERIFIED


def test_events_under_no_checkpoint_are_not_called_verified(verify, tmp_path):
    status, said = verify(replace(LOG, sizes=(4, 8)).bundle(tmp_path))
    assert status == CANNOT_TELL
    assert "4 events at the end lie under no checkpoint" in said
    assert "8 of them under a checkpoint" in said


def test_a_key_of_another_log_lets_it_tell_nothing(verify, tmp_path):
    stranger = keys_file(tmp_path, new_signer("elsewhere.example/log").verifier_key.text())
    status, said = verify(LOG.bundle(tmp_path), vkeys=stranger)
    assert status == CANNOT_TELL
    assert f"no key of the log {ORIGIN}" in said


def test_old_checkpoints_hold_after_the_key_was_changed(verify, tmp_path):
    newer = new_signer(ORIGIN)
    notes = [*LOG.notes()[:2], *replace(LOG, signer=newer).notes()[2:]]
    both = keys_file(tmp_path, SIGNER.verifier_key.text() + " until=8", newer.verifier_key.text() + " from=9")
    kept = LOG.anchors(tmp_path / "anchors", [4])
    assert verify(LOG.bundle(tmp_path, notes=notes), kept, vkeys=both)[0] == VERIFIED
    retired = keys_file(tmp_path, SIGNER.verifier_key.text() + " until=8")
    status, said = verify(LOG.bundle(tmp_path), vkeys=retired)
    assert status == ALTERED, "the retired key, stolen, signs the log on"
    assert "not in use for a tree of 12" in said


def test_an_anchor_that_is_damaged_lets_it_tell_less(verify, tmp_path, anchors):
    next(anchors.iterdir()).write_text("— nothing\n", encoding="utf-8")
    status, said = verify(LOG.bundle(tmp_path), anchors)
    assert status == CANNOT_TELL
    assert "cannot be used" in said


@pytest.mark.parametrize("name", ["missing.zip", "vkeys.txt"])
def test_what_is_no_bundle_lets_it_tell_nothing(verify, tmp_path, name):
    status, said = verify(tmp_path / name)
    assert status == CANNOT_TELL
    assert "neither a directory nor a zip file" in said


@pytest.mark.parametrize("left_out", ["events.jsonl", "checkpoints.jsonl", "leaves.txt"])
def test_a_bundle_that_lacks_a_file_is_not_verified(verify, tmp_path, left_out):
    with zipfile.ZipFile(LOG.bundle(tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked")
    (tmp_path / "unpacked" / left_out).unlink()
    assert verify(tmp_path / "unpacked")[0] == CANNOT_TELL


def test_a_selection_is_proven_event_by_event(verify, tmp_path, anchors):
    selection = LOG.selection(tmp_path / "some", [2, 7])
    status, said = verify(selection, anchors)
    assert status == VERIFIED
    assert "2 events, 2 of them under a checkpoint, 2 under an anchor" in said
    assert "that nothing was left out of it, it cannot show" in said
    next((selection / "proofs").iterdir()).unlink()
    assert verify(selection, anchors)[0] == CANNOT_TELL


def test_the_one_file_runs_alone_without_packages(tmp_path, anchors):
    programme = tmp_path / FILE_NAME
    programme.write_text(one_file(), encoding="utf-8")
    bundle, keys = LOG.bundle(tmp_path), keys_file(tmp_path)
    cut = replace(LOG, bodies=LOG.bodies[:8], sizes=(4, 8)).bundle(tmp_path, name="cut")
    for python in filter(None, [sys.executable, _old_python()]):
        assert _run(python, programme, bundle, keys, anchors) == VERIFIED
        assert _run(python, programme, cut, keys, anchors) == ALTERED
        assert _run(python, programme, keys, keys, anchors) == CANNOT_TELL


def _run(python: str, programme: Path, bundle: Path, keys: Path, anchors: Path) -> int:
    command = [python, "-I", "-S", str(programme), str(bundle), "--vkeys", str(keys), "--anchors", str(anchors)]
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode


def _old_python() -> str | None:
    """A Python 3.9 in the path or of pyenv, whose command in the path does nothing while no project chose it."""
    kept = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))
    found = [path for path in (shutil.which("python3.9"), *map(str, kept)) if path and _works(path)]
    return found[0] if found else None


def _works(python: str) -> bool:
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0


#: Names of the standard library that came after 3.9 and that one might write without a thought.
NEWER_THAN_3_9 = frozenset(
    {"UTC", "StrEnum", "TaskGroup", "ExceptionGroup", "Self", "TypeAlias", "override", "batched", "pairwise"}
    | {"file_digest", "bit_count", "tomllib", "aiter", "anext", "walk", "add_note", "full_match", "EnumType"}
)


def test_the_one_file_names_nothing_of_the_standard_library_that_is_newer_than_3_9():
    """For machines without an old Python; where there is one, the file is run by it."""
    used: set[str] = set()
    for node in ast.walk(ast.parse(one_file())):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.alias):
            used |= {node.name, str(node.asname)}
        elif isinstance(node, ast.Name):
            used.add(node.id)
    assert not used & NEWER_THAN_3_9


def test_the_one_file_needs_nothing_newer_than_python_3_9():
    """Its grammar, its imports, and that no part hides a name of another."""
    tree = ast.parse(one_file(), feature_version=(3, 9))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {str(name).partition(".")[0] for name in imported} <= sys.stdlib_module_names
    named = Counter(
        name
        for node in tree.body
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else [target.id for target in node.targets if isinstance(target, ast.Name)]
            if isinstance(node, ast.Assign)
            else []
        )
    )
    assert [name for name, count in named.items() if count > 1] == []
    assert len(PARTS) == 9
    assert "backups.ledger.verifier" not in one_file().replace("`backups.ledger.verifier", "")
