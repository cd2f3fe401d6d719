"""One mail through Django, in a fixed time."""

from __future__ import annotations

import hashlib
import smtplib
import socket
import ssl
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend

from backups.services.notification.cut_off import CutOff
from backups.services.notification.errors import NotDelivered

_SMTP = "django.core.mail.backends.smtp.EmailBackend"


def send_mail(
    *,
    to: str,
    subject: str,
    body: str,
    message_id: str,
    within_seconds: float,
    thread: str = "",
    is_urgent: bool = False,
) -> None:
    """Raises NotDelivered. The same `message_id` twice is one message to the reader's mailbox, where it looks.

    Mails with the same `thread` are shown together by programs that do so.
    """
    with CutOff(within_seconds) as cut_off:
        connection = _backend(cut_off)
        message = EmailMessage(
            subject=subject,
            body=body,
            to=[to],
            connection=connection,
            headers=_headers(message_id, thread, is_urgent=is_urgent),
        )
        try:
            message.send()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise _lost(error, cut_off) from None  # the server's words can quote the address and the log-in
        finally:
            connection.close()


def _headers(message_id: str, thread: str, *, is_urgent: bool) -> dict[str, str]:
    headers = {"Message-ID": f"<{message_id}@{_site()}>", "Auto-Submitted": "auto-generated"}
    if thread:
        # A hash, because the thread's name may hold what no header may.
        headers["References"] = f"<{hashlib.sha256(thread.encode()).hexdigest()[:32]}@{_site()}>"
    return headers | ({"Importance": "high"} if is_urgent else {})


def _site() -> str:
    return urlsplit(settings.SITE_URL).hostname or "localhost"


def _backend(cut_off: CutOff) -> BaseEmailBackend:
    if settings.EMAIL_BACKEND == _SMTP:
        return _CutOffBackend(cut_off)
    chosen: BaseEmailBackend = get_connection()
    return chosen


class _CutOffBackend(SmtpBackend):
    """Django's, but on connections that end in time."""

    def __init__(self, cut_off: CutOff) -> None:
        super().__init__(timeout=int(cut_off.seconds) or 1)
        self._cut_off = cut_off

    @property
    def connection_class(self) -> Any:
        base: Any = smtplib.SMTP_SSL if self.use_ssl else smtplib.SMTP
        cut_off = self._cut_off

        class Connection(base):  # type: ignore[misc]
            def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
                opened = cut_off.connect(host, port)
                if base is smtplib.SMTP:
                    return opened
                wrapped: socket.socket = self.context.wrap_socket(opened, server_hostname=host)
                return wrapped

        return Connection

    def close(self) -> None:
        # The mail has been taken, or its failure is on its way up: how the farewell goes changes neither.
        with suppress(OSError, smtplib.SMTPException):
            super().close()


def _lost(error: Exception, cut_off: CutOff) -> NotDelivered:
    if cut_off.happened or isinstance(error, TimeoutError):
        return NotDelivered("timed_out", f"The mail server did not finish within {cut_off.seconds:g} s.")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return NotDelivered("log_in_refused", "The mail server refused the log-in.", status=error.smtp_code)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return NotDelivered("recipient_refused", "The mail server refused the recipient's address.")
    if isinstance(error, smtplib.SMTPResponseException):
        code = error.smtp_code
        return NotDelivered("refused", f"The mail server answered {code}.", status=code if code > 0 else None)
    if isinstance(error, ssl.SSLError):
        return NotDelivered("tls_failed", "The encrypted connection could not be made: check the certificate.")
    if isinstance(error, ValueError):
        return NotDelivered("bad_address", "The address can't be written into a mail; nothing was sent.")
    return NotDelivered("unreachable", f"There is no connection to the mail server ({type(error).__name__}).")
