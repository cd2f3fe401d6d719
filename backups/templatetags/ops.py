"""Times, numbers, icons and small figures, written in one way on every page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from backups.admin import words
from backups.admin.drill.words import proof_words
from backups.admin.icons import ICONS
from backups.admin.restore.blocks import table_name
from backups.domain.consequence import span as span_in_words
from backups.domain.drill import Standing

register = template.Library()


def _unknown(word: str) -> SafeString:
    return format_html('<span class="unknown">{}</span>', word)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon. Without a label it only repeats what the words beside it say, so readers of the screen skip it."""
    shape = mark_safe(ICONS[name])  # noqa: S308 - a constant of this program
    if label:
        return format_html('<svg class="icon" viewBox="0 0 16 16" role="img" aria-label="{}">{}</svg>', label, shape)
    return format_html('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{}</svg>', shape)


@register.simple_tag(takes_context=True)
def moment(context: Mapping[str, Any], at: dt.datetime | None, how: str = "full") -> SafeString:
    """A time. `full`: distance, the reader's zone, UTC. `local`: the reader's zone. `ago`: only the distance.

    `clock`: the reader's zone, then UTC. Nothing at all is shown as unknown.
    """
    if at is None:
        return _unknown("unknown")
    now, zone = context.get("now") or timezone.now(), context["reader_zone"]
    said = _said(at, now, zone, how)
    return format_html(
        '<time datetime="{}"{}>{}</time>',
        at.astimezone(dt.UTC).isoformat(timespec="seconds"),
        mark_safe(' data-ago=""') if how == "ago" else "",
        said,
    )


def _said(at: dt.datetime, now: dt.datetime, zone: dt.tzinfo, how: str) -> str:
    if how == "ago":
        return words.distance(at, now)
    local = f"{words.in_zone(at, zone, now)} {words.zone_word(zone)}"
    if how == "local":
        return local
    both = local if words.zone_word(zone) == "UTC" else f"{local} · {_utc_beside(at, zone, now)} UTC"
    return both if how == "clock" else f"{words.distance(at, now)} · {both}"


def _utc_beside(at: dt.datetime, zone: dt.tzinfo, now: dt.datetime) -> str:
    """The date is said once, unless it is another one in UTC."""
    universal = at.astimezone(dt.UTC)
    if universal.date() == at.astimezone(zone).date():
        return f"{universal:%H:%M:%S}"
    return words.in_zone(at, dt.UTC, now)


@register.filter
def utc(at: dt.datetime | None) -> SafeString:
    """UTC first and only: for tables and history."""
    if at is None:
        return _unknown("unknown")
    return format_html(
        '<time class="nowrap" datetime="{}">{}</time>',
        at.astimezone(dt.UTC).isoformat(timespec="seconds"),
        words.utc_stamp(at),
    )


@register.simple_tag(takes_context=True)
def proof_chip(context: Mapping[str, Any], standing: Standing) -> SafeString:
    """What drills say of a branch, as a chip and its sentence."""
    shown = proof_words(standing, context.get("now") or timezone.now())
    return format_html(
        '<span class="chip chip--{}">{} {}</span> {}', shown.tone, icon(shown.icon), shown.words, shown.sentence
    )


@register.filter
def number(value: object, unknown: str = "unknown") -> SafeString:
    """A count with its thousands; None is said to be unknown, never zero and never blank."""
    if value is None:
        return _unknown(unknown)
    return format_html("{}", f"{value:,}")


@register.filter
def span(seconds: float | dt.timedelta | None) -> SafeString:
    """A length of time in words."""
    if seconds is None:
        return _unknown("unknown")
    total = seconds.total_seconds() if isinstance(seconds, dt.timedelta) else seconds
    return format_html("{}", span_in_words(total))


@register.filter
def precise(seconds: float | None) -> SafeString:
    """A short length of time, to a tenth of a second."""
    if seconds is None:
        return _unknown("unknown")
    return format_html("{}", words.precise(seconds))


@register.filter
def size(value: int | None) -> SafeString:
    """A number of bytes."""
    if value is None:
        return _unknown("unknown")
    return format_html("{}", words.size(value))


register.filter("table_name", table_name)


@register.filter
def environment_word(value: str) -> str:
    return words.ENVIRONMENT.get(value, value)  # type: ignore[call-overload, no-any-return]


_BAR_WIDTH = 112


@register.simple_tag
def change_bar(at_point: int | None, now: int | None) -> SafeString:
    """Two thin bars, the rows at the point above the rows now, to the same scale. The numbers stand beside it."""
    if at_point is None or now is None:
        return format_html('<span class="hidden">{}</span>', "no figure: a count is unknown")
    most = max(at_point, now, 1)
    bars = [("then", 1, at_point), ("now", 9, now)]
    return format_html(
        '<svg class="bar" viewBox="0 0 {} 16" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        _BAR_WIDTH,
        format_html_join(
            "",
            '<rect class="bar__{}" x="0" y="{}" width="{}" height="6"/>',
            ((name, y, max(1, round(_BAR_WIDTH * rows / most)) if rows else 0) for name, y, rows in bars),
        ),
    )


@register.inclusion_tag("parts/moment_fields.html", takes_context=True)
def moment_fields(context: Mapping[str, Any], form: Any, name: str, optional: bool = False) -> dict[str, Any]:
    """Date, time and zone of one moment, with the sentence that refuses it."""
    return {
        "date": form[f"{name}_date"],
        "time": form[f"{name}_time"],
        "zone": form[f"{name}_zone"],
        "name": name,
        "legend": form.MOMENTS[name],
        "errors": form.errors.get(name, ()),
        "optional": optional,
    }
