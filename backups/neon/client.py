"""The client that the services use."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType

from backups.neon.accounts import Account
from backups.neon.branches import Branches
from backups.neon.calls import Caller, HoldBack, OnCall, Surroundings
from backups.neon.consumption import Consumption
from backups.neon.databases import Databases, connection_uri
from backups.neon.deadline import Deadlines
from backups.neon.endpoints import Endpoints
from backups.neon.operations import Operations
from backups.neon.paging import PAGE_SIZE
from backups.neon.projects import Projects
from backups.neon.retry import DEFAULT_POLICY, RetryPolicy
from backups.neon.roles import Roles
from backups.neon.schedules import Schedules
from backups.neon.schemas import Schemas
from backups.neon.secret import Secret
from backups.neon.snapshots import Snapshots
from backups.neon.transport import MAX_ANSWER_BYTES, BaseTransport, HttpTransport
from backups.neon.types import Auth

NEON_URL = "https://console.neon.tech/api/v2"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class NeonClient:
    """Neon's API v2, typed. Use as a context manager; make one per task, not one before a fork.

    Reads try again by themselves inside `deadlines.total_seconds`. Changes are sent once: they raise
    `TryLater` (nothing was done), `OutcomeUnknown` (look before anything else), or a refusal. Every error is
    a `NeonError`. Wrong arguments raise ValueError before anything is sent.

    `request_id` of a change is the X-Request-ID to send, for a caller that has stored it beforehand.
    `on_call` is told about each HTTP attempt; what it raises is logged and otherwise ignored.
    `hold_back` is asked before each; a sentence instead of an empty text raises `HeldBack`, and nothing is sent.
    """

    def __init__(
        self,
        api_key: Secret,
        base_url: str = NEON_URL,
        transport: BaseTransport | None = None,
        deadlines: Deadlines | None = None,
        on_call: OnCall | None = None,
        *,
        hold_back: HoldBack | None = None,
        retry_policy: RetryPolicy = DEFAULT_POLICY,
        page_size: int = PAGE_SIZE,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], None] = time.sleep,
        randomness: Callable[[], float] = random.random,
    ) -> None:
        if not api_key.fits_a_header:
            # Said here, because HTTP libraries quote the offending value when they find it.
            raise ValueError("the Neon API key is empty, or holds spaces or other characters that no key has")
        limits = deadlines or Deadlines()
        sender = HttpTransport(
            base_url=base_url,
            api_key=api_key,
            deadlines=limits,
            inner=transport,
            max_answer_bytes=max_answer_bytes,
        )
        caller = Caller(
            sender=sender,
            api_key=api_key,
            deadlines=limits,
            policy=retry_policy,
            surroundings=Surroundings(clock, now, sleep, randomness),
            on_call=on_call,
            hold_back=hold_back,
        )
        self._use(caller, page_size)

    def _use(self, caller: Caller, page_size: int) -> None:
        self._caller = caller
        self._page_size = page_size
        self.account = Account(caller)
        self.projects = Projects(caller, page_size=page_size)
        self.branches = Branches(caller, page_size=page_size)
        self.endpoints = Endpoints(caller)
        self.operations = Operations(caller, page_size=page_size)
        self.databases = Databases(caller)
        self.roles = Roles(caller)
        self.snapshots = Snapshots(caller)
        self.schedules = Schedules(caller)
        self.schemas = Schemas(caller)
        self.consumption = Consumption(caller)

    def __repr__(self) -> str:
        return f"<NeonClient {getattr(self, '_caller', None)!r}>"

    def __enter__(self) -> NeonClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._caller.close()

    def limited_to(self, total_seconds: float) -> NeonClient:
        """A view whose calls end within `total_seconds`, for a step with less time left than a call may
        take. It shares the connection: close the original only."""
        view = object.__new__(NeonClient)
        view._use(self._caller.limited_to(total_seconds), self._page_size)
        return view

    def auth(self) -> Auth:
        """Whose key this is: the cheapest way to learn whether it works."""
        return self._caller.read("auth", Auth.of)

    def connection_uri(
        self,
        project_id: str,
        *,
        branch_id: str,
        database_name: str,
        role_name: str,
        endpoint_id: str | None = None,
        pooled: bool = False,
    ) -> Secret:
        """The address with its password. Not pooled by default: checks need session state."""
        return connection_uri(
            self._caller,
            project_id,
            branch_id=branch_id,
            database_name=database_name,
            role_name=role_name,
            endpoint_id=endpoint_id,
            pooled=pooled,
        )
