"""Clients whose clock, sleep and randomness belong to the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from backups.neon.calls import CallRecord
from backups.neon.client import NeonClient
from backups.neon.deadline import Deadlines
from backups.neon.secret import Secret
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.neon.local import client_of

KEY = "napi_canary-3f9c1d7e5b"
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
PROJECT = "calm-river-12345678"
MAIN = "br-main-tree-11111111"


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    seconds: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000.0)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@dataclass
class Fake:
    """Answers prepared by a test, in order, and everything that was asked."""

    time: Time = field(default_factory=Time)
    answers: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    records: list[CallRecord] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def will(self, *answers: httpx.Response | Exception) -> None:
        self.answers.extend(answers)

    def says(self, body: Any, status: int = 200, **headers: str) -> None:
        self.will(httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()}))

    @property
    def asked(self) -> list[str]:
        return [f"{r.method} {r.url.path.removeprefix('/api/v2')}" for r in self.requests]

    def client(self, **options: Any) -> NeonClient:
        return NeonClient(
            Secret(KEY),
            transport=httpx.MockTransport(self.handle),
            on_call=self.records.append,
            clock=self.time.clock,
            now=self.time.now,
            sleep=self.time.sleep,
            randomness=lambda: 0.5,
            **options,
        )


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def neon(fake: Fake) -> Iterator[NeonClient]:
    with fake.client() as client:
        yield client
    assert not fake.answers, "the client asked for less than the test expected"


@pytest.fixture
def connect() -> Iterator[Callable[..., NeonClient]]:
    """Clients over real sockets. Where a test waits for the deadline, it sets a short one."""
    opened: list[NeonClient] = []

    def make(url: str, *, total_seconds: float = 10.0, read_seconds: float = 5.0, **options: Any) -> NeonClient:
        limits = Deadlines(connect_seconds=5.0, read_seconds=read_seconds, total_seconds=total_seconds)
        opened.append(NeonClient(Secret(KEY), url, deadlines=limits, randomness=lambda: 0.0, **options))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def local(sandbox: RunningSandbox) -> Iterator[NeonClient]:
    """A client of the local Neon."""
    with client_of(sandbox) as client:
        yield client
