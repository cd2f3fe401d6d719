"""docs/sandbox.md names every switch, every fault and every route of the sandbox's own, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from neon_sandbox.api.routes import CONTROL
from neon_sandbox.entities import Settings
from neon_sandbox.faults import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")


def rows_below(heading: str) -> list[list[str]]:
    """The names in the first column of the first table behind these words."""
    table = PAGE[PAGE.index(heading) :].split("|---|", 1)[1].split("\n\n", 1)[0]
    return [re.findall(r"`([^`]+)`", line.split("|")[1]) for line in table.splitlines()[1:]]


def named(heading: str) -> set[str]:
    return {name for row in rows_below(heading) for name in row}


def test_settings():
    assert named("| setting |") == {field.name for field in fields(Settings)} - {"id"}


def test_faults():
    assert named("| kind |") == set(KINDS)


def test_routes():
    told = {re.sub(r"^(?:[A-Z]+, )*[A-Z]+ ", "", name) for name in named("| route |") if "/" in name}
    there = {re.sub(r"\(\?P<\w+>.*?\)", "{id}", pattern.pattern.removesuffix("/?")) for _, pattern, _ in CONTROL}
    assert {path for path in there if not path.endswith(("/faults/{id}", "/keys/{id}"))} == told
