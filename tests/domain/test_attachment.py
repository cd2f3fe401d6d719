"""Names and kinds of files: whatever is sent, what is kept has a plain name and a kind that its content bears out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.attachment import MAX_NAME_CHARACTERS, TYPES, AttachmentRefused, clean_name, content_type_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20 + b"IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 20 + b"\xff\xd9"
PDF = b"%PDF-1.4\n%%EOF"


@given(st.text(max_size=300))
def test_a_kept_name_is_plain(name):
    try:
        kept = clean_name(name)
    except AttachmentRefused:
        return
    assert re.fullmatch(r"[A-Za-z0-9._ ()+-]+", kept)
    assert len(kept) <= MAX_NAME_CHARACTERS
    assert not kept.startswith((".", " "))


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=200))
def test_no_content_passes_as_a_kind_that_it_is_not(ending, content):
    try:
        kind = content_type_of(f"file.{ending}", content)
    except AttachmentRefused:
        return
    assert kind == TYPES[ending]
    assert kind.startswith("text/") or content.startswith((b"%PDF-", b"\x89PNG", b"\xff\xd8\xff"))
    assert not kind.startswith("text/") or b"\x00" not in content


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("a.jpeg", JPEG, "image/jpeg"),
        ("a.jpg", JPEG, "image/jpeg"),
        ("a.pdf", PDF, "application/pdf"),
        ("a.csv", "time,what\n02:00,called\u00e9".encode(), "text/csv"),
        ("A.MD", b"# Timeline", "text/markdown"),
    ],
)
def test_the_allowed_kinds_are_taken(name, content, kind):
    assert content_type_of(name, content) == kind


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("C:\\Users\\ravi\\timeline.PDF", "timeline.pdf"),
        ("../../../etc/passwd.txt", "passwd.txt"),
        ("naïve <b>plan</b>.md", "b_.md"),
        ('a"\r\nSet-Cookie: x=1.txt', "a___Set-Cookie_ x_1.txt"),
        ("invoice.pdf.exe.txt", "invoice.pdf.exe.txt"),
    ],
)
def test_names_from_anywhere(name, kept):
    assert clean_name(name) == kept
