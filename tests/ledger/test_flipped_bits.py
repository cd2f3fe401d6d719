"""One bit is flipped somewhere in what an auditor was given: nothing of it is called verified."""

from __future__ import annotations

import json
import random
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backups.ledger.verifier.log import ALTERED, CANNOT_TELL, VERIFIED
from backups.ledger.verifier.notes import NoteRefused, checked_proof
from tests.ledger.sample_log import SIGNER, event, sample_log

LOG = sample_log()


def test_a_flipped_bit_in_each_byte_of_a_selections_events_is_noticed(verify, tmp_path):
    selection = LOG.selection(tmp_path / "some", [7])
    path = selection / "events.jsonl"
    data = path.read_bytes()
    verdicts: Counter[int] = Counter()
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        path.write_bytes(flipped)
        verdicts[verify(selection)[0]] += 1
    assert verdicts.keys() == {ALTERED, CANNOT_TELL}, verdicts


@pytest.mark.parametrize("name", ["leaves.txt", "checkpoints.jsonl", "texts.jsonl"])
def test_a_flipped_bit_in_each_byte_of_a_whole_bundle_is_noticed(verify, tmp_path, name):
    path = unpacked(tmp_path) / name
    for flipped in one_bit_in_each_byte(path.read_bytes()):
        path.write_bytes(flipped)
        assert verify(path.parent)[0] in (ALTERED, CANNOT_TELL), flipped


def test_a_flipped_bit_of_the_manifest_changes_at_most_what_nothing_depends_on(verify, tmp_path):
    """When the bundle was made stands in no signed note; everything else is held against the log."""
    path = unpacked(tmp_path) / "manifest.json"
    intact = json.loads(path.read_bytes())
    del intact["made_at"]
    for flipped in one_bit_in_each_byte(path.read_bytes()):
        path.write_bytes(flipped)
        if verify(path.parent)[0] == VERIFIED:
            assert intact.items() <= json.loads(flipped.decode("utf-8", "replace")).items(), flipped


def test_a_flipped_bit_of_the_zip_file_is_noticed_or_changes_no_content(verify, tmp_path):
    """Zip files hold times and attributes that nobody reads. A crash would say "altered" by its exit status."""
    path = replace(sample_log(2), sizes=(2,), texts={}).bundle(tmp_path)
    data, intact = path.read_bytes(), contents(path)
    chance, said = random.Random(9162), Counter[int]()
    for bit in (chance.randrange(len(data) * 8) for _ in range(150)):
        path.write_bytes(data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :])
        status = verify(path)[0]
        said[status] += 1
        assert status != VERIFIED or contents(path) == intact, bit
    assert said[CANNOT_TELL] > said[VERIFIED]


def test_a_damaged_zip_file_is_no_proof_of_an_alteration(verify, tmp_path):
    path = LOG.bundle(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"request.commented", b"request.commentec", 1))
    assert verify(path) == (CANNOT_TELL, "CANNOT TELL: the bundle cannot be read (BadZipFile).\n")


def unpacked(tmp_path: Path) -> Path:
    """Two events with words, whole and intact."""
    said = "Which table was it?"
    log = replace(sample_log(2), bodies=[event(0), event(1, text=said)], sizes=(2,), texts={1: said})
    with zipfile.ZipFile(log.bundle(tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def one_bit_in_each_byte(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        yield data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_flipped_bit_of_an_event_is_noticed():
    body, proof = LOG.bodies[7], LOG.proof(7)
    assert checked_proof(proof, body, [SIGNER.verifier_key])[0] == 7
    for bit in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NoteRefused):
            checked_proof(proof, bytes(flipped), [SIGNER.verifier_key])


@pytest.mark.soak
@pytest.mark.parametrize("what", ["events.jsonl", "proofs"])
def test_every_flipped_bit_of_a_small_bundles_events_and_proofs_is_noticed(verify, tmp_path, what):
    """The manifest of this bundle holds no hashes of files, so that the tree and the signature alone have to notice."""
    selection = LOG.selection(tmp_path / "some", [7])
    path = selection / what if what != "proofs" else next((selection / what).iterdir())
    data = path.read_bytes()
    assert "sha256" not in json.loads((selection / "manifest.json").read_bytes())
    assert verify(selection)[0] == VERIFIED
    for bit in range(len(data) * 8):
        flipped = data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]
        path.write_bytes(flipped)
        assert verify(selection)[0] in (ALTERED, CANNOT_TELL), bit
