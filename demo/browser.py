"""A browser without a screen: cookies, forms and buttons of the real pages, by the standard library.

It follows addresses of the demo's own portal only, so their scheme needs no check.
"""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any

_TIMEOUT_SECONDS = 20


class PageFailed(Exception):
    """A page did not answer as a person would expect; the message says which and how."""


@dataclass
class Form:
    """One form of a page: where it goes and what it holds."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Page:
    """An answer: its address, its text and its forms."""

    url: str
    html: str
    forms: list[Form]

    def form(self, action_part: str = "", *, having: str = "") -> Form:
        """The first form whose address holds `action_part` and that has a field or button named `having`."""
        for form in self.forms:
            names = {*form.fields, *(name for name, _ in form.buttons)}
            if action_part in (form.action or self.url) and (not having or having in names):
                return form
        raise PageFailed(f"{self.url} has no form for “{action_part}{having}”.")


class Browser:
    """One person's session with the portal."""

    def __init__(self, site: str) -> None:
        self._site = site.rstrip("/")
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def get(self, path: str) -> Page:
        """A page by its path or address."""
        return self._fetch(urllib.request.Request(urllib.parse.urljoin(self._site + "/", path)))  # noqa: S310

    def submit(self, page: Page, form: Form, values: dict[str, Any] | None = None) -> Page:
        """Sends the form with what it holds, changed by `values`, as its button would."""
        filled = dict(form.fields)
        for name, value in (values or {}).items():
            filled[name] = value if isinstance(value, list) else [str(value)]
        body = urllib.parse.urlencode([(name, one) for name, many in filled.items() for one in many]).encode()
        address = urllib.parse.urljoin(page.url, form.action)
        request = urllib.request.Request(address, data=body, headers={"Referer": page.url})  # noqa: S310
        return self._fetch(request)

    def log_in(self, login: str, password: str) -> Page:
        """Through the log-in page, as anybody else."""
        page = self.get("/login/")
        return self.submit(page, page.form(having="password"), {"username": login, "password": password})

    def _fetch(self, request: urllib.request.Request) -> Page:
        try:
            with self._open.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                html = answer.read().decode()
                return Page(answer.geturl(), html, forms_of(html))
        except urllib.error.HTTPError as error:
            raise PageFailed(f"{request.get_method()} {request.full_url} answered {error.code}") from error


def forms_of(html: str) -> list[Form]:
    """The forms of a page with the values that a browser would send."""
    reader = _FormReader()
    reader.feed(html)
    return reader.forms


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self._select_has_choice = False
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(has.get("action", ""), has.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._control(tag, has, self._form)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea and self._form is not None:
            self._form.fields[self._textarea] = [data.strip("\r\n")]

    def _control(self, tag: str, has: dict[str, str], form: Form) -> None:
        name = has.get("name", "")
        if tag == "input":
            self._input(has, name, form)
        elif tag == "button" and name:
            form.buttons.append((name, has.get("value", "")))
        elif tag == "textarea" and name:
            self._textarea = name
            form.fields[name] = [""]
        elif tag == "select" and name:
            self._select, self._select_has_choice = name, False
        elif tag == "option" and self._select:
            self._option(has, form)

    def _input(self, has: dict[str, str], name: str, form: Form) -> None:
        kind = has.get("type", "text")
        if kind == "submit" and name:
            form.buttons.append((name, has.get("value", "")))
        elif kind in {"radio", "checkbox"} and "checked" not in has:
            form.fields.setdefault(name, [])  # there to be chosen; sends nothing until it is
        elif name and kind not in {"submit", "button"}:
            form.fields.setdefault(name, []).append(has.get("value", "on" if kind == "checkbox" else ""))

    def _option(self, has: dict[str, str], form: Form) -> None:
        if "selected" in has or not self._select_has_choice:
            form.fields[self._select] = [has.get("value", "")]
            self._select_has_choice = True
