"""The words in which every part of the portal tells the ledger what happened."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"
    UNKNOWN = "unknown"
    """Neither seen to work nor seen to fail, such as a call whose answer was lost."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an event is about. `project` and `branch` are Neon's ids, where there are any."""

    kind: str
    id: str
    project: str = ""
    branch: str = ""
    environment: str = ""


NO_TARGET = Target(kind="portal", id="portal")
