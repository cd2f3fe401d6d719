"""Signatures, notes, checkpoints and proofs: the published examples, and whatever is not quite one."""

from __future__ import annotations

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from backups.ledger.signer import Signer, fingerprint, new_signer, read_signer
from backups.ledger.tree import inclusion_proof, subtrees_of
from backups.ledger.verifier.ed25519 import signature_holds
from backups.ledger.verifier.merkle import leaf_hash, root_of
from backups.ledger.verifier.notes import (
    NoteRefused,
    checked_proof,
    parse_checkpoint,
    parse_note,
    parse_proof,
    parse_verifier_key,
    parse_verifier_keys,
    proof_text,
    trusted_checkpoint,
    verified_by,
)

# c2sp.org/signed-note, "Example"
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# c2sp.org/signed-note, the note at the top of the page: an empty line inside of the text
POEM = (
    "Ognuno sta solo sul cuor della terra\n"
    "trafitto da un raggio di sole:\n"
    "\n"
    "ed è subito sera.\n"
    "\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
# c2sp.org/tlog-checkpoint, the example at the top of the page
CHECKPOINT = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
# RFC 8032, 7.1: secret seed, public key, message, signature
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
]
ORIGIN = "ops.carecircle.example/audit/2026"
SIGNER = Signer(ORIGIN, bytes(range(32)))
KEYS = [SIGNER.verifier_key]
ENTRIES = [b'{"n":%d}' % number for number in range(11)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
NOTE = SIGNER.checkpoint(size=11, root=root_of(LEAVES))
PROOF = proof_text(6, inclusion_proof(index=6, size=11, subtree=subtrees_of(LEAVES)), NOTE)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_the_signatures_of_the_rfc_hold(seed, public, message, signature):
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    assert key.public_key().public_bytes_raw().hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert holds(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


def holds(public: bytes, message: bytes, signature: bytes) -> bool:
    return signature_holds(public_key=public, message=message, signature=signature)


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 511))
def test_it_agrees_with_the_cryptography_library(seed, message, bit):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert holds(public, message, signature)
    assert not holds(public, message + b"x", signature)
    flipped = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
    assert holds(public, message, flipped) == agrees(public, message, flipped) is False


def agrees(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_a_signature_is_not_taken_in_a_second_form():
    """Adding the order of the group to its second half gives another number that the curve takes for the same."""
    _, public, message, signature = (bytes.fromhex(text) for text in RFC_8032[1])
    order = 2**252 + 27742317777372353535851937790883648493
    second = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not holds(public, message, signature[:32] + second)
    assert not holds(public, message, signature[:63])
    assert not holds(public[:31], message, signature)
    assert not holds(b"\xff" * 32, message, signature), "no point of the curve"
    assert not holds((2).to_bytes(32, "little"), message, signature), "no point of the curve"


def test_the_published_note_is_verified_by_the_published_key():
    key = parse_verifier_key(EXAMPLE_KEY)
    assert key.text() == EXAMPLE_KEY
    assert verified_by(EXAMPLE_NOTE, [key]) == [key]
    with pytest.raises(NoteRefused, match="does not hold"):
        verified_by(EXAMPLE_NOTE.replace("message", "massage"), [key])
    with pytest.raises(NoteRefused, match="No key that is trusted"):
        verified_by(EXAMPLE_NOTE, KEYS)


def test_the_published_note_with_an_empty_line_in_its_text():
    note = parse_note(POEM)
    assert note.text.endswith("\n\ned è subito sera.\n")
    assert [name for name, _, _ in note.signatures] == ["quasimodo.example/salvatore"]


def test_the_published_checkpoint():
    checkpoint = parse_checkpoint(CHECKPOINT)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert base64.b64encode(checkpoint.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


def test_signatures_of_strangers_are_passed_over_and_sixteen_are_taken():
    strangers = [new_signer(f"witness{number}.example") for number in range(15)]
    lines = "".join(each.sign("x\n").split("\n\n")[1] for each in strangers)
    assert verified_by(NOTE + lines, KEYS) == KEYS
    with pytest.raises(NoteRefused, match="does not hold"):
        verified_by(NOTE + lines, [*KEYS, strangers[3].verifier_key])


def test_a_key_with_the_same_name_but_another_id_is_a_stranger():
    with pytest.raises(NoteRefused, match="No key that is trusted"):
        trusted_checkpoint(new_signer(ORIGIN).checkpoint(size=1, root=b"r" * 32), KEYS)


def test_a_key_of_another_name_does_not_vouch_for_the_log():
    witness = new_signer("witness.example")
    forged = witness.sign(f"{ORIGIN}\n1\n{base64.b64encode(b'r' * 32).decode()}\n")
    with pytest.raises(NoteRefused, match="No trusted key of the log"):
        trusted_checkpoint(forged, [*KEYS, witness.verifier_key])


def test_a_key_counts_only_for_the_trees_of_its_time():
    later = parse_verifier_key(SIGNER.verifier_key.text() + " from=12")
    earlier = parse_verifier_key(SIGNER.verifier_key.text() + " until=11")
    assert trusted_checkpoint(NOTE, [earlier]).size == 11
    with pytest.raises(NoteRefused, match="not in use for a tree of 11"):
        trusted_checkpoint(NOTE, [later])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n11\n", "\n011\n"),
        ("\n11\n", "\n+11\n"),
        ("\n11\n", "\n11.0\n"),
        ("\n11\n", "\n\uff11\uff11\n"),
        ("\n11\n", "\n11\r\n"),
        ("\n11\n", "\n"),
        ("=\n\n", "\n\n"),
        ("=\n\n", "=\n"),
        ("— ", "- "),
        ("— ", "—  "),
        ("\n11\n", "\n11\n\n"),
    ],
)
def test_what_is_not_quite_a_checkpoint_is_refused(old, new):
    assert old in NOTE
    with pytest.raises(NoteRefused):
        trusted_checkpoint(NOTE.replace(old, new, 1), KEYS)


