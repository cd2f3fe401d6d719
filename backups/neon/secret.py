"""A value that must not be seen, and the cleaning of text that may contain one."""

from __future__ import annotations

import hmac
import re
from typing import NoReturn

_HIDDEN = "[hidden]"
_PASSWORD_IN_URI = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@]*@", re.IGNORECASE)
_BEARER = re.compile(r"(\bbearer\s+)\S+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Secret:
    """Text that shows itself only through `reveal()`.

    It refuses to be pickled, so that it can never become a task's argument or a cache entry.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    @property
    def fits_a_header(self) -> bool:
        text = self._text
        return bool(text) and text.isascii() and text.isprintable() and " " not in text

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN})"

    def __str__(self) -> str:
        return _HIDDEN

    def __format__(self, spec: str) -> str:
        return format(_HIDDEN, spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


def clean_text(text: str, *, secrets: tuple[Secret, ...] = (), limit: int = 300) -> str:
    """Make foreign text fit for a log or a page: one line, bounded, without keys and passwords."""
    for secret in secrets:
        # A very short one is a test's, and would tear holes into ordinary words.
        if len(secret.reveal()) >= 8:
            text = text.replace(secret.reveal(), _HIDDEN)
    text = _PASSWORD_IN_URI.sub(rf"\1{_HIDDEN}@", text)
    text = _BEARER.sub(rf"\1{_HIDDEN}", text)
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
