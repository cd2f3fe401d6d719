"""Charts as SVG, drawn by the server. Each stands beside a table with the same numbers, so none is read aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 632, 14, 196
_BAR_WIDTH = 640


@dataclass(frozen=True, slots=True)
class Dot:
    """One measurement: where in the row it stands, its value, and how it is drawn (`good`, `bad`, `unknown`)."""

    value: float
    tone: str
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """A level to be drawn across: `objective` or `proposed`."""

    value: float
    kind: str
    label: str


def stage_bar(parts: Sequence[tuple[str, float]]) -> SafeString:
    """One bar cut into stages by their length; nothing when there is no length to show."""
    whole = sum(seconds for _, seconds in parts)
    if whole <= 0:
        return SafeString("")
    edges = [0.0]
    for _, seconds in parts:
        edges.append(edges[-1] + _BAR_WIDTH * seconds / whole)
    cuts = (
        (code, round(edges[number], 1), round(max(edges[number + 1] - edges[number], 1), 1))
        for number, (code, _) in enumerate(parts)
    )
    return format_html(
        '<svg class="chart chart--bar" viewBox="0 0 {} 24" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        _BAR_WIDTH,
        format_html_join("", '<rect class="stage stage--{}" x="{}" y="0" width="{}" height="24"/>', cuts),
    )


def trend(dots: Sequence[Dot], lines: Sequence[Line] = ()) -> SafeString:
    """Measurements from left to right in their order, with the lines that they are held against.

    The scale begins at zero. A line far above everything measured is drawn at the top edge as a dashed one with its
    name, or the measurements would lie flat on the ground.
    """
    if not dots:
        return SafeString("")
    highest = max([dot.value for dot in dots] + [line.value for line in lines if line.kind == "objective"]) or 1
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" aria-hidden="true">{}{}{}</svg>',
        _WIDTH,
        _HEIGHT,
        format_html('<line class="chart__axis" x1="{}" y1="{}" x2="{}" y2="{}"/>', _LEFT, _BOTTOM, _RIGHT, _BOTTOM),
        _lines(lines, highest),
        _dots(dots, highest),
    )


def _lines(lines: Sequence[Line], highest: float) -> SafeString:
    shown = ((line, _TOP if line.value > highest else _y(line.value, highest)) for line in lines)
    return format_html_join(
        "",
        '<line class="chart__line chart__line--{}" x1="{}" y1="{}" x2="{}" y2="{}"/>'
        '<text class="chart__text" x="{}" y="{}">{}</text>',
        ((line.kind, _LEFT, y, _RIGHT, y, _LEFT, y - 3, line.label) for line, y in shown),
    )


def _dots(dots: Sequence[Dot], highest: float) -> SafeString:
    step = (_RIGHT - _LEFT - 16) / max(len(dots) - 1, 1)
    places = [(round(_LEFT + 8 + number * step, 1), _y(dot.value, highest), dot) for number, dot in enumerate(dots)]
    path = " ".join(f"{x},{y}" for x, y, _ in places)
    return format_html(
        '<polyline class="chart__path" points="{}"/>{}',
        path,
        format_html_join(
            "",
            '<circle class="chart__dot chart__dot--{}" cx="{}" cy="{}" r="4"><title>{}</title></circle>',
            ((dot.tone, x, y, dot.label) for x, y, dot in places),
        ),
    )


def _y(value: float, highest: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * min(value / highest, 1), 1)
