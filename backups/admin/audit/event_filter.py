"""The filter of the list of events: a form that is sent by GET, so that a filter is an address."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.models import User

from backups.admin.audit.event_words import TARGET_KINDS, WORLDS, target_kind_words
from backups.admin.audit.quick_select import QuickSelect
from backups.domain.ledger import Outcome
from backups.domain.people import Role
from backups.selectors.event_list import EventFilter, Word
from backups.services.ledger import event_meanings

Choices = list[tuple[str, Any]]
MOST_WORDS = 5
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TOO_MANY = f"Search for at most {MOST_WORDS} words at once."


class UtcMoment(forms.CharField):
    """A day and a time in UTC. Its value is the stretch that was named, a minute or a second: begin and end."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})

    def clean(self, value: Any) -> tuple[dt.datetime, dt.datetime] | None:
        text = super().clean(value).strip().removesuffix("Z")
        if not text:
            return None
        try:
            begins = dt.datetime.fromisoformat(text)
            begins = begins.replace(tzinfo=dt.UTC) if begins.tzinfo is None else begins.astimezone(dt.UTC)
            return begins, begins + _precision(text)
        except (ValueError, OverflowError):
            raise forms.ValidationError("Write the moment in UTC, such as 2026-11-22T09:40.") from None


def _precision(text: str) -> dt.timedelta:
    return dt.timedelta(minutes=1) if text.count(":") == 1 else dt.timedelta(seconds=1)


def _with_time(name: str, text: str) -> str:
    """A day alone is taken from its first second or to its last, so that the field can show it."""
    if not name.startswith("recorded_") or not _DAY.fullmatch(text):
        return text
    return f"{text}T00:00:00" if name == "recorded_from" else f"{text}T23:59:59"


class EventFilterForm(forms.Form):
    """All filters at once. An empty field narrows nothing."""

    q = forms.CharField(
        label="Search",
        required=False,
        help_text="A login, a part of a type, or any exact id, name or hash in an event",
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    actor_ref = forms.CharField(label="Person", required=False, widget=QuickSelect)
    role = forms.ChoiceField(label="Role at that time", required=False, widget=QuickSelect)
    type = forms.CharField(label="Type", required=False, widget=QuickSelect)
    outcome = forms.ChoiceField(label="Outcome", required=False, widget=QuickSelect)
    target_kind = forms.CharField(label="About what kind of thing", required=False, widget=QuickSelect)
    target_id = forms.CharField(label="Its id", required=False, max_length=200)
    world = forms.ChoiceField(label="Counts as evidence", required=False, widget=QuickSelect)
    recorded_from = UtcMoment(label="Recorded from (UTC)", required=False)
    recorded_to = UtcMoment(label="Recorded until (UTC, included)", required=False)
    correlation = forms.CharField(label="Run", required=False, max_length=200)
    web_request = forms.CharField(label="Web request", required=False, max_length=200)

    def __init__(self, data: Mapping[str, Any]) -> None:
        given = {name: data.get(name, "").strip() for name in self.base_fields}
        super().__init__({name: _with_time(name, value) for name, value in given.items() if value})
        self.narrowed_by: dict[str, str] = dict(self.data)
        self._offer("actor_ref", _people())
        self._offer("role", [(role.value, role.label) for role in Role])
        self._offer("type", _types())
        self._offer("outcome", [(outcome.value, outcome.value) for outcome in Outcome])
        self._offer("target_kind", list(TARGET_KINDS.items()))
        self._offer("world", list(WORLDS.items()))

    def wanted(self) -> EventFilter | None:
        """The filter; None when a field holds what it can't, with a sentence beside it."""
        if not self.is_valid():
            return None
        given = self.cleaned_data
        kind = given["type"]
        return EventFilter(
            person=given["actor_ref"],
            role=given["role"],
            type="" if kind.endswith(".") else kind,
            family=kind[:-1] if kind.endswith(".") else "",
            family_types=tuple(code for code in event_meanings() if code.startswith(kind)) if kind else (),
            outcome=given["outcome"],
            world=given["world"],
            target_kind=given["target_kind"],
            target_id=given["target_id"],
            correlation=given["correlation"],
            web_request=given["web_request"],
            words=tuple(Word(word, _types_holding(word)) for word in given["q"].split()),
            begins_at=given["recorded_from"][0] if given["recorded_from"] else None,
            ends_before=given["recorded_to"][1] if given["recorded_to"] else None,
        )

    def clean_q(self) -> str:
        words: str = self.cleaned_data["q"]
        if len(words.split()) > MOST_WORDS:
            raise forms.ValidationError(_TOO_MANY)
        return words

    def query(self, **more: str) -> str:
        """The filter as an address carries it."""
        return urlencode(sorted((self.narrowed_by | more).items()))

    def chips(self) -> list[Chip]:
        """What the list is narrowed to, each with the address of the list without it."""
        return [self._chip(name, value) for name, value in self.narrowed_by.items()]

    def _chip(self, name: str, value: str) -> Chip:
        others = {other: kept for other, kept in self.narrowed_by.items() if other != name}
        label = str(self.fields[name].label).removesuffix(" (UTC)").removesuffix(" (UTC, included)")
        return Chip(label, self._words_for(name, value), urlencode(sorted(others.items())))

    def _words_for(self, name: str, value: str) -> str:
        widget = self.fields[name].widget
        if not isinstance(widget, forms.Select):
            return f"{value} UTC" if name.startswith("recorded") else value
        return str(dict(_flat(widget.choices)).get(value, value))

    def _offer(self, name: str, offered: Choices) -> None:
        """Links may name what no list offers, such as a worker: that stays chosen."""
        field, chosen = self.fields[name], self.data.get(name, "")
        choices: Choices = [("", "Any"), *offered]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices
            field.error_messages["invalid_choice"] = "Choose one from the list."
            return
        if chosen and chosen not in dict(_flat(choices)):
            choices.append((chosen, target_kind_words(chosen) if name == "target_kind" else chosen))
        field.widget.choices = choices


@dataclass(frozen=True, slots=True)
class Chip:
    """One part of the filter; `query` is the filter without it."""

    label: str
    words: str
    query: str


def _people() -> Choices:
    people = User.objects.order_by("username").values_list("pk", "username")
    named = [(f"user:{pk}", login) for pk, login in people]
    return [*named, ("kind:system", "the portal itself"), ("kind:anonymous", "nobody logged in")]


def _types() -> Choices:
    """By family; a family as a whole can be chosen too."""
    families: dict[str, Choices] = {}
    for code in event_meanings():
        family = code.partition(".")[0]
        families.setdefault(family, [(f"{family}.", f"all of {family}")]).append((code, code))
    return sorted(families.items())


def _types_holding(word: str) -> tuple[str, ...]:
    return tuple(code for code in event_meanings() if word.lower() in code)


def _flat(choices: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [
        choice
        for value, label in choices
        for choice in (label if isinstance(label, list | tuple) else [(value, label)])
    ]
