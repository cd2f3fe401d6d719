"""Headless Chromium. Every page fails its test when the console shows an error or a policy is violated."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.factories import PASSWORD

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 360, "height": 640}
LAPTOP = {"width": 1280, "height": 800}
PATIENCE_MILLISECONDS = 10_000

OpenPage = Callable[..., Page]


def chromium_path() -> str | None:
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium: install Debian's package chromium, or set CHROMIUM")
    # Playwright keeps an event loop in this thread, in which Django would refuse to talk to the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """`open_page(viewport=PHONE, javascript=False, ...)`: a page in a context (cookies) of its own."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_one(*, viewport: dict[str, int] = LAPTOP, javascript: bool = True, **options: Any) -> Page:
        context = browser.new_context(
            viewport=viewport,  # type: ignore[arg-type]
            java_script_enabled=javascript,
            # A page that is waited for would be painted sixty times a second.
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        contexts.append(context)
        page = context.new_page()
        watch(page, problems)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not problems, "the browser complained:\n" + "\n".join(problems)


def log_in(page: Page, url: str, username: str, *, password: str = PASSWORD) -> None:
    """Through the form, as people do."""
    page.goto(f"{url}/login/")
    fill_in_log_in(page, username, password=password)


def fill_in_log_in(page: Page, username: str, *, password: str = PASSWORD) -> None:
    """On whatever page asked for it."""
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def watch(page: Page, problems: list[str]) -> None:
    """Collects what the browser's console and network say is wrong; a violated policy is an error of the console."""

    def on_console(message: ConsoleMessage) -> None:
        # A form that is shown again with what is wrong in it has a status that the console repeats.
        if message.type == "error" and "422 (Unprocessable Entity)" not in message.text:
            problems.append(f"{page.url}: {message.text}")

    def on_failed(request: Request) -> None:
        # Who leaves a page leaves its open questions behind.
        if request.failure != "net::ERR_ABORTED":
            problems.append(f"{page.url}: {request.url} failed, {request.failure}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    page.on("requestfailed", on_failed)