@pytest.mark.parametrize("line", ["", "x", "a+b+c", EXAMPLE_KEY.replace("530d903a", "530d903b"), EXAMPLE_KEY + " to=3"])
def test_what_is_not_quite_a_key_is_refused(line):
    with pytest.raises(NoteRefused):
        parse_verifier_key(line)


def test_a_list_of_keys_may_have_comments():
    text = f"# Dana's own copy, 2026-11-26\n\n{EXAMPLE_KEY}\n{KEYS[0].text()} until=9\n"
    assert [key.name for key in parse_verifier_keys(text)] == ["example.com/foo", ORIGIN]


def test_the_proof_of_an_entry_holds_for_that_entry_alone():
    assert checked_proof(PROOF, ENTRIES[6], KEYS)[0] == 6
    assert checked_proof(PROOF.replace("index", "extra AAAA\nindex", 1), ENTRIES[6], KEYS)[0] == 6
    for other in ENTRIES[:6]:
        with pytest.raises(NoteRefused, match="not number 6"):
            checked_proof(PROOF, other, KEYS)


def test_the_published_form_of_a_proof():
    """c2sp.org/tlog-proof, with the shortened lines of its example made whole."""
    path = ["gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=", "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA="]
    proof = parse_proof("c2sp.org/tlog-proof@v1\nextra YWdl\nindex 73894\n" + "\n".join(path) + "\n\n" + CHECKPOINT)
    assert proof.position == 73894
    assert [base64.b64encode(each).decode() for each in proof.path] == path
    assert proof.checkpoint_note == CHECKPOINT


def test_every_flipped_bit_of_a_proof_is_noticed():
    """In the file as a whole: header, index, path, checkpoint and signature."""
    data = PROOF.encode()
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NoteRefused):
            checked_proof(flipped.decode("utf-8", "replace"), ENTRIES[6], KEYS)


def test_a_key_survives_being_written_down():
    signer = new_signer(ORIGIN)
    assert read_signer(signer.reveal() + "\n") == signer
    assert signer.reveal() not in repr(signer)
    assert len(fingerprint(signer.verifier_key)) == 64 + 15


@pytest.mark.parametrize(
    "text", ["", "PRIVATE+KEY+x", "PRIVATE+KEY+a+00000000+AAAA", SIGNER.reveal().replace("+0", "+1")]
)
def test_what_is_not_a_key_is_refused_without_being_repeated(text):
    with pytest.raises(NoteRefused) as refused:
        read_signer(text + "x")
    assert "AAAA" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak", "a\u2003b"])
def test_a_name_that_cannot_stand_in_a_note_is_refused(name):
    with pytest.raises(NoteRefused):
        new_signer(name)


def test_a_text_without_its_newline_is_not_signed():
    with pytest.raises(ValueError, match="ends with a newline"):
        SIGNER.sign("x")
