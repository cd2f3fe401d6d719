"""Files that people attach: which kinds are taken, judged by their content, and under which name they are kept."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

MAX_ATTACHMENT_BYTES = 10 * 1024 * 1024
MAX_NAME_CHARACTERS = 120

#: Ending -> the type it is served as. None of them is ever shown inside a page.
TYPES: dict[str, str] = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "txt": "text/plain",
    "csv": "text/csv",
    "md": "text/markdown",
}
_BEGINNINGS: dict[str, bytes] = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
_ENDINGS: dict[str, tuple[bytes, int]] = {
    # What must stand near the end, and how near: a file that was cut off is of no use to an auditor.
    "application/pdf": (b"%%EOF", 1024),
    "image/png": (b"IEND\xaeB`\x82", 64),
    "image/jpeg": (b"\xff\xd9", 64),
}
_NOT_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._ ()+-]")
_KINDS = "PDF, PNG, JPEG, or text (txt, csv, md)"


class AttachmentRefused(ValueError):
    """The file can't be taken; the message is for the person who chose it. Nothing was stored."""


def content_type_of(name: str, content: bytes) -> str:
    """The type that name and content agree on. Raises AttachmentRefused."""
    if not content:
        raise AttachmentRefused("This file is empty.")
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise AttachmentRefused("This file is larger than 10 MB.")
    ending = name.rpartition(".")[2].lower()
    kind = TYPES.get(ending)
    if kind is None:
        raise AttachmentRefused(f"Files of this kind are not taken. Attach {_KINDS}.")
    if kind.startswith("text/"):
        _check_text(content)
    elif not _is_whole(kind, content):
        raise AttachmentRefused(f"The content of this file is not that of a {ending} file, or it was cut off.")
    return kind


def clean_name(name: str) -> str:
    """The last part of the name, in plain letters; its ending stays. Raises AttachmentRefused."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode()
    stem, dot, ending = _NOT_IN_A_NAME.sub("_", plain).rpartition(".")
    stem = re.sub(r"\s+", " ", stem).strip(" .")
    if not dot or not stem.strip("_") or not ending:
        raise AttachmentRefused("Give the file a name with letters and an ending, such as timeline.pdf.")
    return f"{stem[: MAX_NAME_CHARACTERS - 6]}.{ending[:5].lower()}"


def _is_whole(kind: str, content: bytes) -> bool:
    ending, within = _ENDINGS[kind]
    return content.startswith(_BEGINNINGS[kind]) and ending in content[-within:]


def _check_text(content: bytes) -> None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise AttachmentRefused("This file is not plain text in UTF-8.") from None
    if _NOT_IN_TEXT.search(text):
        raise AttachmentRefused("This file is not plain text: it holds control characters.")
