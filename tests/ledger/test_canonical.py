"""The exact bytes: published vectors, and everything that two readers could read differently."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.ledger.canonical import MAX_ENTRY_BYTES, canonical_bytes
from backups.ledger.errors import NotCanonical

TEXT = st.text(st.characters(exclude_characters="\x00", codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # RFC 8785, 3.2.2 and 3.2.3: escapes, and keys in the order of their UTF-16 units.
        ({"string": '€$\x0f\nA\'B"\\\\"/'}, '{"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'),
        (
            {"€": "Euro", "\r": "CR", "\ufb33": "Dalet", "1": "One", "\U0001f600": "Emoji", "\x80": "Ctrl", "ö": "o"},
            '{"\\r":"CR","1":"One","\x80":"Ctrl","ö":"o","€":"Euro","\U0001f600":"Emoji","\ufb33":"Dalet"}',
        ),
        ({"b": [True, False, None], "a": (1, -2)}, '{"a":[1,-2],"b":[true,false,null]}'),
        ({}, "{}"),
    ],
)
def test_it_writes_the_canonical_form(value, expected):
    assert canonical_bytes(value).decode("utf-8") == expected


@given(VALUES)
def test_it_says_the_same_of_the_same_value(value):
    once = canonical_bytes(value)
    assert canonical_bytes(json.loads(once)) == once
    assert json.loads(once) == value


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        {"deep": [1, {"number": 0.5}]},
        2**53,
        -(2**53),
        "zero\x00byte",
        {"key\x00": 1},
        "lone \ud800 surrogate",
        {1: "a key that is no text"},
        b"bytes",
        {"a": {1, 2}},
    ],
)
def test_it_refuses_what_has_no_single_form(value):
    with pytest.raises(NotCanonical):
        canonical_bytes(value)


def test_an_entry_has_at_most_sixty_kibibytes():
    fitting = "x" * (MAX_ENTRY_BYTES - 2)
    assert len(canonical_bytes(fitting)) == MAX_ENTRY_BYTES
    with pytest.raises(NotCanonical, match="at most 61440"):
        canonical_bytes(fitting + "x")
