"""The checkpoints that somebody kept: files of an anchor directory, saved mails, a mailbox, pasted or exported text.

What mail programs do to a text is undone (quotation marks, indents, wrapped and empty lines, another dash), and the
signature says whether what comes out is the checkpoint: nothing is believed because of how it looks.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
from datetime import datetime, timezone
from email.message import Message
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from backups.ledger.verifier.log import Anchor, Report
from backups.ledger.verifier.notes import VerifierKey, trusted_checkpoint

_AS_ANCHORED = ".checkpoint"
_MESSAGES = (".eml", ".mbox", ".txt", ".json")
_HEADER = re.compile(rb"(?:From |[!-9;-~]+:[ \t])")
_TAG_OF_A_LINE = re.compile(r"<(?:br|/p|/div|/pre|/li|/tr)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")
# Without empty lines: origin, size, root, and for each signature a dash, the origin again and the signature, which may
# have been wrapped. An Ed25519 signature with its key's id is 92 characters of base64.
_NOTE = re.compile(
    r"^(\S+)\n([1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n((?:\S{1,3} \1[ \n][A-Za-z0-9+/\n]{91,97}=(?:\n|\Z))+)", re.M
)
_SIGNED = re.compile(r"^\S{1,3} (\S+)[ \n]([A-Za-z0-9+/\n]+=)", re.M)
_SENT = re.compile(r"^Sent +([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) UTC$", re.M)


def read_anchors(place: Path, keys: Sequence[VerifierKey], report: Report) -> List[Anchor]:
    """The checkpoints in a file, or in the files of a directory that have a fitting name.

    Anchor directories name theirs by the time, 20261122T094041Z-….checkpoint; messages say when they were sent.
    """
    if not place.is_dir():
        return _of_a_message(place, keys, report, is_named=True)
    anchors: List[Anchor] = []
    for path in sorted(each for each in place.rglob("*") if each.is_file()):
        if path.suffix == _AS_ANCHORED:
            anchors += _of_a_directory(path, keys, report)
        elif path.suffix.lower() in _MESSAGES:
            anchors += _of_a_message(path, keys, report, is_named=False)
    return anchors


def notes_in(data: bytes) -> Dict[str, Optional[datetime]]:
    """Everything in a message or a mailbox that looks like a signed checkpoint, and when it says that it was sent."""
    found: Dict[str, Optional[datetime]] = {}
    for text in _texts(data):
        plain = _plain_lines(text)
        sent = [(match.end(), match.group(1)) for match in _SENT.finditer(plain)]
        for match in _NOTE.finditer(plain):
            before = [when for at, when in sent if at <= match.start()]
            found.setdefault(_note_of(match), _sent_at(before[-1]) if before else None)
    return found


def _of_a_directory(path: Path, keys: Sequence[VerifierKey], report: Report) -> List[Anchor]:
    try:
        checkpoint = trusted_checkpoint(path.read_text(encoding="utf-8"), keys)
    except (OSError, ValueError) as error:
        report.unclear("The anchor %s cannot be used: %s" % (path.name, error))
        return []
    return [Anchor(checkpoint, _time_in(path.name), path.name)]


def _of_a_message(path: Path, keys: Sequence[VerifierKey], report: Report, *, is_named: bool) -> List[Anchor]:
    anchors = []
    try:
        found = notes_in(path.read_bytes())
    except OSError as error:
        report.unclear("The anchor %s cannot be read: %s" % (path.name, error))
        return []
    if not found and is_named:
        report.unclear("The anchor %s holds no signed checkpoint." % path.name)
    elif not found:
        report.remarks.append("%s holds no signed checkpoint and was passed over." % path.name)
    for note, sent_at in found.items():
        try:
            anchors.append(Anchor(trusted_checkpoint(note, keys), _time_in(path.name) or sent_at, path.name))
        except ValueError as error:
            report.unclear("The anchor %s cannot be used: %s" % (path.name, error))
    return anchors


def _time_in(name: str) -> Optional[datetime]:
    try:
        return datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _sent_at(text: str) -> Optional[datetime]:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _note_of(match: re.Match[str]) -> str:
    origin, size, root, signatures = match.groups()
    lines = (
        "\N{EM DASH} %s %s\n" % (name, signature.replace("\n", "")) for name, signature in _SIGNED.findall(signatures)
    )
    return "%s\n%s\n%s\n\n%s" % (origin, size, root, "".join(lines))


def _plain_lines(text: str) -> str:
    """Without empty lines, indents, and the marks of quotations and of code."""
    lines = (line.replace("\N{NO-BREAK SPACE}", " ").strip(" \t>|`*") for line in text.splitlines())
    return "".join("%s\n" % line for line in lines if line)


def _texts(data: bytes) -> Iterator[str]:
    """As it stands, and as mails and exports of messages mean it."""
    text = _decoded_text(data)
    yield text
    if data.lstrip()[:1] in (b"{", b"["):
        yield from _texts_of_json(text)
    if _HEADER.match(data):
        for each in re.split(rb"\r?\n(?=From )", data):
            mail = re.sub(rb"\AFrom [^\n]*\n", b"", each)
            yield from _texts_of_mail(email.message_from_bytes(mail, policy=email.policy.default))


def _decoded_text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _texts_of_json(text: str) -> Iterator[str]:
    try:
        yield "\n".join(_strings(json.loads(text)))
    except (ValueError, RecursionError):
        return


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _strings(member)


def _texts_of_mail(mail: Message) -> Iterator[str]:
    """Every text in it, forwarded mails and attachments included."""
    parts = mail.get_payload()
    if isinstance(parts, list):
        for part in parts:
            if isinstance(part, Message):
                yield from _texts_of_mail(part)
        return
    payload = mail.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return
    try:
        text = payload.decode(mail.get_content_charset() or "utf-8")
    except (LookupError, UnicodeDecodeError):
        text = _decoded_text(payload)
    is_html = mail.get_content_subtype() == "html"
    yield html.unescape(_TAG.sub("", _TAG_OF_A_LINE.sub("\n", text))) if is_html else text
