"""A runbook as one self-contained page, and as plain text."""

from __future__ import annotations

import textwrap

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backups.services.runbook.content import Runbook, Section

#: Inside the page: it is opened from a disk or a drawer, where no stylesheet of the portal is.
_STYLE = """
body { font: 11pt/1.4 system-ui, sans-serif; max-width: 46rem; margin: 1.5rem auto; padding: 0 1rem; color: #000; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; border-bottom: 1px solid #000; margin-top: 1.5rem; }
dt { font-weight: 700; } dd { margin: 0 0 .4rem 0; overflow-wrap: anywhere; }
pre { border: 1px solid #000; padding: .4rem .6rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 10pt; }
section { break-inside: avoid; }
@media print { body { margin: 0; max-width: none; } }
"""  # noqa: E501
_WIDTH = 100


def as_html(runbook: Runbook) -> str:
    """One file, without anything from elsewhere."""
    style: SafeString = format_html("<style>{}</style>", SafeString(_STYLE))
    return render_to_string("runbook/page.html", {"runbook": runbook, "style": style})


def as_text(runbook: Runbook) -> str:
    """For a terminal, a ticket, or a printer that knows nothing else."""
    lines = [runbook.title, "=" * len(runbook.title), runbook.stamp]
    for section in runbook.sections:
        lines += ["", section.title, "-" * len(section.title), *_lines(section)]
    return "\n".join(lines) + "\n"


def _lines(section: Section) -> list[str]:
    lines = [line for paragraph in section.paragraphs for line in textwrap.wrap(paragraph, _WIDTH)]
    lines += [f"{name}: {value}" for name, value in section.rows]
    for number, step in enumerate(section.steps, start=1):
        lines += textwrap.wrap(f"{number}. {step}", _WIDTH, subsequent_indent="   ")
    # Never wrapped: a command is copied as it stands.
    lines += [line for command in section.commands for line in (f"# {command.what}", command.line)]
    return lines
