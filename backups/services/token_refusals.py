"""Keeps strangers from filling the ledger: in one process only so many refused tokens a minute become events."""

from __future__ import annotations

import threading
import time
from collections import deque

_MOST_A_MINUTE = 30
_lock = threading.Lock()
_recorded: deque[float] = deque(maxlen=_MOST_A_MINUTE)


def may_record() -> bool:
    """Whether one more refusal is recorded now; asking counts as recording it."""
    now = time.monotonic()
    with _lock:
        if len(_recorded) == _MOST_A_MINUTE and now - _recorded[0] < 60:
            return False
        _recorded.append(now)
        return True


def forget() -> None:
    """As after a start of the process."""
    with _lock:
        _recorded.clear()
