"""What to do about a finding: the section of docs/procedures.md, shown where the finding is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_ITEM = re.compile(r"^(?:\d+\.|-) ")


@dataclass(frozen=True, slots=True)
class Advice:
    """A heading and its text; without text the file is not where the portal runs."""

    title: str
    body: SafeString


def advice_for(anchor: str) -> Advice | None:
    """The section of that anchor; None when the document has none."""
    return _sections().get(anchor)


def anchor_of(heading: str) -> str:
    """As browsers and GitHub find it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def _sections() -> dict[str, Advice]:
    path = Path(settings.BASE_DIR) / "docs" / "procedures.md"
    if not path.is_file():
        return {}
    found = re.split(r"^## (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pairs = zip(found[1::2], found[2::2], strict=True)
    return {anchor_of(title): Advice(_inline(title), _html(text)) for title, text in pairs}


def _html(text: str) -> SafeString:
    blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    return format_html_join("", "{}", ((_block(block),) for block in blocks))


def _block(block: str) -> SafeString:
    if block.startswith(("```", "|")):
        return format_html('<pre class="wrap-anywhere">{}</pre>', block.strip("`\n"))
    lines = block.splitlines()
    if not any(_ITEM.match(line) for line in lines):
        return format_html("<p>{}</p>", _marked(" ".join(lines)))
    before, items = _items(lines)
    tag = mark_safe("ol" if re.match(r"\d", items[0][1]) else "ul")  # noqa: S308 - one of two words of ours
    listed = format_html_join("", "<li>{}</li>", ((_marked(text),) for text, _ in items))
    return format_html('{}<{} class="numbered">{}</{}>', _paragraph(before), tag, listed, tag)


def _paragraph(lines: list[str]) -> SafeString:
    return format_html("<p>{}</p>", _marked(" ".join(lines))) if lines else SafeString("")


def _items(lines: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """What stands before the list, and each item with its continuation lines and its mark."""
    before: list[str] = []
    items: list[tuple[str, str]] = []
    for line in lines:
        if _ITEM.match(line):
            mark, _, text = line.partition(" ")
            items.append((text, mark))
        elif items:
            items[-1] = (f"{items[-1][0]} {line.strip()}", items[-1][1])
        else:
            before.append(line)
    return before, items


def _inline(text: str) -> str:
    """Without the marks of Markdown; a link keeps its words."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text).replace("**", "").replace("*", "")


def _marked(text: str) -> SafeString:
    """Escaped, with `code` marked as such."""
    escaped = escape(_inline(text)).replace("&#x27;", "'")
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S308 - escaped above
