"""What one pass of one step can come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from backups.domain.execution import Step
from backups.models import Execution

#: Runs inside the transaction that ends the step, after the row was changed under its fence. No calls to Neon here.
Commit: TypeAlias = Callable[[Execution], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """`memory` is laid over the run's memory; `sentence` is for people."""

    sentence: str = ""
    memory: Mapping[str, Any] = field(default_factory=dict)
    commit: Commit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance(_Ending):
    """The step is done; `to` comes next."""

    to: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Again(_Ending):
    """The same step once more, in `after_seconds`; meanwhile the run waits for something that has a name."""

    after_seconds: float
    waiting_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(_Ending):
    """The run has done what it was for."""

    outcome_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoEffect(_Ending):
    """The run ended and is proven to have changed nothing."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt(_Ending):
    """A person must decide. Nothing runs until then."""

    code: str


StepResult: TypeAlias = Advance | Again | Finished | NoEffect | Halt
