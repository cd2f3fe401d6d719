"""Moments typed by people: a date, a time and the zone they are meant in. A time without a zone is refused."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any, ClassVar

from django import forms

from backups.admin.words import COMMON_ZONES, zone_or_utc
from backups.domain.restore import parse_lsn


class MomentError(ValueError):
    """What was typed names no moment; the message is for the person who typed it."""


def read_moment(date: str, time: str, zone: str) -> dt.datetime | None:
    """The moment in UTC; None when neither date nor time was typed. Raises MomentError."""
    if not date.strip() and not time.strip():
        return None
    if not date.strip() or not time.strip():
        raise MomentError("Give both a date and a time.")
    if not zone.strip():
        raise MomentError("Choose the zone that this time is meant in. Nothing was saved.")
    local = _local(date.strip(), time.strip())
    return _in_zone(local, _zone(zone.strip())).astimezone(dt.UTC)


def _local(date: str, time: str) -> dt.datetime:
    try:
        clock = dt.time.fromisoformat(time)
        local = dt.datetime.combine(dt.date.fromisoformat(date), clock)
    except ValueError:
        raise MomentError("Write the date as 2026-11-22 and the time as 02:31:59.") from None
    if local.tzinfo is not None:
        raise MomentError("Write the time without a zone and choose the zone beside it.")
    return local


def _zone(name: str) -> zoneinfo.ZoneInfo:
    zone = zone_or_utc(name)
    if str(zone) != name:
        raise MomentError("This zone is not known here. Choose one from the list.")
    return zone


def _in_zone(local: dt.datetime, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """Refuses the hour that clocks skip and the hour that they show twice: neither names one moment."""
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise MomentError(f"Clocks in {zone} skipped this time. Write it in UTC.")
    raise MomentError(f"Clocks in {zone} showed this time twice. Write it in UTC.")


class MomentsForm(forms.Form):
    """A form in which each name in MOMENTS is three fields, checked together into one moment."""

    MOMENTS: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, reader_zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reader_zone = reader_zone
        for name, legend in self.MOMENTS.items():
            self._add(name, legend)

    def _add(self, name: str, legend: str) -> None:
        typed = self.data.get(f"{name}_zone", "") if self.is_bound else ""
        wanted = str(self.initial.get(f"{name}_zone") or self.reader_zone)
        names = dict.fromkeys(["UTC", wanted, self.reader_zone, typed, *COMMON_ZONES])
        label = {"aria-describedby": f"{name}-error"}
        self.fields[f"{name}_date"] = forms.CharField(
            required=False,
            widget=forms.DateInput({"type": "date", "aria-label": f"{legend}: date", **label}),
        )
        self.fields[f"{name}_time"] = forms.CharField(
            required=False,
            widget=forms.TimeInput({"type": "time", "step": "1", "aria-label": f"{legend}: time", **label}),
        )
        self.fields[f"{name}_zone"] = forms.CharField(
            required=False,
            initial=wanted,
            widget=forms.Select(
                {"aria-label": f"{legend}: time zone", **label}, choices=[(zone, zone) for zone in names if zone]
            ),
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name in self.MOMENTS:
            data[name] = self._moment(name, data)
        return data

    def entered_as(self, name: str) -> str:
        """What was typed, for the record: `2026-11-22 02:31:59 Europe/Berlin`."""
        parts = (self.cleaned_data.get(f"{name}_{part}", "") for part in ("date", "time", "zone"))
        return " ".join(part for part in parts if part)[:80]

    def refuse(self, name: str, sentence: str) -> None:
        """Puts a sentence beside the field; a moment's sentence stands below its three parts."""
        if name not in self.MOMENTS:
            self.add_error(name if name in self.fields else None, sentence)
            return
        self.errors.setdefault(name, self.error_class()).append(sentence)
        for part in ("date", "time"):
            self.fields[f"{name}_{part}"].widget.attrs["aria-invalid"] = "true"

    def _moment(self, name: str, data: dict[str, Any]) -> dt.datetime | None:
        try:
            return read_moment(*(data.get(f"{name}_{part}") or "" for part in ("date", "time", "zone")))
        except MomentError as wrong:
            self.refuse(name, str(wrong))
            return None


def moment_initial(name: str, at: dt.datetime | None, zone: str) -> dict[str, str]:
    """The three fields' values for a known moment."""
    if at is None:
        return {}
    local = at.astimezone(zone_or_utc(zone))
    return {
        f"{name}_date": f"{local:%Y-%m-%d}",
        f"{name}_time": f"{local:%H:%M:%S}",
        f"{name}_zone": zone,
    }


def read_lsn(text: str) -> str:
    """The position as typed. Raises MomentError."""
    try:
        parse_lsn(text)
    except ValueError as wrong:
        raise MomentError(str(wrong)) from None
    return text.strip().upper()
