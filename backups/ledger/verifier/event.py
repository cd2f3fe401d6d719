"""What is read of an event while a log is checked: its id, and when it says that it was recorded."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Dict, NamedTuple, Optional

EVENT_FORM = "ccops.audit/1"

_TIME_TEXT = r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z"
_TIME = re.compile(_TIME_TEXT)

# How an event ends, as the portal writes it: members in the order of their names, none within another within another.
# In a text that is JSON, what this finds are members of the event itself: the last brace closes it, no other brace is
# left open between, and a match cannot begin inside of a string, because its first quote would end the string and a
# name cannot follow that. Whether the text is JSON from its beginning, only a strict check asks.
_END = re.compile(
    (
        r',"id":"([0-9a-f-]{36})","out":\{[^{}]*\}(?:,"reason":\{[^{}]*\})?,"rec":"(%s)"(?:,"src":\{[^{}]*\})?'
        r',"target":\{[^{}]*\},"time":"[^"\\]*","type":"[^"\\]*","v":"%s"\}\Z' % (_TIME_TEXT, re.escape(EVENT_FORM))
    ).encode("ascii")
)


class Told(NamedTuple):
    """`recorded` is a time as the ledger writes it, so that texts compare as the times do; empty: it says none."""

    id: str
    recorded: str


def told_by(body: bytes) -> Optional[Told]:
    """None when these are not the bytes of an event. Bytes in the usual form are not read as JSON, others are."""
    end = _END.search(body)
    if end:
        event_id, recorded = end.groups()
        return Told(event_id.decode("ascii"), _time_or_nothing(recorded.decode("ascii")))
    event = read_event(body)
    if event is None:
        return None
    recorded_text = str(event.get("rec", ""))
    return Told(str(event.get("id", "")), _time_or_nothing(recorded_text) if _TIME.fullmatch(recorded_text) else "")


def read_event(body: bytes) -> Optional[Dict[str, Any]]:
    """The whole event; None when these are not the bytes of one."""
    try:
        event = json.loads(body.decode("utf-8"))
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("v") == EVENT_FORM else None


def parsed_time(text: str) -> Optional[datetime]:
    """A time as the ledger writes it, or None."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text[:-1] + "+00:00")
    except ValueError:
        return None


def canonical(value: Any) -> bytes:
    """RFC 8785 for what events hold: text, integers, lists and maps."""
    return json.dumps(_in_order(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _in_order(value[name]) for name in names}
    return [_in_order(member) for member in value] if isinstance(value, list) else value


def _time_or_nothing(text: str) -> str:
    return text if _is_a_day(text[:10]) else ""


@lru_cache(maxsize=1000)
def _is_a_day(text: str) -> bool:
    return parsed_time(text + "T00:00:00.000000Z") is not None
