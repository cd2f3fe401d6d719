"""What the pages in Markdown name is there: commands, targets of make, and the files that they link to."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.urls import resolve

from backups.domain.duty import DUTIES
from backups.domain.monitor import FindingCode
from backups.ledger.catalogue import CATALOGUE

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


@pytest.mark.parametrize("page", ["procedures.md", "hipaa.md"])
def test_addresses_that_are_named_are_pages(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(/[a-z][a-z/-]*/)`", text))

    assert len(named) >= 4
    assert {address: resolve(address).url_name for address in named}


def test_evidence_that_the_page_on_the_security_rule_names_is_there():
    text = (ROOT / "docs/hipaa.md").read_text(encoding="utf-8")
    tests = set(re.findall(r"`(tests/[a-z_/]+\.py)`", text))
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text))
    events = set(re.findall(r"`([a-z_]+\.[a-z_*]+)`", text)) - {"carecircle_verify.py"}
    families = {code.partition(".")[0] + ".*" for code in CATALOGUE}

    assert len(tests) > 15
    assert sorted(name for name in tests if not (ROOT / name).is_file()) == []
    assert sorted(events - set(CATALOGUE) - families) == []
    assert sorted(words - {code.value for code in FindingCode} - set(DUTIES)) == []


def test_every_decision_is_in_the_index():
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")

    assert [page.name for page in ROOT.glob("docs/adr/0*.md") if f"({page.name})" not in index] == []
