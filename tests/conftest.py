"""Fixtures for every test, and two rules: a missing tool fails in CI, and nobody truncates the ledger."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings as hypothesis_settings

pytest_plugins = [
    "tests.support.database",
    "tests.support.portal",
    "tests.support.browser",
    "tests.support.people",
    "tests.support.worker",
    "tests.support.sealing",
    "tests.support.exports",
    "tests.support.node",
    "tests.openapi.plugin",
]

hypothesis_settings.register_profile("local", print_blob=True, deadline=None)
# The same examples in every run, so that a failure in CI is the same failure here.
hypothesis_settings.register_profile("ci", derandomize=True, print_blob=True, deadline=None)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker and marker.kwargs.get("transaction"):
            raise pytest.UsageError(
                f"{item.nodeid}: tables of events cannot be truncated after a test; use the fixture own_database."
            )
    # The slowest first, so that at the end of the run no process waits for the other's last long test.
    items.sort(key=lambda item: not any(map(item.get_closest_marker, ("browser", "acceptance"))))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """In CI everything that tests need is installed, so a test that does not run is a hole, not a convenience."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although CI is set: {report.longrepr}"
    return report
