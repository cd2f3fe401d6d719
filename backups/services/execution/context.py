"""What a step is given: the run, the time that is left, and the way to Neon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from backups.models import Execution, ProtectedBranch, RestoreRequest
from backups.neon.client import NeonClient
from backups.services.execution.claim import Claim
from backups.services.execution.events import correlation_of
from backups.services.execution.giving_way import held_back_by_production
from backups.services.execution.served import branch_of, request_of
from backups.services.neon_access import client_for, refuse_inside_transaction

#: What must be left of a step for a call to Neon to be worth beginning.
_SMALLEST_CALL_SECONDS = 0.05


@dataclass
class Workplace:
    """What the steps under one claim share: the connection to Neon and the end of the task's time."""

    ends_at: float
    _client: NeonClient | None = None

    def client(self, execution: Execution) -> NeonClient:
        """Made at the first use, after the fork, and kept for all steps of the task."""
        refuse_inside_transaction()
        if self._client is None:
            self._client = client_for(
                execution.project,
                correlation=correlation_of(execution),
                execution=execution,
                hold_back=held_back_by_production(execution),
            )
        return self._client

    def close(self) -> None:
        """Ends the connection to Neon, if there is one."""
        if self._client is not None:
            self._client.close()


@dataclass
class StepContext:
    """One pass of one step. `ends_at` is on the monotonic clock."""

    execution: Execution
    claim: Claim
    workplace: Workplace
    ends_at: float
    sleep: Callable[[float], None] = field(default=time.sleep)
    _longest_call_seconds: float = float("inf")

    @property
    def client(self) -> NeonClient:
        """Neon, with calls that end before the step does. Raises CallInsideTransaction."""
        left = max(_SMALLEST_CALL_SECONDS, min(self.remaining_seconds(), self._longest_call_seconds))
        return self.workplace.client(self.execution).limited_to(min(left, settings.NEON_CALL_DEADLINE_SECONDS))

    @contextmanager
    def calls_within(self, seconds: float) -> Iterator[None]:
        """Calls begun in this block end that soon: an order must be over when its intent says that it is."""
        self._longest_call_seconds = seconds
        try:
            yield
        finally:
            self._longest_call_seconds = float("inf")

    @property
    def project_id(self) -> str:
        """Neon's id of the project."""
        return self.execution.project.neon_project_id

    @property
    def request(self) -> RestoreRequest:
        """The request that the run serves; only for runs that have one."""
        return request_of(self.execution)

    @property
    def branch(self) -> ProtectedBranch:
        """The protected branch that the run is about."""
        return branch_of(self.execution)

    @property
    def memory(self) -> dict[str, Any]:
        """What earlier steps noted."""
        memory: dict[str, Any] = self.execution.memory
        return memory

    @property
    def tries(self) -> int:
        """How often this step has waited for the same trouble to pass."""
        return int(self.memory.get("tries", 0))

    def remaining_seconds(self) -> float:
        """What is left of the step."""
        return max(0.0, self.ends_at - time.monotonic())

    def pause(self, seconds: float) -> bool:
        """Waits inside the step. False, at once, when that would outlast it."""
        if seconds >= self.remaining_seconds():
            return False
        self.sleep(seconds)
        return True
