"""What people wrote: bound by a salted hash, and never a secret."""

from __future__ import annotations

import hashlib

import pytest

from backups.ledger.errors import TextRefused
from backups.ledger.text import MAX_TEXT_CHARACTERS, check_text, commitment_of, seal_text, text_matches


def test_the_commitment_is_the_hash_of_salt_and_text():
    sealed = seal_text("Migration 0042 löschte Zeilen")
    expected = hashlib.sha256(bytes.fromhex(sealed.salt) + "Migration 0042 löschte Zeilen".encode()).hexdigest()
    assert sealed.commitment == f"sha256:{expected}"
    assert text_matches(text=sealed.text, salt=sealed.salt, commitment=sealed.commitment)


def test_another_word_or_salt_does_not_match():
    sealed = seal_text("approve")
    assert not text_matches(text="reject", salt=sealed.salt, commitment=sealed.commitment)
    assert not text_matches(text="approve", salt="00" * 32, commitment=sealed.commitment)


def test_the_same_words_twice_give_no_hint_of_it():
    """Without a salt of its own, a short text could be guessed from its hash after it was erased."""
    assert seal_text("yes").commitment != seal_text("yes").commitment
    assert commitment_of(text="yes", salt="00" * 32) == commitment_of(text="yes", salt="00" * 32)


@pytest.mark.parametrize(
    "text",
    [
        "the key is napi_CANARY0123456789abcdef",
        "use postgresql://owner:CANARY@ep-calm-sea.eu-central-1.aws.neon.tech/app",
        "password npg_CANARY12345",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "https://hooks.slack.com/services/T000/B000/CANARY",
        "Authorization: Bearer CANARY.abcdefghijklmnop",
        "patient 123-45-6789",
        "zero\x00byte",
        "lone \udc00 surrogate",
        "x" * (MAX_TEXT_CHARACTERS + 1),
    ],
)
def test_secrets_and_unstorable_text_are_refused_without_being_repeated(text):
    with pytest.raises(TextRefused) as refused:
        seal_text(text)
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "Point 2026-11-22T01:31:59Z, INC-881, see https://status.example.org/incidents/881",
        "connect to ep-calm-sea at 10.0.0.7:5432 as carecircle_owner",
        "37 doses since 02:31, 0171-2345678",
    ],
)
def test_ordinary_words_pass(text):
    check_text(text)
