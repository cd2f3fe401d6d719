"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Iterator

from django.conf import settings

from backups.neon.errors import TryLater


def backoff_seconds(tries: int) -> float:
    """Doubles with each try up to the longest wait; the upper half is random, so that workers spread."""
    ceiling = settings.EXECUTION_RETRY_SECONDS * 2.0 ** min(tries, 16)
    return min(ceiling, settings.EXECUTION_RETRY_LONGEST_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311


def wait_after(error: TryLater, tries: int) -> float:
    """What Neon asked for, if it did, but never less than our own back-off."""
    asked = error.retry_after_seconds if error.asked_by_neon else 0.0
    return max(asked, backoff_seconds(tries))


def polling_pauses() -> Iterator[float]:
    """Pauses between two looks at something under way: short at first, then longer, without an end."""
    pause = settings.EXECUTION_POLL_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, settings.EXECUTION_POLL_LONGEST_SECONDS)
