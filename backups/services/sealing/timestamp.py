"""An RFC 3161 time-stamp authority as an anchor: it signs that it saw the checkpoint's bytes at a time of its clock."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from django.conf import settings
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerifierBuilder,
    decode_timestamp_response,
)

from backups.domain.anchor import TIME_STAMPS, Every, Rhythm
from backups.ledger.verifier.notes import Checkpoint
from backups.services.notification.errors import NotDelivered
from backups.services.notification.post import post
from backups.services.sealing.anchors import DirectoryAnchor, Taken
from backups.services.sealing.errors import AnchorFailed

logger = logging.getLogger(__name__)

_MAX_TOKEN_BYTES = 64 * 1024
_SPARE_SECONDS = 900
#: How OpenSSL says that a chain of certificates ends at none of the roots.
_UNKNOWN = "certificate verify error"


@dataclass(frozen=True, slots=True)
class TimeStampAnchor:
    """`beside`: anchor directories that keep each answer under the checkpoint's name and `.tsr`."""

    url: str
    gates: bool
    beside: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return f"{TIME_STAMPS}{urlsplit(self.url).hostname or '?'}"

    @property
    def rhythm(self) -> Rhythm:
        return Every(seconds=settings.LEDGER_TSA_SECONDS, spare_seconds=_SPARE_SECONDS, at_once=self.gates)

    def take(self, checkpoint: Checkpoint, *, at: dt.datetime) -> Taken:
        roots = configured_roots()
        request = (
            TimestampRequestBuilder()
            .data(checkpoint.note.encode("utf-8"))
            .hash_algorithm(HashAlgorithm.SHA256)
            .nonce(nonce=True)
            .cert_request(cert_request=True)
            .build()
        )
        answer = self._ask(request.as_bytes())
        moment = time_in_token(answer, checkpoint.note, roots, nonce=request.nonce)
        for path in self.beside:
            self._keep_beside(path, checkpoint, answer, at)
        return Taken(reference_of(moment), answer)

    def newest(self) -> Checkpoint | None:
        """An authority keeps nothing."""
        return None

    def _ask(self, request: bytes) -> bytes:
        try:
            answer = post(
                url=self.url,
                body=request,
                headers={"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"},
                within_seconds=settings.LEDGER_ANCHOR_CALL_SECONDS,
                max_bytes=_MAX_TOKEN_BYTES,
            )
        except NotDelivered as lost:
            raise AnchorFailed(f"The time-stamp authority gave no time stamp. {lost}") from None
        return answer.body

    def _keep_beside(self, path: Path, checkpoint: Checkpoint, answer: bytes, at: dt.datetime) -> None:
        try:
            DirectoryAnchor(path, gates=False).keep_beside(checkpoint, answer, suffix=".tsr", at=at)
        except AnchorFailed as failed:  # the token is in the database all the same
            logger.warning("A time stamp was not kept beside its checkpoint: %s", failed)


def configured_roots() -> list[x509.Certificate]:
    """The certificates in LEDGER_TSA_ROOTS. Raises AnchorFailed."""
    try:
        return read_roots(Path(settings.LEDGER_TSA_ROOTS))
    except AnchorFailed as failed:
        raise AnchorFailed(f"No time stamp was asked for: {failed}") from None


def read_roots(path: Path) -> list[x509.Certificate]:
    """Raises AnchorFailed."""
    try:
        return list(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError):
        raise AnchorFailed(
            f"{path} is no file of PEM certificates that can be read (LEDGER_TSA_ROOTS). Put the authority's root "
            "certificate there."
        ) from None


class TokenRefused(ValueError):
    """It is no time stamp of this checkpoint by one of these authorities; the message says why.

    `is_unknown_authority`: it may be genuine, but leads to none of the roots.
    """

    def __init__(self, reason: str, *, is_unknown_authority: bool) -> None:
        super().__init__(reason)
        self.is_unknown_authority = is_unknown_authority


def checked_time(
    answer: bytes, note: str, roots: Sequence[x509.Certificate], *, nonce: int | None = None
) -> dt.datetime:
    """When the authority signed that it saw the note, by its clock in UTC (RFC 3161 section 2.4.2).

    Checks status, imprint, nonce, the signature and the chain up to one of the roots, whose certificates must have been
    valid at that time. Raises TokenRefused.
    """
    try:
        response = decode_timestamp_response(answer)
        # Not chained calls: each of those adds to one list of the class's making.
        verifier = VerifierBuilder(roots=list(roots), nonce=nonce).build()
        verifier.verify_message(response, note.encode("utf-8"))
        moment = response.tst_info.gen_time
    except Exception as refused:  # bytes from elsewhere, and parsers with errors of several families
        reason = str(refused)
        raise TokenRefused(_in_short(reason), is_unknown_authority=_UNKNOWN in reason) from None
    return moment.astimezone(dt.UTC)


def time_in_token(
    answer: bytes, note: str, roots: Sequence[x509.Certificate], *, nonce: int | None = None
) -> dt.datetime:
    """As `checked_time`. Raises AnchorFailed."""
    try:
        return checked_time(answer, note, roots, nonce=nonce)
    except TokenRefused as refused:
        raise AnchorFailed(
            f"The time-stamp authority's answer is no time stamp of this checkpoint ({refused}). It was not kept."
        ) from None


def reference_of(moment: dt.datetime) -> str:
    """As a receipt names the time of its token."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _in_short(reason: str) -> str:
    """Without the places in OpenSSL's sources."""
    return re.sub(r": ErrorStack\(.*", "", reason)[:200]
