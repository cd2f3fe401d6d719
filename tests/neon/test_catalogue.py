"""The catalogue says what the client does: every method is in it, every entry has a method, and each is tried."""

from __future__ import annotations

import inspect
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from backups.neon import errors
from backups.neon.calls_table import render
from backups.neon.catalogue import CATALOGUE, ApiCall
from backups.neon.client import NeonClient
from backups.neon.retry import DEFAULT_POLICY, CallKind
from tests.neon.conftest import Fake
from tests.neon.samples import IDS, SAMPLES

READS = sorted(name for name, call in CATALOGUE.items() if call.kind is CallKind.READ)
CHANGES = sorted(set(CATALOGUE) - set(READS))
# Made of other methods, or not calls at all.
COMPOSED = {"branches.find_by_name", "snapshots.find_by_name", "operations.wait_for", "close", "limited_to"}


def public_methods(client: NeonClient) -> set[str]:
    """The methods of the client and of what hangs on it, as a caller writes them."""
    groups = {name: part for name, part in vars(client).items() if not name.startswith("_")}
    own = {name for name, _ in inspect.getmembers(type(client), inspect.isfunction) if not name.startswith("_")}
    return own | {
        f"{group}.{name}"
        for group, part in groups.items()
        for name, _ in inspect.getmembers(type(part), inspect.isfunction)
        if not name.startswith("_")
    }


def expected(call: ApiCall) -> str:
    return f"{call.method} {call.path.format_map(IDS)}"


def test_every_method_is_in_the_catalogue_and_every_entry_has_a_method(neon: NeonClient) -> None:
    assert public_methods(neon) - COMPOSED == set(CATALOGUE)
    assert public_methods(neon) >= COMPOSED


def test_every_entry_is_tried_here() -> None:
    assert set(SAMPLES) == set(CATALOGUE)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_method_makes_the_call_that_the_catalogue_tells(fake: Fake, neon: NeonClient, name: str) -> None:
    fake.says(SAMPLES[name].answer)
    SAMPLES[name].call(neon)
    assert fake.asked == [expected(CATALOGUE[name])]
    assert "canary" not in repr(fake.records)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_whose_answer_is_lost_is_sent_once_and_says_whether_it_may_be_repeated(
    fake: Fake, neon: NeonClient, name: str
) -> None:
    fake.will(httpx.ReadTimeout("lost"))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        SAMPLES[name].call(neon)
    assert caught.value.safe_to_repeat is (CATALOGUE[name].kind is CallKind.REPEATABLE)
    assert fake.asked == [expected(CATALOGUE[name])]


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"schedules.put"}))
def test_a_success_that_tells_nothing_is_unknown(fake: Fake, neon: NeonClient, name: str) -> None:
    fake.says({})
    with pytest.raises(errors.OutcomeUnknown):
        SAMPLES[name].call(neon)


@pytest.mark.parametrize("name", READS)
def test_a_read_gets_over_a_lost_answer_and_the_rate_limit(fake: Fake, neon: NeonClient, name: str) -> None:
    fake.will(httpx.ReadTimeout("lost"), httpx.Response(429, json={"message": "too many requests"}))
    fake.says(SAMPLES[name].answer)
    SAMPLES[name].call(neon)
    assert fake.asked == [expected(CATALOGUE[name])] * DEFAULT_POLICY.read_attempts
    assert len(fake.time.slept) == 2


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_rate_limit_ends_every_call_in_the_same_way(fake: Fake, neon: NeonClient, name: str) -> None:
    fake.says({"message": "too many requests"}, status=429, retry_after="60")
    with pytest.raises(errors.NeonRateLimited) as caught:
        SAMPLES[name].call(neon)
    assert (caught.value.retry_after_seconds, caught.value.asked_by_neon) == (60.0, True)
    assert len(fake.requests) == 1


def test_a_change_says_what_to_look_up_and_a_read_needs_no_look_up() -> None:
    for call in CATALOGUE.values():
        assert bool(call.look_up) == (call.kind is not CallKind.READ)


@pytest.mark.parametrize("ids", [{}, {"project_id": "p", "branch_id": "b"}])
def test_a_path_with_a_part_too_few_or_too_many_is_not_made(ids: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="project_id"):
        CATALOGUE["projects.get"].path_of(ids)


def test_the_page_is_the_one_made_of_the_code() -> None:
    page = Path(settings.BASE_DIR) / "docs/neon-calls.md"
    assert page.read_text(encoding="utf-8") == render(), "run: python -m backups.neon.calls_table > docs/neon-calls.md"


def test_the_page_has_a_row_for_every_call() -> None:
    page = render()
    for call in CATALOGUE.values():
        assert f"| `{call.name}` | `{call.method} {call.path}` |" in page
        assert call.look_up in page
