"""System checks of the settings, run by every command: what would go wrong only in an incident is said at the start."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.module_loading import import_string

from backups.domain.retention import HIPAA_YEARS

# django-q kills a task that outlives its time-out after three seconds, at the next round of its guard.
_HARD_KILL_SECONDS = 3.5
# backups/selectors/audit/gaps.py calls what is half as long again a silence.
_LONGEST_BEAT_SECONDS = 600


@register(Tags.security, deploy=True)
def records_are_kept_long_enough(**kwargs: Any) -> list[CheckMessage]:
    """Only for `check --deploy`: a machine to try things on may keep less."""
    if settings.RETENTION_YEARS >= HIPAA_YEARS:
        return []
    return [
        Error(
            f"RETENTION_YEARS is {settings.RETENTION_YEARS}: 45 CFR 164.316(b)(2)(i) asks for {HIPAA_YEARS} years.",
            hint="Unset it (seven years), or write six or more.",
            id="carecircle_ops.E007",
        )
    ]


@register(Tags.compatibility)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    return [*_intervals(), *_messages(), *_duties(), *_site(), *_own_database(), *_silence()]


def _intervals() -> Iterator[CheckMessage]:
    lease = settings.EXECUTION_LEASE_SECONDS
    longest_task = settings.TASK_TIMEOUT_SECONDS + _HARD_KILL_SECONDS
    if lease <= max(longest_task, settings.NEON_CALL_DEADLINE_SECONDS):
        yield Error(
            f"EXECUTION_LEASE_SECONDS ({lease:g}) is not longer than a task and a call to Neon can take "
            f"({longest_task:g} and {settings.NEON_CALL_DEADLINE_SECONDS:g}): a second worker could begin while the "
            "first is still at it.",
            id="carecircle_ops.E001",
        )
    if settings.WORKER_WATCHDOG_SECONDS < 3 * settings.WORKER_HEARTBEAT_SECONDS:
        yield Error(
            "WORKER_WATCHDOG_SECONDS is less than three WORKER_HEARTBEAT_SECONDS: a healthy worker would be killed.",
            id="carecircle_ops.E002",
        )


def _messages() -> Iterator[CheckMessage]:
    longest = max(settings.NOTIFICATION_MAIL_SECONDS, settings.NOTIFICATION_POST_SECONDS)
    if longest >= settings.NOTIFICATION_LEASE_SECONDS:
        yield Error(
            f"NOTIFICATION_LEASE_SECONDS ({settings.NOTIFICATION_LEASE_SECONDS:g}) is not longer than one delivery can "
            f"take ({longest:g}): a message could be sent twice at once, and out of order.",
            id="carecircle_ops.E005",
        )
    if not 0 < settings.NOTIFICATION_FIRST_WARNING_PERCENT < settings.NOTIFICATION_LAST_WARNING_PERCENT < 100:
        yield Error(
            "NOTIFICATION_FIRST_WARNING_PERCENT must be less than NOTIFICATION_LAST_WARNING_PERCENT, and that less "
            "than 100: nobody would be warned of a clock in time.",
            id="carecircle_ops.E006",
        )


def _duties() -> Iterator[CheckMessage]:
    for path in settings.WORKER_DUTIES:
        try:
            import_string(path)
        except ImportError as error:
            yield Error(f"WORKER_DUTIES names {path}, which cannot be imported: {error}", id="carecircle_ops.E003")


def _site() -> Iterator[CheckMessage]:
    if not settings.HTTPS_ONLY and not _is_this_machine(urlsplit(settings.SITE_URL).hostname or ""):
        yield Error(
            f"SITE_URL is {settings.SITE_URL}: passwords and votes would cross the network unencrypted.",
            hint="Put a proxy with TLS in front and write https://. Plain http is accepted for this machine only.",
            id="carecircle_ops.E004",
        )


def _silence() -> Iterator[CheckMessage]:
    if settings.LEDGER_BEAT_SECONDS > _LONGEST_BEAT_SECONDS:
        yield Error(
            f"LEDGER_BEAT_SECONDS is {settings.LEDGER_BEAT_SECONDS:g}: auditors are told of each silence longer than "
            f"15 minutes, which takes a heartbeat every {_LONGEST_BEAT_SECONDS} seconds or more often.",
            id="carecircle_ops.E008",
        )


def _own_database() -> Iterator[CheckMessage]:
    host = str(settings.DATABASES["default"].get("HOST") or "")
    if host.endswith((".neon.tech", ".neon.build")):
        yield Warning(
            "The portal's own database lies at Neon. A restore of its branch would take back the portal's own memory, "
            "and the queue keeps its compute awake all day.",
            hint="Use a PostgreSQL outside of every project that the portal manages.",
            id="carecircle_ops.W001",
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in {"localhost", "testserver"} or host.endswith(".localhost")
