"""The rules that tests/conftest.py puts on every run hold themselves."""

from __future__ import annotations

import pytest

from tests import conftest

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(("ci", "outcome"), [("true", {"failed": 1}), ("", {"skipped": 1})])
def test_a_skip_is_a_failure_in_ci(pytester, monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def browser():
            pytest.skip("no Chromium")

        def test_page(browser):
            pass
        """
    )

    class Rules:
        pytest_runtest_makereport = staticmethod(conftest.pytest_runtest_makereport)

    result = pytester.inline_run("-p", "no:django", "-p", "no:randomly", plugins=[Rules()])

    counts = {"failed": result.countoutcomes()[2], "skipped": result.countoutcomes()[1]}
    assert {name: count for name, count in counts.items() if count} == outcome


def test_no_test_may_truncate_the_ledger():
    class Item:
        nodeid = "tests/x.py::test_y"

        def get_closest_marker(self, name):
            return pytest.mark.django_db(transaction=True).mark

    with pytest.raises(pytest.UsageError, match="use the fixture own_database"):
        conftest.pytest_collection_modifyitems([Item()])  # type: ignore[list-item]
