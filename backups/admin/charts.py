"""Charts as SVG, drawn by the server. Each stands beside a table with the same numbers, so none is read aloud."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 632, 14, 196
_BAR_WIDTH = 640
_TICK_WIDTH = 48
#: Lengths that people think in, in seconds.
_TICKS = (
    (0.1, "0.1 s"), (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"), (6 * 3600, "6 h"),
    (86_400, "1 d"), (3 * 86_400, "3 d"), (30 * 86_400, "30 d"), (365 * 86_400, "1 y"),
)  # fmt: skip

#: From a value to its share of the height, 0 to 1.
Share: TypeAlias = Callable[[float], float]


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


def strip(cells: Sequence[tuple[str, str, str]]) -> SafeString:
    """A row of equal cells, such as weeks: each with its sign, its tone, and what it says when pointed at."""
    width = _BAR_WIDTH / max(len(cells), 1)
    shown = (
        (tone, round(place * width + 1, 1), round(width - 2, 1), title, round((place + 0.5) * width, 1), sign)
        for place, (sign, tone, title) in enumerate(cells)
    )
    return format_html(
        '<svg class="chart chart--strip" viewBox="0 0 {} 32" aria-hidden="true">{}</svg>',
        _BAR_WIDTH,
        format_html_join(
            "",
            '<rect class="cell cell--{}" x="{}" y="1" width="{}" height="30" rx="4"><title>{}</title></rect>'
            '<text class="cell__sign" x="{}" y="21">{}</text>',
            shown,
        ),
    )


def week_bars(counts: Sequence[int]) -> SafeString:
    """One bar a week from left to right, the highest at full height; nothing where every week is empty."""
    highest = max(counts, default=0)
    if not highest:
        return SafeString("")
    width = _BAR_WIDTH / len(counts)
    bars = (
        (
            round(number * width, 1),
            round(24 - 24 * count / highest, 1),
            round(width * 0.8, 1),
            round(24 * count / highest, 1),
        )
        for number, count in enumerate(counts)
        if count
    )
    return format_html(
        '<svg class="chart chart--weeks" viewBox="0 0 {} 24" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        _BAR_WIDTH,
        format_html_join("", '<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>', bars),
    )


def trend(dots: Sequence[Dot]) -> SafeString:
    """Measurements from left to right in their order, on a scale that begins at zero."""
    if not dots:
        return SafeString("")
    highest = max(dot.value for dot in dots) or 1
    return _chart(dots, (), lambda value: min(value / highest, 1), ())


def durations(dots: Sequence[Dot], lines: Sequence[Line] = ()) -> SafeString:
    """Lengths in seconds, with the lines that they are held against, on a scale of powers.

    Between a drill of seconds and a limit of days a plain scale would show one of them only.
    """
    if not dots:
        return SafeString("")
    measured = [dot.value for dot in dots] + [line.value for line in lines]
    values = [max(value, _TICKS[0][0]) for value in measured]
    lowest = max(tick for tick, _ in _TICKS[:-1] if tick <= min(values))
    highest = next((tick for tick, _ in _TICKS if tick >= max(values) and tick > lowest), max(values))
    decades = math.log(highest / lowest)

    def share(value: float) -> float:
        return min(max(math.log(max(value, lowest) / lowest) / decades, 0), 1)

    return _chart(dots, lines, share, [tick for tick in _TICKS if lowest <= tick[0] <= highest])


def _chart(dots: Sequence[Dot], lines: Sequence[Line], share: Share, ticks: Sequence[tuple[float, str]]) -> SafeString:
    left = _LEFT + (_TICK_WIDTH if ticks else 0)
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" aria-hidden="true">{}{}{}{}</svg>',
        _WIDTH,
        _HEIGHT,
        format_html('<line class="chart__axis" x1="{}" y1="{}" x2="{}" y2="{}"/>', left, _BOTTOM, _RIGHT, _BOTTOM),
        format_html_join(
            "",
            '<line class="chart__grid" x1="{}" y1="{}" x2="{}" y2="{}"/>'
            '<text class="chart__text" x="{}" y="{}">{}</text>',
            ((left, y, _RIGHT, y, _LEFT, y + 4, words) for y, words in ((_y(share(v)), words) for v, words in ticks)),
        ),
        _lines(lines, share, left),
        _dots(dots, share, left),
    )


def _lines(lines: Sequence[Line], share: Share, left: float) -> SafeString:
    """Names stand at the right, so that they cross neither the scale nor, as a rule, the newest dots' line."""
    shown = ((line, _y(share(line.value))) for line in lines)
    return format_html_join(
        "",
        '<line class="chart__line chart__line--{}" x1="{}" y1="{}" x2="{}" y2="{}"/>'
        '<text class="chart__text chart__text--end" x="{}" y="{}">{}</text>',
        ((line.kind, left, y, _RIGHT, y, _RIGHT, y - 4, line.label) for line, y in shown),
    )


def _dots(dots: Sequence[Dot], share: Share, left: float) -> SafeString:
    step = (_RIGHT - left - 16) / max(len(dots) - 1, 1)
    places = [(round(left + 8 + number * step, 1), _y(share(dot.value)), dot) for number, dot in enumerate(dots)]
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


def _y(share: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * share, 1)
