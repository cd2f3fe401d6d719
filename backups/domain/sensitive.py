"""Finds in what a person typed that which must not be kept: secrets, and what identifies a patient.

Only kinds and places are returned, never what stands there. A shape that cannot be told from an incident number, a
log position, a time or an id is not looked for, because a question that comes too often is answered without reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What was found; the value goes into the ledger when somebody says that it is not personal data."""

    NEON_KEY = "neon_key"
    NEON_PASSWORD = "neon_password"  # noqa: S105 - the name of a kind
    PORTAL_TOKEN = "portal_token"  # noqa: S105 - the name of a kind
    CONNECTION = "connection_string"
    PRIVATE_KEY = "private_key"
    SLACK = "slack_secret"
    BEARER = "bearer_token"
    AWS_KEY = "aws_key"
    GITHUB_TOKEN = "github_token"  # noqa: S105 - the name of a kind
    SOCIAL_SECURITY = "social_security_number"
    RECORD_NUMBER = "medical_record_number"
    BIRTH = "date_of_birth"
    MAIL = "mail_address"

    @property
    def words(self) -> str:
        return _WORDS[self]

    @property
    def is_secret(self) -> bool:
        """A secret is refused; anything else may be a chance likeness, so its writer is asked."""
        return self not in PERSONAL


@dataclass(frozen=True, slots=True)
class Finding:
    """Where something was found: characters `start` to `end` of the text; line and column are counted from 1."""

    kind: Kind
    start: int
    end: int
    line: int
    column: int


_LONGEST_MASK = 24
PERSONAL = frozenset({Kind.SOCIAL_SECURITY, Kind.RECORD_NUMBER, Kind.BIRTH, Kind.MAIL})

_WORDS = {
    Kind.NEON_KEY: "a Neon API key",
    Kind.NEON_PASSWORD: "a Neon database password",
    Kind.PORTAL_TOKEN: "a token of this portal",
    Kind.CONNECTION: "a connection string with a password",
    Kind.PRIVATE_KEY: "a private key",
    Kind.SLACK: "a Slack token or webhook address",
    Kind.BEARER: "a bearer token",
    Kind.AWS_KEY: "an AWS key",
    Kind.GITHUB_TOKEN: "a GitHub token",
    Kind.SOCIAL_SECURITY: "a US social security number",
    Kind.RECORD_NUMBER: "a medical record number",
    Kind.BIRTH: "a date of birth",
    Kind.MAIL: "an e-mail address",
}

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
# A date with a time of day beside it is a moment of an incident.
_DATE = (
    rf"(?:\d{{4}}-\d\d?-\d\d?\b(?![T ]?\d\d?:)|\d{{1,2}}[./-]\d{{1,2}}[./-](?:\d{{4}}|\d\d)\b"
    rf"|\d{{1,2}}\.? {_MONTH} \d{{4}}|{_MONTH} \d{{1,2}},? \d{{4}})"
)
_DSN_WORD = r"\b(?:host|hostaddr|user|dbname|port|sslmode)\s{0,3}=\s{0,3}\S"
_DSN_PASSWORD = r"\bpassword\s{0,3}=\s{0,3}(?!\*+(?:\s|$))\S"  # noqa: S105 - a pattern

