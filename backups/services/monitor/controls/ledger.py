"""The ledger: are events sealed, kept where whoever owns the database cannot reach them, and read by somebody?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings

from backups.domain.monitor import FindingCode, Observation, Severity
from backups.selectors.log_review import standing
from backups.selectors.sealing import oldest_unsealed, open_refusals, unanchored_since, untaken_since
from backups.services.sealing.configured import configured_anchors
from backups.services.sealing.places import lies_on_this_host

#: An event waits a second for the seal; a minute is no accident.
_UNSEALED_SECONDS = 60
_SPARE_SECONDS = 120


def sealed(now: dt.datetime) -> Sequence[Observation]:
    """An installation without a sealer has one finding; the others would only repeat it."""
    if not settings.LEDGER_ORIGIN:
        return [_no_sealer()]
    return [*_refused(), *_unsealed(now), *_unanchored(now), *_anchored_here(), *_overdue(now)]


def reviewed(now: dt.datetime) -> Sequence[Observation]:
    """The regular review of the log, when it is more than a day late."""
    log = standing(now)
    if log.due_at is None or not log.is_alarming:
        return []
    began = f"{log.open.reference} is open and not signed" if log.open else "nobody has opened it"
    sentence = f"The review of the log was due {log.due_at:%Y-%m-%d %H:%M} UTC; {began}."
    return [
        Observation(
            code=FindingCode.LOG_REVIEW_OVERDUE,
            subject="log review",
            sentence=sentence,
            evidence={"due_at": log.due_at.isoformat(timespec="seconds")},
        )
    ]


def _refused() -> Iterator[Observation]:
    for refusal in open_refusals():
        yield _found(f"refusal {refusal.code}", refusal.sentence, Severity.CRITICAL, {"code": refusal.code})


def _unsealed(now: dt.datetime) -> Iterator[Observation]:
    since = oldest_unsealed(now=now)
    if since is not None and now - since > dt.timedelta(seconds=_UNSEALED_SECONDS):
        minutes = (now - since).total_seconds() / 60
        sentence = f"Events have not been sealed for {minutes:.0f} min: approved restores will not start."
        yield _found("seal", sentence, Severity.CRITICAL, {"unsealed_minutes": round(minutes)})


def _unanchored(now: dt.datetime) -> Iterator[Observation]:
    since = unanchored_since()
    longest = settings.LEDGER_ANCHOR_SECONDS + _SPARE_SECONDS
    if since is not None and now - since > dt.timedelta(seconds=longest):
        minutes = (now - since).total_seconds() / 60
        sentence = f"No anchor has taken a checkpoint for {minutes:.0f} min. Is LEDGER_ANCHOR_DIRS writable?"
        yield _found("anchor", sentence, Severity.CRITICAL, {"unanchored_minutes": round(minutes)})


def _anchored_here() -> Iterator[Observation]:
    for path in settings.LEDGER_ANCHOR_DIRS:
        if lies_on_this_host(Path(path)):
            sentence = f"The anchor {path} lies on this host's disk: whoever owns the host can change both."
            yield _found(f"anchor {path}", sentence, Severity.NOTICE, {})


def _no_sealer() -> Observation:
    return Observation(
        code=FindingCode.LEDGER_NOT_SEALED,
        subject="sealer",
        sentence="No sealer is set up (LEDGER_ORIGIN): whoever owns the database can change the record unnoticed.",
        evidence={},
    )


def _overdue(now: dt.datetime) -> Iterator[Observation]:
    for anchor in configured_anchors():
        since = untaken_since(anchor.name)
        if since is not None and anchor.rhythm.is_late(since=since, now=now):
            hours = (now - since).total_seconds() / 3600
            yield Observation(
                code=FindingCode.ANCHOR_OVERDUE,
                subject=f"anchor {anchor.name}",
                sentence=f"The anchor {anchor.name} has not taken what was signed {hours:.1f} h ago.",
                evidence={"unanchored_minutes": round(hours * 60)},
            )


def _found(subject: str, sentence: str, severity: Severity, evidence: dict[str, str | int]) -> Observation:
    return Observation(
        code=FindingCode.LEDGER_UNSEALED, subject=subject, sentence=sentence, evidence=evidence, severity=severity
    )
