"""What the pages in Markdown name is there: commands, targets of make, and the files that they link to."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.urls import resolve

ROOT = Path(settings.BASE_DIR)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"(?:manage\.py|ops-manage) ([a-z][a-z_]+)")
_MAKE = re.compile(r"`make ([a-z]+)|^make ([a-z]+)", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors_of(page: Path) -> set[str]:
    """The anchors that a reader's browser finds: headings in lower case, with hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_links_lead_somewhere(page):
    broken = []
    for link in _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)

    assert broken == []


@every_page
def test_commands_exist(page):
    named = set(_COMMAND.findall(page.read_text(encoding="utf-8")))

    assert named - set(get_commands()) == set()


@every_page
def test_targets_of_make_exist(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {first or second for first, second in _MAKE.findall(page.read_text(encoding="utf-8"))}

    assert named - targets == set()


def test_addresses_that_procedures_name_are_pages():
    text = (ROOT / "docs/procedures.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(/[a-z][a-z/-]*/)`", text))

    assert len(named) >= 4
    assert {address: resolve(address).url_name for address in named}


def test_every_decision_is_in_the_index():
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")

    assert [page.name for page in ROOT.glob("docs/adr/0*.md") if f"({page.name})" not in index] == []