# Every repetition that another can follow is bounded, so that no text takes long.
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE if ignores_case else 0))
    for kind, pattern, ignores_case in (
        (Kind.NEON_KEY, r"\bnapi_[A-Za-z0-9]{8,}", False),
        (Kind.NEON_PASSWORD, r"\bnpg_[A-Za-z0-9]{8,}", False),
        (Kind.PORTAL_TOKEN, r"\bccops_[a-z0-9]{8}_[A-Za-z0-9_-]{20,}", False),
        (Kind.CONNECTION, r"\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,200}:[^\s@]{1,500}@", True),
        (Kind.CONNECTION, rf"{_DSN_WORD}[^\n]{{0,300}}?{_DSN_PASSWORD}\S*", True),
        (Kind.CONNECTION, rf"{_DSN_PASSWORD}(?=[^\n]{{0,300}}?{_DSN_WORD})\S*", True),
        (Kind.CONNECTION, r"\bPGPASSWORD\s{0,3}=\s{0,3}(?!\*+(?:\s|$))\S+", False),
        (Kind.PRIVATE_KEY, r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
                           r"(?:[\s\S]{0,10000}?-----END [A-Z ]{0,40}KEY-----|[\s\S]*)", False),
        (Kind.SLACK, r"hooks\.slack\.com/services/\S+", True),
        (Kind.SLACK, r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", False),
        (Kind.BEARER, r"\bbearer\s{1,3}[A-Za-z0-9._~+/=-]{16,}", True),
        (Kind.BEARER, r"\beyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]+)?", False),
        (Kind.AWS_KEY, r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", False),
        (Kind.AWS_KEY, r"\baws_secret_access_key\b\s{0,3}[=:]\s{0,3}\S{20,}", True),
        (Kind.GITHUB_TOKEN, r"\b(?:gh[opsru]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})", False),
        # Numbers that the agency never gives are left out: 000, 666 and 9xx first, 00, 0000.
        (Kind.SOCIAL_SECURITY, r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])", False),
        (Kind.SOCIAL_SECURITY, r"\b(?:ssn|social security(?: number| no\.?)?)\W{0,4}(?:is\W)?"
                               r"\d{3}[- ]?\d\d[- ]?\d{4}\b", True),
        (Kind.RECORD_NUMBER, r"\b(?:mrn|medical record(?: number| no\.?| id)?|patient(?: number| no\.?| id| #))"
                             r"[\s:#=.-]{0,4}(?:is\s)?(?!\d{4}-\d\d-\d\d)[a-z]{0,4}-?"
                             r"\d{4,}[\d-]*(?![\w:-]|\.\d)", True),
        (Kind.BIRTH, rf"\b(?:dob|d\.o\.b\.?|date of birth|birth ?da(?:te|y)|born)\b[^\n\d]{{0,20}}?{_DATE}", True),
        # After slashes it is a login before a host; before a colon and more, an address of a repository.
        (Kind.MAIL, r"(?<![\w.+/:-])[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b(?![\w-]|:\w|\.\w)", True),
    )
)  # fmt: skip


def sensitive_in(text: str) -> list[Finding]:
    """Everything that was found, in the order of the text. What overlaps is one finding: a secret if one of it is."""
    kept: list[Finding] = []
    for finding in sorted(_all_in(text), key=lambda finding: (finding.start, -finding.end)):
        if kept and finding.start < kept[-1].end:
            kept[-1] = _together(kept[-1], finding)
        else:
            kept.append(finding)
    return kept


def kinds_in(text: str) -> frozenset[Kind]:
    """The kinds of everything that was found, what overlaps included."""
    return frozenset(kind for kind, pattern in _PATTERNS if pattern.search(text))


def masked(text: str, finding: Finding) -> str:
    """The finding as a page may show it: how long it is and how it is divided, and no letter or digit of it."""
    stars = re.sub(r"\w", "•", text[finding.start : finding.end])
    return stars if len(stars) <= _LONGEST_MASK else f"{stars[:_LONGEST_MASK]}…"


def without_secrets(text: str) -> str:
    """The text with the name of the kind in the place of each secret, so that the rest need not be typed again."""
    for finding in reversed(sensitive_in(text)):
        if finding.kind.is_secret:
            text = f"{text[: finding.start]}[{finding.kind.words} was taken out]{text[finding.end :]}"
    return text


def _together(first: Finding, second: Finding) -> Finding:
    kind = second.kind if second.kind.is_secret and not first.kind.is_secret else first.kind
    return replace(first, kind=kind, end=max(first.end, second.end))


def _all_in(text: str) -> Iterator[Finding]:
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            before = text[: match.start()]
            line_start = before.rfind("\n") + 1
            yield Finding(
                kind=kind,
                start=match.start(),
                end=match.end(),
                line=before.count("\n") + 1,
                column=match.start() - line_start + 1,
            )
