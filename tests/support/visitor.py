"""A person at a browser who is hard to please: every page is examined for what all pages have in common.

What displeases is collected and fails the test at its end, so that one run tells of every page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Page

from tests.support.browser import PHONE, log_in

LARGEST_PAGE_BYTES = 100 * 1024
THEMES = ("light", "dark")
SHOTS: Path = settings.BASE_DIR / "var" / "shots"

#: What axe has seen in this run: page and theme.
_EXAMINED: set[tuple[str, str]] = set()


class Visitor:
    """`examine(name)` checks the page that is open; `name` says which page it is, in which state."""

    def __init__(self, page: Page, site: str, *, person: str, javascript: bool, complaints: list[str]) -> None:
        self.page = page
        self.site = site
        self.person = person
        self.javascript = javascript
        self.traffic = Traffic(page)
        self._complaints = complaints

    def go(self, path: str) -> None:
        self.page.goto(self.site + path)

    def log_in(self) -> None:
        log_in(self.page, self.site, self.person)

    def examine(self, name: str) -> None:
        self.page.wait_for_load_state("load")
        self._complaints += [f"{name}, {self.width} px: {problem}" for problem in self._problems()]
        if self.javascript:
            # As in test_pages.py, where every page is examined in both: a phone in the light, a laptop in the dark.
            theme = "light" if self.width <= PHONE["width"] else "dark"
            with self._in(theme):
                self._check_accessible(name, theme)
        if os.environ.get("SHOTS"):
            self.photograph(name)

    def photograph(self, name: str) -> None:
        """The first screen and the whole page in both themes."""
        shot = f"{name}-{self.person}-{self.width}{'' if self.javascript else '-noscript'}"
        for theme in THEMES:
            with self._in(theme):
                self.page.screenshot(path=SHOTS / f"{shot}-{theme}-screen.png")
                self.page.screenshot(path=SHOTS / f"{shot}-{theme}.png", full_page=True)

    def _problems(self) -> Iterator[str]:
        yield from self.traffic.problems()
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        if wide > window:
            yield f"{wide} px wide in a window of {window} px: {self.page.evaluate(_TOO_WIDE)}"

    @property
    def width(self) -> int:
        size = self.page.viewport_size
        assert size is not None
        return size["width"]

    @contextmanager
    def _in(self, theme: Any) -> Iterator[None]:
        self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        yield
        self.page.emulate_media(color_scheme="light")

    def _check_accessible(self, name: str, theme: str) -> None:
        key = (name, theme)
        if key in _EXAMINED:
            return
        _EXAMINED.add(key)
        found = Axe().run(self.page)
        if found.violations_count:
            self._complaints.append(f"{name}, {self.width} px, {theme}: {found.generate_report()}")


class Traffic:
    """What the newest document and everything that it needs weighed on the wire, nothing taken from a cache."""

    def __init__(self, page: Page) -> None:
        self._bytes: dict[str, float] = {}
        self._kinds: dict[str, str] = {}
        self._headers: dict[str, str] = {}
        self.documents = 0
        self.polls = 0
        wire = page.context.new_cdp_session(page)
        wire.on("Network.requestWillBeSent", self._asked)
        wire.on("Network.responseReceived", self._answered)
        wire.on("Network.loadingFinished", self._finished)
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def problems(self) -> Iterator[str]:
        weight = sum(size for request, size in self._bytes.items() if self._kinds.get(request) != "Fetch")
        if not 0 < weight < LARGEST_PAGE_BYTES:
            yield f"{weight / 1024:.0f} KB to load"
        policy = self._headers.get("content-security-policy", "")
        if "default-src 'self'" not in policy or re.search("unsafe|data:|https?:|\\*", policy):
            yield f"the policy is {policy!r}"

    def _asked(self, event: dict[str, Any]) -> None:
        if event["type"] == "Document":
            self.documents += 1
            self._bytes.clear()
        if event["request"]["url"].endswith("/live/"):
            self.polls += 1
        self._kinds[event["requestId"]] = event["type"]

    def _answered(self, event: dict[str, Any]) -> None:
        if event["type"] == "Document":
            self._headers = {key.lower(): value for key, value in event["response"]["headers"].items()}

    def _finished(self, event: dict[str, Any]) -> None:
        self._bytes[event["requestId"]] = event["encodedDataLength"]


_TOO_WIDE = """
    [...document.querySelectorAll("body *")]
        .filter((element) => element.getBoundingClientRect().right > window.innerWidth + 1)
        .slice(0, 5).map((element) => element.outerHTML.slice(0, 120))"""
