"""What a person kept is an anchor, whatever their mail program made of it; what was altered in it is none."""

from __future__ import annotations

import base64
import email.policy
import json
import quopri
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from backups.ledger.verifier.kept import notes_in, read_anchors
from backups.ledger.verifier.log import ALTERED, CANNOT_TELL, VERIFIED, Report
from backups.ledger.verifier.notes import VerifierKey
from tests.ledger.sample_log import ORIGIN, SIGNER

NOTE = SIGNER.checkpoint(size=1234, root=b"r" * 32)
TEXT = f"Keep this.\n\nSent         2026-11-26 06:00:03 UTC\nRecords      1,234\n\n{NOTE}\nWhat it is for: …\n"
SENT = datetime(2026, 11, 26, 6, 0, 3, tzinfo=UTC)


def mail(encoding: str, *, html: bool = False) -> bytes:
    made = EmailMessage(policy=email.policy.SMTP)
    made["Subject"], made["From"], made["To"] = "Checkpoint", "ops@example.org", "custodian@example.org"
    made.set_content(TEXT, cte=encoding)
    if html:
        lines = "".join(f"<p>{line}</p>" for line in TEXT.replace("+", "&#43;").splitlines())
        made.set_content(f"<html><body>{lines}</body></html>", subtype="html", cte=encoding)
    return made.as_bytes()


def forwarded() -> bytes:
    outer = EmailMessage()
    outer.set_content("Look at this.")
    inner = EmailMessage(policy=email.policy.SMTP)
    inner.set_content(TEXT, cte="base64")
    outer.add_attachment(inner)
    return outer.as_bytes()


def quoted() -> bytes:
    """Indented, quoted, with an empty line after each, wrapped in the signature, another dash, Windows line ends."""
    lines = TEXT.replace("\N{EM DASH}", "--").split("\n")
    wrapped = [piece for line in lines for piece in ([line[:80], line[80:]] if len(line) > 80 else [line])]
    return "".join(f"> >   {line}\r\n\r\n" for line in wrapped).encode()


SHAPES: dict[str, Callable[[], bytes]] = {
    "the note alone": lambda: NOTE.encode(),
    "pasted text": lambda: TEXT.encode(),
    "pasted on Windows": lambda: TEXT.replace("\n", "\r\n").encode("utf-16"),
    "saved as ANSI": lambda: TEXT.encode("cp1252"),
    "8bit mail": lambda: mail("8bit"),
    "quoted-printable mail": lambda: mail("quoted-printable"),
    "base64 mail": lambda: mail("base64"),
    "html mail": lambda: mail("quoted-printable", html=True),
    "forwarded as an attachment": forwarded,
    "quoted and wrapped": quoted,
    "a mailbox": lambda: b"From - Thu Nov 26\r\n" + mail("base64") + b"\r\nFrom - Fri Nov 27\r\n" + mail("8bit"),
    "an export of messages": lambda: json.dumps([{"ts": "1", "text": f"```\n{TEXT}```"}]).encode(),
}


def read(path: Path, keys: list[VerifierKey] | None = None) -> tuple[list[tuple[int, datetime | None]], Report]:
    report = Report()
    anchors = read_anchors(path, keys if keys is not None else [SIGNER.verifier_key], report)
    return [(anchor.checkpoint.size, anchor.taken_at) for anchor in anchors], report


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_kept_is_read(tmp_path: Path, shape: str):
    kept = tmp_path / "whatever it is called"
    kept.write_bytes(SHAPES[shape]())
    found, report = read(kept)
    assert found == [(1234, None if shape == "the note alone" else SENT)]
    assert report.status == VERIFIED


def test_the_encodings_hide_the_note_as_mail_servers_do():
    assert NOTE.encode() not in mail("quoted-printable")
    assert quopri.encodestring(b"\xe2\x80\x94") in mail("quoted-printable")
    assert ORIGIN.encode() not in mail("base64")
    assert base64.b64encode(b"Keep this.")[:12] in mail("base64")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [("\n1234\n", "\n1235\n", "does not hold"), ("cnI=\n", "cnM=\n", "does not hold"), (ORIGIN, "other.example", "")],
)
def test_what_was_altered_in_it_is_no_anchor(tmp_path: Path, old: str, new: str, word: str):
    assert old in NOTE or old in TEXT
    kept = tmp_path / "mail.eml"
    kept.write_text(TEXT.replace(old, new), encoding="utf-8")
    found, report = read(kept)
    assert found == []
    assert report.status == CANNOT_TELL
    assert word in report.findings[0].sentence
    assert report.status != ALTERED, "a damaged copy says nothing of the log"


def test_a_directory_may_hold_both_and_other_things(tmp_path: Path):
    (tmp_path / "20261126T060003Z-000000001234.checkpoint").write_text(NOTE, encoding="utf-8")
    (tmp_path / "Mail of today.EML").write_bytes(mail("base64"))
    (tmp_path / "my-keys.txt").write_text(SIGNER.verifier_key.text())
    (tmp_path / "photo.jpeg").write_bytes(b"\xff\xd8")
    found, report = read(tmp_path)
    assert found == [(1234, SENT), (1234, SENT)]
    assert report.remarks == ["my-keys.txt holds no signed checkpoint and was passed over."]
    assert report.status == VERIFIED


def test_a_file_that_was_named_and_holds_nothing_is_not_passed_over(tmp_path: Path):
    for name, data in {
        "empty.eml": b"",
        "strange.eml": b"Subject: x\nContent-Type: text/plain; charset=nope\n\n\xff",
    }.items():
        (tmp_path / name).write_bytes(data)
        assert read(tmp_path / name)[1].status == CANNOT_TELL
    assert read(tmp_path / "nowhere.eml")[1].status == CANNOT_TELL


def test_a_long_text_is_read_in_a_moment():
    hostile = ("x\n1\n" + "A" * 43 + "=\n") * 2000 + "\N{EM DASH} x " + "A" * 200_000
    assert notes_in(hostile.encode()) == {}
