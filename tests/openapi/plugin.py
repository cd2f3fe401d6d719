"""Checks all traffic of the test run against Neon's description: no test has to ask for it, and none escapes.

Three places are watched. In this process every `App` tells of its answers, and every request that the client prepares
is looked at, whatever stands behind the client. Sandboxes that run as processes of their own write a log, which is
read at the end of the run.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from backups.neon.deadline import Deadline
from backups.neon.transport import HttpTransport, Request
from neon_sandbox.app import App
from neon_sandbox.traffic import LOG_VARIABLE, Exchange, exchange_from
from tests.openapi.checker import Checker
from tests.openapi.corrections import corrected
from tests.openapi.description import Description, read_description
from tests.support.node import DESCRIPTION, NodeMissing, node_modules

NAME = "neon-traffic"
SHOWN = 20


class Traffic:
    """What was seen and what was wrong with it, until somebody takes it."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._lock = threading.Lock()
        self._wrong: list[str] = []
        self.seen = 0

    def answered(self, exchange: Exchange) -> None:
        self._note(self._checker.exchange(exchange))

    def asked(self, made: httpx.Request, base_url: str) -> None:
        """A request that the client is about to send."""
        path = made.url.raw_path.decode().partition("?")[0].removeprefix(urlsplit(base_url).path)
        query = parse_qsl(made.url.query.decode(), keep_blank_values=True)
        self._note(self._checker.request(made.method, path, query, made.content.decode(errors="replace")))

    def take(self) -> list[str]:
        """What was wrong since the last time; each once."""
        with self._lock:
            wrong, self._wrong = self._wrong, []
        return list(dict.fromkeys(wrong))

    def _note(self, errors: list[str]) -> None:
        with self._lock:
            self.seen += 1
            self._wrong += errors


def prepared_and_checked(traffic: Traffic) -> None:
    """From now on the traffic sees what every client of this process prepares."""
    prepare = HttpTransport._prepared

    def prepare_and_tell(self: HttpTransport, request: Request, deadline: Deadline) -> httpx.Request:
        made = prepare(self, request, deadline)
        traffic.asked(made, self._base_url)
        return made

    HttpTransport._prepared = prepare_and_tell  # type: ignore[method-assign]


class Watch:
    """The part of the run that belongs to one pytest process."""

    def __init__(self, traffic: Traffic, children: Path | None) -> None:
        self.traffic = traffic
        self._children = children
        self.left_over: list[str] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """After the fixtures have ended, so that what they asked is judged as well."""
        yield
        self.fail_if_wrong()

    def fail_if_wrong(self) -> None:
        if wrong := self.traffic.take():
            pytest.fail("Against Neon's description:\n" + "\n".join(wrong[:SHOWN]), pytrace=False)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._children is not None:
            self._read_children(self._children)
        self.left_over = self.traffic.take()
        if self.left_over and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _read_children(self, log: Path) -> None:
        for line in log.read_text(encoding="utf-8").splitlines():
            self.traffic.answered(exchange_from(line))
        log.unlink()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.left_over:
            return
        terminalreporter.section("Neon's description", red=True, bold=True)
        for error in self.left_over[:SHOWN]:
            terminalreporter.write_line(error)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if config.option.collectonly:
        return
    try:
        published = read_description(node_modules() / DESCRIPTION)
    except NodeMissing as missing:
        _say(config, f"Answers and requests are not compared with Neon's description: {missing}")
        return
    traffic = Traffic(Checker(Description(corrected(published))))
    prepared_and_checked(traffic)
    App.observers.append(traffic.answered)
    config.pluginmanager.register(Watch(traffic, None if _is_worker(config) else _log_of_children()), NAME)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _log_of_children() -> Path:
    """The workers of pytest-xdist and all their children inherit its name."""
    handle, name = tempfile.mkstemp(prefix="neon-traffic-", suffix=".jsonl")
    os.close(handle)
    os.environ[LOG_VARIABLE] = name
    return Path(name)


def _say(config: pytest.Config, sentence: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(sentence, yellow=True)
